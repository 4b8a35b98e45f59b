"""What the processes of a node are copies of: it must hold nothing that they would share, but for what is only read."""

from __future__ import annotations

import subprocess
import sys

from django.test import SimpleTestCase

PROGRAM = """
import os, threading
import project.warm
from django.db import connections
from lifecycle import local

assert threading.active_count() == 1, threading.enumerate()
assert all(one.connection is None for one in connections.all(initialized_only=True))
sockets = [name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]
assert len(sockets) <= 3, [os.readlink(f"/proc/self/fd/{name}") for name in sockets]
before, name = local.node_id, "00000000-0000-4000-8000-00000000000%d"
for number in (1, 2):
    if not (pid := os.fork()):
        os.environ["ROADSTEAD_NODE_ID"] = name % number
        project.warm.after_fork()
        assert str(local.node_id) == name % number
        assert (local.last_renewed(), local.draining()) == (0, False)
        local.mark_renewed(number)
        local.drain()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
assert (local.last_renewed(), local.draining(), local.node_id) == (0, False, before)
"""


class WarmTests(SimpleTestCase):
    def test_it_has_no_thread_no_connection_and_each_copy_is_a_node_of_its_own(self):
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
