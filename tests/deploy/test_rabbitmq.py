"""A private RabbitMQ, really started: ours alone, keeps what it was told, comes back after kill -9."""

from __future__ import annotations

import os
import signal
import tempfile
import unittest
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from amqp import Connection, Message
from amqp.exceptions import AccessRefused, AMQPError
from django.test import SimpleTestCase

from deploy import named, rabbitmq, ready
from deploy.servers import servers
from deploy.state import StartError, State
from tests.deploy.programs import eventually

OWN = {"rabbitmq"}


class RabbitMQTests(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = State(Path(folder.name) / "state")
        output = redirect_stdout(StringIO())
        output.__enter__()
        self.addCleanup(output.__exit__, None, None, None)

    def test_it_is_ours_alone_and_keeps_a_message_through_kill_9(self):
        try:
            running = self.enterContext(servers(self.state, OWN, own=OWN))
        except StartError as error:
            raise unittest.SkipTest(str(error)) from error
        (rabbit,) = running.rabbits
        self.assertEqual(running.env["BROKER_URL"], rabbit.url())
        self.assertIs(rabbitmq.prepare(self.state), rabbit)  # asked again while it runs
        for password in ("guest", ""):
            with self.assertRaises(AccessRefused), Connection(f"127.0.0.1:{rabbit.port}", password=password):
                pass
        for secret in (rabbit.home / "rabbitmq.conf", rabbit.home / ".erlang.cookie"):
            self.assertEqual(secret.stat().st_mode & 0o077, 0)
        self.assertEqual(self.listening(running.pids()["rabbitmq"]), {"127.0.0.1"})

        with rabbit.connect() as link:
            channel = link.channel()
            channel.confirm_select()
            arguments = {"x-queue-type": "quorum"}
            channel.queue_declare("kept", durable=True, auto_delete=False, arguments=arguments)
            channel.basic_publish_confirm(Message("kept"), routing_key="kept")
        supervisor = running.supervisors["rabbitmq"]
        # In peace first: a queue declared seconds before a kill -9 does not come back whole (docs/brokers.md).
        supervisor.hold("rabbitmq", signal.SIGTERM)
        supervisor.release("rabbitmq")
        ready.until(rabbit.is_ready, supervisor["rabbitmq"], 120)
        supervisor.hold("rabbitmq")
        self.assertFalse(rabbit.is_ready())
        supervisor.release("rabbitmq")
        ready.until(rabbit.is_ready, supervisor["rabbitmq"], 120)
        self.assertTrue(eventually(lambda: self.take(rabbit, "kept")))
        self.assertEqual((rabbit.queues(), rabbit.purge(), rabbit.waiting("kept")), (["kept"], 0, 0))
        rabbit.delete()
        self.assertEqual(rabbit.queues(), [])

    def take(self, rabbit: rabbitmq.Rabbit, queue: str) -> bool:
        """Tell whether there was a message to take; a queue that has just started may not say yet."""
        try:
            with rabbit.connect() as link:
                return link.channel().basic_get(queue, no_ack=True) is not None
        except (OSError, AMQPError):
            return False

    def listening(self, pid: int) -> set[str]:
        """Return the addresses at which a process listens."""
        sockets = {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()}
        found = set()
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == "0A" and f"socket:[{inode}]" in sockets:
                    address = bytes.fromhex(local.partition(":")[0])
                    found.add(".".join(str(part) for part in reversed(address)))
        return found


class NamedTests(SimpleTestCase):
    def test_one_broker_is_started_and_the_environment_says_which(self):
        for wanted, name in (("", "valkey"), ("redis", "valkey"), ("rabbitmq", "rabbitmq")):
            with patch.dict(os.environ, {"ROADSTEAD_BROKER": wanted, "BROKER_URL": ""}):
                self.assertEqual(named.unnamed() & set(named.BROKERS.values()), {name})
        with patch.dict(os.environ, {"ROADSTEAD_BROKER": "rabbitmq", "BROKER_URL": "redis://elsewhere"}):
            self.assertFalse(named.unnamed() & set(named.BROKERS.values()))
        with (
            patch.dict(os.environ, {"ROADSTEAD_BROKER": "carrier-pigeon"}),
            self.assertRaisesRegex(StartError, "redis, rabbitmq"),
        ):
            named.unnamed()
