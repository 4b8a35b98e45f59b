"""PostgreSQL stopped at once, again and again, then lost for good and replaced by its standby, under a load of creates.

With synchronous replication every request that was answered with 202 is there afterwards and reaches its end.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import redirect_stdout
from io import StringIO
from typing import ClassVar

from django.test import SimpleTestCase

from deploy import account
from deploy.stack import Stack, stack
from deploy.standby import NAMES, Pair, pair
from deploy.state import State
from project.env import BASE_DIR
from tests.faults.storage_ground import yard
from tests.faults.traffic import Answer, Traffic, create_volume, log_in
from tests.faults.whole import PATIENCE, PAUSE, say

STOPS = int(os.environ.get("ROADSTEAD_FAULT_ROUNDS", "3"))
DATABASE = "roadstead"
NOWHERE = {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": "http://127.0.0.1:9/v1/nowhere"}
UNLIMITED = {"VOLUME_QUOTA": "-1", "GIGABYTE_QUOTA": "-1"}
AVAILABLE = "SELECT count(*) FROM volumes_volume WHERE status = 'available' AND id = ANY(%s::uuid[])"
SOME = 10  # accepted requests between two blows


class FailoverTests(SimpleTestCase):
    pair: ClassVar[Pair]
    stack: ClassVar[Stack]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        home = BASE_DIR / ".state" / "failover"
        cls.addClassCleanup(_remove, State(home))
        storage = cls.enterClassContext(yard())
        with redirect_stdout(StringIO()):
            cls.pair = cls.enterClassContext(pair(State(home)))
            cls.pair.ask(cls.pair.primary, f"CREATE DATABASE {DATABASE}")
            told = {
                "DATABASE_URL": cls.pair.url(DATABASE),
                "ROADSTEAD_BACKENDS": str(storage.file),
                "ROADSTEAD_SERVES": "fast",
                "API_PROCESSES": "1",
                **UNLIMITED,
                **NOWHERE,
            }
            cls.stack = cls.enterClassContext(stack(2, state_dir=home, env=told, own={"valkey"}))

    def test_no_accepted_request_is_lost_with_a_server_that_is_stopped_at_once_or_replaced_by_its_standby(
        self,
    ):
        headers = log_in(self.stack.urls[0], "demo", self.stack.passwords["demo"])
        with Traffic(self.stack.urls, headers, {"create": create_volume}, clients=4) as traffic:
            self.await_accepted(traffic, time.monotonic())
            for number in range(STOPS):
                self.stop_at_once_and_start(traffic, number + 1)
            self.fail_over(traffic)
            self.pair.take_back()
            self.pair.synchronous(on=True)
            self.await_accepted(traffic, time.monotonic())
            self.fail_over(traffic)  # and back again
        accepted = traffic.accepted()
        self.assertEqual(self.missing(accepted), [])
        say(f"{len(accepted)} creates accepted, none lost; all answers: {traffic.counts()}")
        self.assertEqual({answer.status for answer in traffic.answers} - {202, 503, None}, set())
        unfinished = "SELECT count(*) FROM volumes_volume WHERE status <> 'available'"
        self.await_(lambda: not self.ask(unfinished), "all volumes are available")
        self.stack.manage("check_invariants", "--no-heat")

    def stop_at_once_and_start(self, traffic: Traffic, number: int) -> None:
        primary = self.pair.primary
        began = time.monotonic()
        self.pair.kill(primary)
        self.pair.start(primary)
        self.go_on(traffic, f"immediate stop {number} of PostgreSQL", began)

    def fail_over(self, traffic: Traffic) -> None:
        began = time.monotonic()
        self.pair.kill(self.pair.primary, signal.SIGKILL)
        self.pair.promote()
        self.go_on(traffic, "failover to the standby", began)

    def go_on(self, traffic: Traffic, what: str, began: float) -> None:
        """Wait until requests are accepted and worked on again, and print how long each took."""
        answers_at = time.monotonic()
        first = self.await_accepted(traffic, answers_at)
        self.await_(lambda: self.made(traffic.accepted(answers_at)), "work goes on")
        worked = time.monotonic() - answers_at
        before = [answer.ended for answer in traffic.accepted() if answer.ended < began]
        say(
            f"{what}: away for {answers_at - began:.2f} s; nothing accepted for {first.ended - max(before):.2f} s; "
            f"first 202 {first.ended - answers_at:.2f} s, first volume made {worked:.2f} s after it answered"
        )

    def await_accepted(self, traffic: Traffic, since: float) -> Answer:
        """Wait for some accepted requests that were sent since then; return the first of them."""
        self.await_(lambda: len(traffic.accepted(since)) >= SOME, "requests are accepted")
        return traffic.accepted(since)[0]

    def missing(self, accepted: list[Answer]) -> list[str]:
        there = self.ask("SELECT array_agg(id::text) FROM volumes_volume") or []
        return sorted({answer.ident for answer in accepted} - set(there))

    def made(self, accepted: list[Answer]) -> int:
        idents = [answer.ident for answer in accepted]
        return int(self.ask(AVAILABLE, idents))

    def ask(self, statement: str, *values: object):
        return self.pair.ask(self.pair.primary, statement, *values, database=DATABASE)

    def await_(self, condition, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, f"Not within {PATIENCE:g} s: {what}")
            time.sleep(PAUSE)


def _remove(state: State) -> None:
    for name in NAMES:
        account.remove_home(State(state.path / f"postgres-{name}"))
    shutil.rmtree(state.path)
