"""The supervisor, on real processes: deaths are seen, children come back, and none is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from django.test import SimpleTestCase

from deploy.supervise import Child, Supervisor
from tests.deploy.programs import SLEEP, STUBBORN, eventually, python, runs

ROOT = Path(__file__).resolve().parents[2]

# A process that supervises two children and tells their pids.
PARENT = """
import sys, pathlib
sys.path.insert(0, {root!r})
from deploy.supervise import Child, Supervisor
from tests.deploy.programs import SLEEP, STUBBORN
children = [Child("one", SLEEP), Child("two", {second}, log=pathlib.Path({log!r}))]
sys.exit(Supervisor(children, grace={grace}, pid_file=pathlib.Path({pids!r})).run())
"""


class SupervisorTests(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_it_restarts_a_killed_child_at_once_and_tells_who_died(self):
        deaths: list[tuple[str, int, int, str]] = []
        numbers = iter(range(10))
        child = Child(
            "worker",
            SLEEP,
            lambda: {"NODE": f"incarnation {next(numbers)}"},
            on_death=lambda it, pid, status: deaths.append((it.name, pid, status, it.environment["NODE"])),
        )
        with Supervisor([child]) as supervisor:
            self.assertTrue(eventually(lambda: child.pid))
            first = supervisor.pids()["worker"]
            os.kill(first, signal.SIGKILL)
            self.assertTrue(eventually(lambda: child.pid not in {None, first}))
            self.assertEqual(deaths, [("worker", first, -9, "incarnation 0")])
            self.assertEqual(child.environment["NODE"], "incarnation 1")
            self.assertFalse(Path(f"/proc/{first}").exists(), "the dead child was not reaped")

    def test_it_waits_longer_and_longer_for_a_child_that_cannot_live(self):
        child = Child("broken", python("raise SystemExit(3)"))
        with self.assertLogs("deploy.supervise", "WARNING") as logs, Supervisor([child]):
            self.assertTrue(eventually(lambda: child.starts >= 3))
        waits = [line for line in logs.output if "restarted in" in line]
        self.assertIn("0.5 s", waits[0])
        self.assertIn("status 3", logs.output[0])

    def test_it_survives_an_on_death_that_fails(self):
        def fail(child: Child, pid: int, status: int) -> None:
            raise RuntimeError("database down")

        child = Child("worker", SLEEP, on_death=fail)
        with self.assertLogs("deploy.supervise", "ERROR") as logs, Supervisor([child]) as supervisor:
            self.assertTrue(eventually(lambda: child.pid))
            os.kill(supervisor.pids()["worker"], signal.SIGKILL)
            self.assertTrue(eventually(lambda: child.starts == 2))
        self.assertIn("database down", "".join(logs.output))

    def test_it_does_not_let_a_slow_on_death_hold_up_the_others(self):
        gate = threading.Event()
        self.addCleanup(gate.set)

        def wait_at_gate(child: Child, pid: int, status: int) -> None:
            gate.wait()

        slow = Child("slow", SLEEP, on_death=wait_at_gate)
        quick = Child("quick", SLEEP)
        with Supervisor([slow, quick]):
            self.assertTrue(eventually(lambda: slow.pid and quick.pid))
            os.kill(slow.pid or 0, signal.SIGKILL)
            os.kill(quick.pid or 0, signal.SIGKILL)
            self.assertTrue(eventually(lambda: quick.starts == 2))
            self.assertEqual(slow.starts, 1)
            gate.set()
            self.assertTrue(eventually(lambda: slow.starts == 2))

    def test_it_kills_what_does_not_stop_within_the_grace(self):
        child = Child("deaf", STUBBORN, log=self.folder / "log")
        with Supervisor([child], grace=0.2) as supervisor:
            self.assertTrue(eventually(lambda: b"deaf" in _read(self.folder / "log")))
            pid = supervisor.pids()["deaf"]
        self.assertFalse(runs(pid))

    def test_it_keeps_a_held_child_down_until_released(self):
        child = Child("broker", SLEEP)
        with Supervisor([child]) as supervisor:
            self.assertTrue(eventually(lambda: child.pid))
            supervisor.hold("broker")
            self.assertEqual(supervisor.pids(), {})
            self.assertIsNone(child.restart_at)
            supervisor.release("broker")
            self.assertTrue(runs(supervisor.pids()["broker"]))

    def test_it_says_so_when_there_is_no_such_program(self):
        child = Child("none", ["/nonexistent/program"], log=self.folder / "log")
        with Supervisor([child]):
            self.assertTrue(eventually(lambda: child.starts >= 2))
        self.assertIn(b"cannot run /nonexistent/program", _read(self.folder / "log"))

    def test_it_gives_children_an_environment_without_what_was_removed(self):
        os.environ["ROADSTEAD_TEST_REMOVED"] = "still here"
        self.addCleanup(os.environ.pop, "ROADSTEAD_TEST_REMOVED")
        program = python("import os, signal; print(sorted(os.environ), flush=True); signal.pause()")
        child = Child(
            "told", program, {"ROADSTEAD_TEST_REMOVED": None, "ADDED": "1"}, log=self.folder / "log"
        )
        with Supervisor([child]):
            self.assertTrue(eventually(lambda: b"ADDED" in _read(self.folder / "log")))
        self.assertNotIn(b"ROADSTEAD_TEST_REMOVED", _read(self.folder / "log"))


class ParentTests(SimpleTestCase):
    """`run()` in a process of its own, which is then stopped or killed."""

    def start(
        self, second: str = "SLEEP", grace: float = 10
    ) -> tuple[subprocess.Popen[bytes], dict[str, int]]:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        pids, log = Path(folder.name, "pids.json"), Path(folder.name, "log")
        program = PARENT.format(root=str(ROOT), second=second, log=str(log), grace=grace, pids=str(pids))
        parent = subprocess.Popen(python(program), stderr=subprocess.DEVNULL)
        self.addCleanup(parent.wait)
        self.addCleanup(parent.kill)
        self.assertTrue(eventually(lambda: len(_pids(pids)) == 2))
        if second == "STUBBORN":
            self.assertTrue(eventually(lambda: b"deaf" in _read(log)))
        for pid in _pids(pids).values():
            self.addCleanup(_kill_if_left, pid)
        return parent, _pids(pids)

    def test_it_stops_its_children_on_sigterm_and_leaves_with_0(self):
        parent, pids = self.start()
        parent.terminate()
        self.assertEqual(parent.wait(timeout=20), 0)
        self.assertFalse(any(runs(pid) for pid in pids.values()))

    def test_it_leaves_with_1_when_a_child_had_to_be_killed(self):
        parent, pids = self.start("STUBBORN", grace=0.2)
        parent.terminate()
        self.assertEqual(parent.wait(timeout=20), 1)
        self.assertFalse(any(runs(pid) for pid in pids.values()))

    def test_it_kills_at_once_on_a_second_signal(self):
        parent, pids = self.start("STUBBORN", grace=600)
        parent.send_signal(signal.SIGINT)
        self.assertTrue(eventually(lambda: not runs(pids["one"])))
        parent.send_signal(signal.SIGINT)
        self.assertEqual(parent.wait(timeout=20), 1)
        self.assertFalse(runs(pids["two"]))

    def test_it_takes_its_children_along_when_it_is_killed(self):
        parent, pids = self.start("STUBBORN")
        parent.kill()
        self.assertTrue(eventually(lambda: not any(runs(pid) for pid in pids.values())))


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _pids(path: Path) -> dict[str, int]:
    return json.loads(path.read_text()) if path.exists() else {}


def _kill_if_left(pid: int) -> None:
    if runs(pid):
        os.kill(pid, signal.SIGKILL)
