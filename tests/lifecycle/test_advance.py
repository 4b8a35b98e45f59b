from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import psycopg2
from django.conf import settings
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test import TestCase, TransactionTestCase
from django.utils import timezone

from bays.models import Bay
from bays.states import BAY, Status
from lifecycle import advance as advance_module
from lifecycle import leases, local
from lifecycle.advance import LAST_TRIES, LONGEST_WAIT, advance, backoff
from lifecycle.errors import LeaseLost
from lifecycle.leases import Held
from lifecycle.machine import Busy, Machine, WhenLost
from lifecycle.models import Event, Operation
from lifecycle.outcome import Again, Done, Failed, Retry, StepOutcome, Watch
from lifecycle.requests import Asked, request
from tests import make


class AdvanceTests(TestCase):
    def setUp(self) -> None:
        self.bay = make.bay()
        self.calls = 0

    def take_step(self, outcome: StepOutcome | Exception) -> Bay | None:
        def step(_held: Held[Bay]) -> StepOutcome:
            self.calls += 1
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return advance(Bay, self.bay.pk, dict.fromkeys(BAY.busy, step))

    def test_done_moves_the_row_and_nothing_is_left_to_do(self) -> None:
        self.assertFalse(self.take_step(Done("created")))
        self.assertEqual(Bay.objects.get().status, Status.CREATE_COMPLETE)
        self.assertFalse(self.take_step(Done("created")))
        self.assertEqual(self.calls, 1)

    def test_failed_makes_the_failed_move_of_the_state_with_its_reason(self) -> None:
        self.take_step(Failed("no room"))
        row = Bay.objects.get()
        self.assertEqual((row.status, row.status_reason), (Status.CREATE_FAILED, "no room"))
        self.assertEqual(Operation.objects.get().reason, "no room")

    def test_again_at_once_rings_and_again_later_does_not(self) -> None:
        self.assertTrue(self.take_step(Again()))
        self.assertFalse(self.take_step(Again(timedelta(minutes=1))))
        self.assertFalse(self.take_step(Again()))
        self.assertEqual(self.calls, 2)

    def test_watch_leaves_the_row_to_the_synchronizer(self) -> None:
        self.assertFalse(self.take_step(Watch(timedelta(0))))
        self.assertTrue(Bay.objects.get().watched)
        self.assertFalse(self.take_step(Done("created")))
        self.assertEqual(self.calls, 1)

    def test_retries_come_slower_and_do_not_use_up_the_attempts(self) -> None:
        with self.settings(MAX_ATTEMPTS=2):
            for number in range(5):
                Bay.objects.update(not_before=Now())
                self.take_step(Retry("Heat: out of reach"))
                self.assertEqual(Bay.objects.get().retries, number + 1)
        self.assertEqual(Bay.objects.get().status, Status.CREATE_IN_PROGRESS)
        self.assertEqual([backoff(n).seconds for n in range(4)], [1, 2, 4, 8])
        self.assertEqual(backoff(10**6), LONGEST_WAIT)

    def test_a_step_that_breaks_is_tried_again_but_not_for_ever(self) -> None:
        with self.settings(MAX_ATTEMPTS=3), self.assertLogs("lifecycle.advance", "ERROR"):
            for _ in range(5):
                Bay.objects.update(not_before=Now())
                self.take_step(ZeroDivisionError())
        self.assertEqual(self.calls, 3)
        row = Bay.objects.get()
        self.assertEqual(row.status, Status.CREATE_FAILED)
        self.assertIn("Gave up after 3 attempts", row.status_reason)

    def test_a_step_that_kills_its_worker_is_not_tried_for_ever(self) -> None:
        """A killed worker writes nothing: the attempt was counted at the claim."""
        with self.settings(MAX_ATTEMPTS=3):
            for _ in range(3):
                self.assertIsNotNone(leases.claim(Bay, self.bay.pk))
                Bay.objects.update(lease_until=Now() - timedelta(seconds=1))
            self.take_step(Done("created"))
        self.assertEqual((self.calls, Bay.objects.get().status), (0, Status.CREATE_FAILED))

    def test_past_its_deadline_a_row_fails_without_a_step(self) -> None:
        Bay.objects.update(deadline_at=Now() - timedelta(seconds=1), status_reason="Heat: out of reach")
        self.take_step(Done("created"))
        row = Bay.objects.get()
        self.assertEqual((self.calls, row.status), (0, Status.CREATE_FAILED))
        self.assertIn("Deadline passed", row.status_reason)
        self.assertIn("Heat: out of reach", row.status_reason)

    def too_late(self, seen: StepOutcome | Exception) -> Bay:
        """Find the row past its deadline, with what a last look sees, and return it."""

        def look(_held: Held[Bay]) -> StepOutcome:
            if isinstance(seen, Exception):
                raise seen
            return seen

        Bay.objects.filter(pk=self.bay.pk).update(deadline_at=Now() - timedelta(seconds=1))
        advance(Bay, self.bay.pk, {}, last_looks={Status.CREATE_IN_PROGRESS: look})
        return Bay.objects.get(pk=self.bay.pk)

    def test_past_its_deadline_it_ends_as_a_last_look_sees_that_it_ended(self) -> None:
        self.assertEqual(self.too_late(Done("created")).status, Status.CREATE_COMPLETE)

    def test_a_last_look_may_say_better_why_it_failed(self) -> None:
        self.assertEqual(self.too_late(Failed("no room")).status_reason, "no room")

    def test_a_last_look_at_work_that_goes_on_gives_no_more_time(self) -> None:
        goes_on: list[StepOutcome] = [Again(), Watch(timedelta(0))]
        for number, seen in enumerate(goes_on):
            with self.subTest(type(seen).__name__):
                self.bay = make.bay(name=f"bay-{number}", model=self.bay.baymodel)
                row = self.too_late(seen)
                self.assertEqual(row.status, Status.CREATE_FAILED)
                self.assertIn("Deadline passed", row.status_reason)

    def test_what_does_not_answer_is_looked_at_a_few_times(self) -> None:
        """It may be coming back as we are; who has tried in vain for long does not try on."""
        for number in range(LAST_TRIES):
            row = self.too_late(Retry("Heat: away"))
            self.assertEqual((row.status, row.retries), (Status.CREATE_IN_PROGRESS, number + 1))
            Bay.objects.update(not_before=Now())
        row = self.too_late(Retry("Heat: away"))
        self.assertEqual(row.status, Status.CREATE_FAILED)
        self.assertRegex(row.status_reason, "^Deadline passed.* Last: Heat: away$")

    def test_a_last_look_that_was_cut_off_is_taken_again(self) -> None:
        with self.assertLogs("lifecycle.advance", "ERROR"):
            row = self.too_late(ZeroDivisionError())
        self.assertEqual((row.status, row.attempts), (Status.CREATE_IN_PROGRESS, 1))

    def test_one_that_is_cut_off_each_time_is_too_late(self) -> None:
        Bay.objects.update(attempts=LAST_TRIES)
        with self.assertLogs("lifecycle.advance", "ERROR"):
            row = self.too_late(ZeroDivisionError())
        self.assertEqual(row.status, Status.CREATE_FAILED)
        self.assertIn("Deadline passed", row.status_reason)

    def test_a_last_look_that_gives_another_deadline_is_followed(self) -> None:
        row = self.too_late(Retry("on the way back", {"deadline_at": Now() + timedelta(hours=1)}))
        self.assertEqual((row.status, row.status_reason), (Status.CREATE_IN_PROGRESS, "on the way back"))

    def test_one_that_breaks_each_worker_is_not_tried_for_ever(self) -> None:
        Bay.objects.update(attempts=settings.MAX_ATTEMPTS)
        self.assertIn("Gave up", self.too_late(Done("created")).status_reason)

    def test_lost_work_that_cannot_be_taken_up_half_way_fails(self) -> None:
        leases.claim(Bay, self.bay.pk)
        Bay.objects.update(lease_until=Now() - timedelta(seconds=1))
        busy = {
            **BAY.busy,
            Status.CREATE_IN_PROGRESS: Busy(WhenLost.FAIL, timedelta(hours=1), "create_failed"),
        }
        fragile = Machine(
            "bay",
            statuses=BAY.statuses,
            births=BAY.births,
            busy=busy,
            requests=list(BAY.requests.values()),
            outcomes=list(BAY.outcomes.values()),
        )
        with patch.object(Bay, "machine", fragile):
            self.take_step(Done("created"))
        self.assertEqual((self.calls, Bay.objects.get().status), (0, Status.CREATE_FAILED))

    def test_lost_work_that_can_be_resumed_goes_on(self) -> None:
        leases.claim(Bay, self.bay.pk)
        leases.give_up(Bay, local.node_id, why="worker died")
        self.take_step(Done("created"))
        self.assertEqual((self.calls, Bay.objects.get().status), (1, Status.CREATE_COMPLETE))

    def test_an_overtaken_step_rings_for_the_request_that_overtook_it(self) -> None:
        def step(held: Held[Bay]) -> StepOutcome:
            request(held.row, "delete", Asked("u" * 32, make.PROJECT), name="bay1")
            return Done("created")

        self.assertTrue(advance(Bay, self.bay.pk, {Status.CREATE_IN_PROGRESS: step}))
        self.assertEqual(Bay.objects.get().status, Status.DELETE_IN_PROGRESS)

    def test_an_overtaken_step_gives_the_request_that_overtook_it_no_deadline(self) -> None:
        def step(held: Held[Bay]) -> StepOutcome:
            request(held.row, "delete", Asked("u" * 32, make.PROJECT), name="bay1")
            return Retry("the way back", fields)

        asked = timezone.now()
        for fields in (
            {"deadline_at": asked - timedelta(hours=2)},
            {"deadline_at": Now() - timedelta(hours=2)},
        ):
            with self.subTest(fields):
                Bay.objects.all().delete()
                self.bay = make.bay(model=self.bay.baymodel)
                advance(Bay, self.bay.pk, {Status.CREATE_IN_PROGRESS: step})
                row = Bay.objects.get()
                self.assertEqual(row.status, Status.DELETE_IN_PROGRESS)
                self.assertTrue(row.deadline_at and row.deadline_at > asked)

    def test_a_late_step_changes_nothing(self) -> None:
        def step(_held: Held[Bay]) -> StepOutcome:
            Bay.objects.update(lease_until=Now() - timedelta(seconds=1))
            self.assertIsNotNone(leases.claim(Bay, self.bay.pk))
            return Done("created")

        self.assertFalse(advance(Bay, self.bay.pk, {Status.CREATE_IN_PROGRESS: step}))
        row = Bay.objects.get()
        self.assertEqual((row.status, row.epoch), (Status.CREATE_IN_PROGRESS, 2))
        self.assertFalse(Event.objects.filter(event="created").exists())


