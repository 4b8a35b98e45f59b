"""A primary and its standby, really failed over: what was acknowledged is kept, and there are never two primaries."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import ClassVar

import psycopg2
from django.test import SimpleTestCase

from chaos.processes import children_of
from deploy import account
from deploy.standby import NAMES, Pair, pair
from deploy.state import StartError, State
from tests.deploy.programs import eventually

INSERT = "INSERT INTO kept VALUES (%s)"


class StandbyTests(SimpleTestCase):
    pair: ClassVar[Pair]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.enterClassContext(redirect_stdout(StringIO()))
        state = State(Path(folder) / "state")
        for name in NAMES:
            cls.addClassCleanup(account.remove_home, State(state.path / f"postgres-{name}"))
        cls.pair = cls.enterClassContext(pair(state))

    def setUp(self) -> None:
        self.old, self.new = self.pair.primary, self.pair.standby
        self.pair.ask(self.old, "CREATE TABLE IF NOT EXISTS kept (number int PRIMARY KEY)")
        self.pair.ask(self.old, "TRUNCATE kept")

    def test_what_was_acknowledged_survives_a_failover_and_the_old_primary_comes_back_as_the_standby(self):
        for number in range(50):
            self.insert(self.old, number)
        with self.assertRaisesRegex(StartError, "still runs"):
            self.pair.promote()
        self.pair.kill(self.old, signal.SIGKILL)
        self.pair.promote()
        self.assertEqual(self.count(self.new), 50)
        self.insert_anywhere(50)
        self.pair.take_back()
        self.assertTrue(self.pair.ask(self.old, "SELECT pg_is_in_recovery()"))
        self.insert_anywhere(51)
        self.pair.synchronous(on=True)
        self.assertEqual(self.count(self.old), 52)

    def test_an_old_primary_that_comes_back_by_itself_acknowledges_nothing(self):
        """Its commits wait for a standby that has gone: synchronous replication fences it, as long as it is left on."""
        self.pair.kill(self.old)
        self.pair.promote()
        self.pair.start(self.old)
        answered: list[int] = []
        stranded = threading.Thread(target=self.acknowledge, args=(1, answered))
        stranded.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        self.assertTrue(eventually(lambda: self.pair.ask(self.old, waiting)))
        self.insert(self.new, 2)
        self.pair.kill(self.old)
        stranded.join()
        self.pair.take_back()
        self.pair.synchronous(on=True)
        self.assertEqual((answered, self.count(self.new), self.count(self.old)), ([], 1, 1))

    def test_without_synchronous_replication_what_was_acknowledged_is_lost(self):
        """What the others are seen to fail without."""
        self.pair.synchronous(on=False)
        frozen = [
            pid for pid in children_of(self.pair.supervisors[self.new].pids()[self.new]) if _receives(pid)
        ]
        self.assertEqual(len(frozen), 1)
        os.kill(frozen[0], signal.SIGSTOP)
        self.insert(self.old, 1)
        self.pair.kill(self.old, signal.SIGKILL)
        os.kill(frozen[0], signal.SIGKILL)  # what reached the socket is not yet the standby's
        self.assertTrue(eventually(lambda: self.answers(self.new)))
        self.pair.promote()
        self.assertEqual(self.count(self.new), 0)
        self.pair.take_back()
        self.pair.synchronous(on=True)

    def insert(self, name: str, number: int) -> None:
        self.pair.ask(name, INSERT, number)

    def insert_anywhere(self, number: int) -> None:
        """Insert through the URL that names both."""
        with psycopg2.connect(self.pair.url("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute(INSERT, [number])
        connection.close()

    def acknowledge(self, number: int, answered: list[int]) -> None:
        """Insert at the old primary, and note that it was acknowledged, if it is."""
        try:
            self.insert(self.old, number)
        except psycopg2.OperationalError:
            return
        answered.append(number)

    def count(self, name: str) -> int:
        return int(self.pair.ask(name, "SELECT count(*) FROM kept"))

    def answers(self, name: str) -> bool:
        try:
            return bool(self.pair.ask(name, "SELECT true"))
        except psycopg2.OperationalError:
            return False


def _receives(pid: int) -> bool:
    return "walreceiver" in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
