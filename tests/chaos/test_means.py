"""The means of the chaos harness: clocks that are wrong, storage that is gone or full, signals to whole trees."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from django.test import SimpleTestCase

from chaos import tamper
from chaos.processes import children_of, runs, send, tree
from chaos.storage import MIB, storage

TELLS = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
WRITES = """
import os, sys, time
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
begun = time.monotonic()
os.pwrite(file, b"word", 0)
os.fsync(file)
print(time.monotonic() - begun)
"""
PARENT = "import subprocess, sys\nsubprocess.Popen(['sleep', '600'])\nprint(flush=True)\nsys.stdin.read()"
HOUR = 3600


class TamperTests(SimpleTestCase):
    def test_the_time_of_day_leaps_and_returns_and_the_monotonic_clock_goes_on(self) -> None:
        home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        library = tamper.built(home)
        if library is None:
            self.skipTest("There is no C compiler.")
        told = home / "told"
        process = self.enterContext(
            subprocess.Popen(
                [sys.executable, "-u", "-c", TELLS],
                env=tamper.variables(library, told),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        self.addCleanup(process.kill)

        def asked() -> tuple[float, float]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("?\n")
            process.stdin.flush()
            day, ticks = process.stdout.readline().split()
            return float(day), float(ticks)

        right, ticks = asked()
        tamper.put_clock(told, HOUR)
        wrong, more = asked()
        tamper.put_clock(told, 0)
        again, _ = asked()
        self.assertAlmostEqual(wrong - right, HOUR, delta=60)
        self.assertAlmostEqual(again - right, 0, delta=60)
        self.assertLess(more - ticks, 60)

    def test_what_is_written_lasts_as_long_as_is_told(self) -> None:
        home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        library = tamper.built(home)
        if library is None:
            self.skipTest("There is no C compiler.")
        told = home / "told"
        env = tamper.variables(library, told)
        tamper.put_slow(told, 100)
        command = [sys.executable, "-c", WRITES, str(home / "file")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        self.assertGreaterEqual(float(done.stdout), 0.2)
        self.assertEqual((home / "file").read_bytes(), b"word")


class ProcessTests(SimpleTestCase):
    def test_a_tree_is_frozen_and_killed_whole(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            family = tree(process.pid)
            self.assertEqual(family, [process.pid, *children_of(process.pid)])
            self.assertEqual(len(family), 2)
            self.assertEqual(send(family, signal.SIGSTOP), 2)
            self.assertTrue(all(runs(pid) for pid in family))
            send(family, signal.SIGKILL)
            process.wait()
            self.assertFalse(runs(process.pid))


class StorageTests(SimpleTestCase):
    def test_a_pool_goes_and_comes_back_with_what_was_in_it(self) -> None:
        home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        with storage(home / "storage") as found:
            for pool in found.pools:
                (pool / "volumes" / "one").write_bytes(bytes(MIB))
                found.take(pool)
                self.assertFalse(pool.exists())
                found.give_back(pool)
                self.assertTrue((pool / "volumes" / "one").exists())
                found.give_back(pool)  # once more does nothing

    def test_the_small_file_system_is_full_and_is_not(self) -> None:
        home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        with storage(home / "storage") as found:
            if not found.can_be_full:
                self.skipTest("Only root can mount.")
            volume = found.pools[1] / "volumes" / "one"
            found.fill()
            with self.assertRaises(OSError):
                volume.write_bytes(bytes(MIB))
            found.drain()
            volume.write_bytes(bytes(MIB))

    def test_a_user_writes_to_what_is_there_and_makes_nothing(self) -> None:
        home = Path(self.enterContext(tempfile.TemporaryDirectory()))
        with storage(home / "storage") as found:
            volume = found.pools[0] / "volumes" / "one"
            with volume.open("wb") as file:
                file.truncate(10 * MIB)
            self.assertTrue(found.scribble("one", random.Random(1), MIB))
            self.assertEqual(volume.stat().st_size, 10 * MIB)
            self.assertGreater(volume.stat().st_blocks, 0)
            self.assertFalse(found.scribble("two", random.Random(1), MIB))
            self.assertEqual([*found.root.rglob("two")], [])