class LostDatabaseTests(TransactionTestCase):
    """The database goes away while a step is under way."""

    def test_what_the_step_found_is_written_when_the_database_is_back(self) -> None:
        bay = make.bay()

        def step(_held: Held[Bay]) -> StepOutcome:
            self.cut()
            return Done("created")

        advance(Bay, bay.pk, {Status.CREATE_IN_PROGRESS: step})
        row = Bay.objects.get()
        self.assertEqual((row.status, row.holder), (Status.CREATE_COMPLETE, None))
        self.assertEqual(Event.objects.filter(event="created").count(), 1)

    def test_a_bell_is_answered_once_the_database_is_back(self) -> None:
        bay = make.bay()
        self.cut()
        advance(Bay, bay.pk, {Status.CREATE_IN_PROGRESS: lambda _: Done("created")})
        self.assertEqual(Bay.objects.get().status, Status.CREATE_COMPLETE)

    def test_a_claim_whose_answer_was_lost_keeps_its_row_from_nobody(self) -> None:
        bay = make.bay()
        claim = leases.claim

        def cut_off(model: type[Bay], pk: uuid.UUID) -> Held[Bay] | None:
            held = claim(model, pk)
            if held is not None and held.epoch == 1:
                raise OperationalError("server closed the connection unexpectedly")
            return held

        with patch.object(leases, "claim", cut_off):
            advance(Bay, bay.pk, {Status.CREATE_IN_PROGRESS: lambda _: Done("created")})
        self.assertEqual((Bay.objects.get().status, Bay.objects.get().epoch), (Status.CREATE_COMPLETE, 2))
        self.assertEqual(Event.objects.filter(event="give_up").count(), 1)

    def cut(self) -> None:
        """Have the server end this session."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        with psycopg2.connect(**connect_elsewhere()) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    def test_a_session_that_is_frozen_in_a_transaction_keeps_nobody_from_a_row_for_long(self) -> None:
        bay = make.bay()
        frozen = psycopg2.connect(**connect_elsewhere(), options="-c idle_in_transaction_session_timeout=300")
        self.addCleanup(frozen.close)
        frozen.cursor().execute("UPDATE bays_bay SET status_reason = 'half way'")
        self.assertIsNotNone(leases.claim(Bay, bay.pk))  # waits until the server has ended the frozen session


def connect_elsewhere() -> dict[str, Any]:
    """Return how to reach the test database by a session that is not Django's."""
    params = connection.get_connection_params()
    return {
        key: value for key, value in params.items() if key in {"dbname", "user", "password", "host", "port"}
    }


