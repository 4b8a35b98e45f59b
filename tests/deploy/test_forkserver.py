"""The forkserver, on real processes: copies are warm, are the supervisor's own, and none runs that nobody knows of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.test import SimpleTestCase

from deploy.state import ROOT
from tests.deploy.programs import eventually, runs

# Imported by the forkserver, once.
WARM = """
import os
IMPORTED_BY = os.getpid()
FORKED = []
def after_fork():
    FORKED.append(os.environ["INCARNATION"])
"""

# What each copy runs: it tells about itself, then does as it is told by signals.
PROGRAM = """
import json, os, signal, sys
if __name__ != "__main__":
    raise SystemExit("run as " + __name__)
warm = sys.modules.get("warm_for_tests")
told = {
    "pid": os.getpid(), "parent": os.getppid(), "argv": sys.argv[1:], "cwd": os.getcwd(),
    "session": os.getsid(0), "stdin": os.readlink("/proc/self/fd/0"),
    "files": len(os.listdir("/proc/self/fd")),
    "extra": os.environ.get("EXTRA"), "incarnation": os.environ["INCARNATION"],
    "imported_by": warm and warm.IMPORTED_BY, "forked": warm and warm.FORKED,
}
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
print(json.dumps(told), flush=True)
while True:
    signal.pause()
"""

PARENT = """
import itertools, logging, pathlib, signal, sys
sys.path.insert(0, {root!r})
from deploy.child import Child
from deploy import forkserver
from deploy.forkserver import Forkserver
from deploy.supervise import Supervisor
logging.basicConfig(level=logging.INFO, format="%(message)s")
folder = pathlib.Path({folder!r})
forkserver.PATIENCE = {patience!r}
warm = Forkserver({modules!r})
numbers = itertools.count(1)
program = Child(
    "program", [sys.executable, *{how!r}, "a word"],
    lambda: {{"INCARNATION": str(next(numbers)), "EXTRA": None}},
    log=folder / "log", cwd=folder, warm=warm,
    on_death=lambda _, pid, status: print("ended", status, flush=True),
)
server = Child("forkserver", warm.argv, {{"PYTHONPATH": {path!r}}}, log=folder / "server.log", serves=warm)
sys.exit(Supervisor([server, program], pid_file=folder / "pids").run())
"""


class ForkserverTests(SimpleTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "warm_for_tests.py").write_text(WARM)
        (self.folder / "program.py").write_text(PROGRAM)

    def start(self, *modules: str, how: tuple[str, ...] = (), patience: float = 2.0) -> subprocess.Popen[str]:
        words = {
            "root": str(ROOT),
            "folder": str(self.folder),
            "path": f"{ROOT}:{self.folder}",
            "modules": modules or ("warm_for_tests",),
            "patience": patience,
            "how": how or (str(self.folder / "program.py"),),
        }
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT.format(**words)],
            env={**os.environ, "EXTRA": "of the supervisor", "PYTHONPATH": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=(self.folder / "said").open("w"),
            text=True,
        )
        assert parent.stdout is not None
        self.addCleanup(parent.stdout.close)
        self.addCleanup(parent.wait)
        self.addCleanup(parent.kill)
        return parent

    def told(self, number: int) -> dict[str, Any]:
        """Return what the program's incarnation of that number told."""
        log = self.folder / "log"
        complete = eventually(lambda: log.exists() and log.read_text().count("\n") >= number)
        self.assertTrue(complete, (self.folder / "said").read_text())
        found: dict[str, Any] = json.loads(log.read_text().splitlines()[number - 1])
        self.assertEqual(found["incarnation"], str(number))
        return found

    def pids(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.folder / "pids").read_text())
        return found

    def said(self, text: str) -> bool:
        return text in (self.folder / "said").read_text()

    def next_pid(self, role: str, old: int) -> int:
        self.assertTrue(eventually(lambda: self.pids().get(role) not in {None, old}))
        return self.pids()[role]

    def test_a_copy_is_warm_and_else_like_a_program_that_was_executed(self):
        parent = self.start(patience=60.0)
        told = self.told(1)
        self.assertEqual(told["imported_by"], self.pids()["forkserver"])
        self.assertEqual((told["parent"], told["pid"]), (parent.pid, self.pids()["program"]))
        self.assertEqual((told["argv"], told["cwd"], told["extra"]), (["a word"], str(self.folder), None))
        self.assertEqual((told["session"], told["stdin"]), (told["pid"], "/dev/null"))
        self.assertEqual(
            told["files"], 4, "it holds a file of the forkserver's"
        )  # three, and the folder itself
        self.assertEqual(told["forked"], ["1"])

    def test_a_module_is_run_as_well_as_a_file(self):
        self.start(how=("-m", "program"))
        self.assertEqual(self.told(1)["argv"], ["a word"])

    def test_its_deaths_are_told_as_they_were(self):
        parent = self.start(patience=60.0)
        os.kill(self.told(1)["pid"], signal.SIGUSR1)
        os.kill(self.told(2)["pid"], signal.SIGKILL)
        self.assertNotEqual(self.told(3)["imported_by"], None)
        parent.terminate()
        self.assertEqual(parent.wait(timeout=20), 0)
        assert parent.stdout is not None
        self.assertEqual(parent.stdout.read().split("\n"), ["ended 7", "ended -9", "ended -15", ""])

    def test_it_dies_with_its_supervisor(self):
        parent = self.start()
        pid, server = self.told(1)["pid"], self.pids()["forkserver"]
        parent.kill()
        self.assertTrue(eventually(lambda: not runs(pid) and not runs(server)))

    def test_it_outlives_the_forkserver_and_the_next_is_warm_again(self):
        self.start()
        first, server = self.told(1), self.pids()["forkserver"]
        os.kill(server, signal.SIGKILL)
        again = self.next_pid("forkserver", server)
        self.assertTrue(runs(first["pid"]))
        os.kill(first["pid"], signal.SIGKILL)
        second = self.told(2)  # forked, or executed if the new one was not warm by then
        self.assertIn(second["imported_by"], {None, again})
        number = 3
        while (told := self.told(number - 1))["imported_by"] is None:
            os.kill(told["pid"], signal.SIGKILL)
            number += 1
        self.assertEqual(told["imported_by"], again)

    def test_while_it_is_frozen_programs_are_executed_and_no_second_copy_runs_when_it_thaws(self):
        self.start()
        first, server = self.told(1), self.pids()["forkserver"]
        os.kill(server, signal.SIGSTOP)
        os.kill(first["pid"], signal.SIGKILL)
        second = self.told(2)
        self.assertIsNone(second["imported_by"])
        os.kill(server, signal.SIGCONT)
        self.next_pid("forkserver", server)  # it ends, for nobody reads what it answers
        self.assertTrue(eventually(lambda: _children(second["parent"]) == set(self.pids().values())))
        self.assertEqual((self.folder / "log").read_text().count("\n"), 2)

    def test_a_module_that_starts_threads_is_refused_and_programs_are_executed(self):
        (self.folder / "busy_for_tests.py").write_text(
            "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        )
        self.start("busy_for_tests")
        self.assertIsNone(self.told(1)["imported_by"])
        self.assertIn("started threads", (self.folder / "server.log").read_text())
        self.assertTrue(self.said("program is executed, not forked"))

    def test_a_forkserver_that_cannot_import_holds_nothing_up(self):
        self.start("no_such_module_for_tests")
        self.assertIsNone(self.told(1)["imported_by"])


def _children(pid: int) -> set[int]:
    return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