class MayClaimTests(TestCase):
    def setUp(self) -> None:
        self.bay = make.bay()
        self.addCleanup(local.mark_renewed, local.last_renewed())

    def assert_no_claim(self) -> None:
        advance(Bay, self.bay.pk, {})
        self.assertEqual(Bay.objects.get().epoch, 0)

    def test_a_node_that_could_not_renew_for_two_thirds_of_the_lease_claims_nothing(self) -> None:
        with self.settings(LEASE=5):
            local.mark_renewed(time.monotonic() - 3.4)
            self.assert_no_claim()

    def test_a_step_that_takes_longer_than_a_lease_is_renewed_for_may_not_act_any_more(self) -> None:
        local.mark_claimed()
        local.require_lease()
        with self.settings(STEP_LIMIT=-1), self.assertRaises(LeaseLost):
            local.require_lease()

    def test_a_draining_node_claims_nothing(self) -> None:
        with patch.object(local, "draining", return_value=True):
            self.assert_no_claim()


class GoOnTests(TestCase):
    """One bell may stand for several rows: whoever answers it goes on with those that are due."""

    def setUp(self) -> None:
        self.enterContext(patch.object(advance_module, "SHORT", 60.0))
        self.enterContext(patch.object(advance_module, "MOMENT", 3600.0))
        model = make.baymodel()
        self.bays = [make.bay(name=f"bay{number}", model=model) for number in range(4)]
        self.rung: list[str] = []

    def go_on(self, outcome: StepOutcome, *, since: float | None = None) -> None:
        def step(held: Held[Bay]) -> StepOutcome:
            return outcome

        began = time.monotonic() if since is None else since
        steps = dict.fromkeys(BAY.busy, step)
        advance_module.go_on(Bay, steps, ring=lambda row: self.rung.append(row.name), since=began)

    def done(self) -> int:
        return Bay.objects.filter(status=Status.CREATE_COMPLETE).count()

    def test_it_takes_all_that_is_due_and_rings_for_none(self) -> None:
        self.go_on(Done("created"))
        self.assertEqual((self.done(), self.rung), (4, []))

    def test_after_a_moment_it_leaves_the_rest_to_another_bell(self) -> None:
        with patch.object(advance_module, "MOMENT", 0.0):
            self.go_on(Done("created"))
        self.assertEqual((self.done(), self.rung), (1, ["bay0"]))

    def test_after_a_long_step_it_calls_for_help_before_the_next(self) -> None:
        self.go_on(Done("created"), since=time.monotonic() - advance_module.SHORT * 2)
        self.assertEqual((self.done(), self.rung), (4, ["bay0"]))

    def test_it_takes_nothing_once_the_node_drains(self) -> None:
        with patch.object(local, "may_claim", lambda: False):
            self.go_on(Done("created"))
        self.assertEqual(self.done(), 0)

    def test_what_rests_for_later_is_not_taken_twice(self) -> None:
        self.go_on(Again(timedelta(minutes=1)))
        self.assertEqual((self.rung, Bay.objects.filter(epoch=1).count()), ([], 4))
