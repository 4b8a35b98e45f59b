from __future__ import annotations

import uuid
from datetime import timedelta
from unittest.mock import patch

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now
from django.test import TestCase

from bays.models import Bay, Quota
from bays.states import Status
from lifecycle import leases, local
from lifecycle.errors import Overtaken, Stale
from lifecycle.leases import Held
from lifecycle.models import Event, Node, Operation
from lifecycle.requests import Asked, request
from tests import make

NOW = timedelta(0)
ASKED = Asked("u" * 32, make.PROJECT)


def take(bay: Bay) -> Held[Bay]:
    held = leases.claim(Bay, bay.pk)
    assert held is not None
    return held


def expire(bay: Bay) -> None:
    Bay.objects.filter(pk=bay.pk).update(lease_until=Now() - timedelta(seconds=1))


class ClaimTests(TestCase):
    def setUp(self) -> None:
        self.bay = make.bay()

    def test_it_takes_a_due_row_and_counts_the_attempt_before_any_work(self) -> None:
        held = take(self.bay)
        row = Bay.objects.get()
        self.assertEqual((held.epoch, row.epoch, row.attempts), (1, 1, 1))
        self.assertEqual(row.holder_id, local.node_id)
        self.assertFalse(held.taken_over)

    def test_it_leaves_alone_what_is_held_not_due_watched_or_at_rest(self) -> None:
        hour = timedelta(hours=1)
        take(self.bay)
        self.assertIsNone(leases.claim(Bay, self.bay.pk), "held")
        later = make.bay(name="later", model=self.bay.baymodel)
        Bay.objects.filter(pk=later.pk).update(not_before=Now() + hour)
        self.assertIsNone(leases.claim(Bay, later.pk), "not due")
        Bay.objects.filter(pk=later.pk).update(not_before=Now(), watched=True)
        self.assertIsNone(leases.claim(Bay, later.pk), "watched")
        rested = make.bay(Status.CREATE_COMPLETE, name="rested", model=self.bay.baymodel)
        self.assertIsNone(leases.claim(Bay, rested.pk), "at rest")
        self.assertIsNone(leases.claim(Bay, uuid.uuid4()), "no such row")

    def test_a_doubled_bell_costs_one_query(self) -> None:
        take(self.bay)
        with self.assertNumQueries(1):
            leases.claim(Bay, self.bay.pk)

    def test_taking_over_is_the_same_claim_and_is_recorded(self) -> None:
        first = take(self.bay)
        expire(self.bay)
        second = take(self.bay)
        self.assertEqual(second.epoch, first.epoch + 1)
        self.assertTrue(second.taken_over)
        event = Event.objects.get(event="take_over")
        self.assertEqual((event.epoch, event.resource_id), (2, self.bay.pk))

    def test_the_next_row_is_the_one_that_has_been_due_for_longest(self) -> None:
        for name in ("second", "third"):
            make.bay(name=name, model=self.bay.baymodel)
        taken = [held.row.name for _ in range(3) if (held := leases.claim_next(Bay)) is not None]
        self.assertEqual(taken, ["bay1", "second", "third"])
        self.assertIsNone(leases.claim_next(Bay))

    def test_the_next_row_is_one_that_this_node_may_claim(self) -> None:
        later = Now() + timedelta(hours=1)
        for column in ({"watched": True}, {"not_before": later}):
            with self.subTest(column), transaction.atomic():
                Bay.objects.update(**column)
                self.assertIsNone(leases.claim_next(Bay))
                transaction.set_rollback(True)
        with patch.object(Bay, "within_reach", lambda: {"name__in": ["elsewhere"]}):
            self.assertIsNone(leases.claim_next(Bay))

    def test_the_database_refuses_to_forget_a_node_that_holds_a_row(self) -> None:
        take(self.bay)
        with self.assertRaises(ProtectedError):
            Node.objects.get(pk=local.node_id).delete()

    def test_the_database_refuses_half_a_lease_and_unknown_statuses(self) -> None:
        for broken in (
            {"holder_id": local.node_id},
            {"lease_until": Now()},
            {"status": "SLEEPING"},
            {"status": Status.CREATE_COMPLETE},  # at rest, with a deadline and an open operation
            {"deadline_at": None},
        ):
            with self.subTest(broken), self.assertRaises(IntegrityError), transaction.atomic():
                Bay.objects.filter(pk=self.bay.pk).update(**broken)


class FenceTests(TestCase):
    """The late holder: whatever it writes after its row was taken over is refused."""

    def setUp(self) -> None:
        self.bay = make.bay()
        self.late = take(self.bay)
        expire(self.bay)
        self.current = take(self.bay)

    def assert_refused_and_counted(self) -> None:
        row = Bay.objects.get()
        self.assertEqual((row.status, row.epoch, row.stack_id), (Status.CREATE_IN_PROGRESS, 2, None))
        self.assertEqual(Node.objects.get(pk=local.node_id).stale_refused, 1)

    def test_a_late_outcome_is_refused(self) -> None:
        with self.assertRaises(Stale):
            leases.move(self.late, "created", fields={"stack_id": uuid.uuid4()})
        self.assert_refused_and_counted()
        self.assertFalse(Event.objects.filter(event="created").exists())
        self.assertEqual(Operation.objects.get().state, "IN_PROGRESS")

    def test_a_late_rest_is_refused(self) -> None:
        with self.assertRaises(Stale):
            leases.rest(self.late, after=NOW, fields={"stack_id": uuid.uuid4()})
        self.assert_refused_and_counted()

    def test_a_late_intent_is_refused_before_anything_is_done_outside(self) -> None:
        with self.assertRaises(Stale):
            leases.note(self.late, stack_id=uuid.uuid4())
        self.assert_refused_and_counted()

    def test_the_current_holder_moves_the_row(self) -> None:
        leases.move(self.current, "created")
        self.assertEqual(Bay.objects.get().status, Status.CREATE_COMPLETE)


class MoveTests(TestCase):
    def setUp(self) -> None:
        self.bay = make.bay()

    def test_it_releases_the_row_closes_the_operation_and_records_the_move(self) -> None:
        held = take(self.bay)
        leases.move(held, "created", fields={"api_address": "https://10.0.0.1:6443"}, reason="fine")
        row, operation = Bay.objects.get(), Operation.objects.get()
        self.assertEqual((row.status, row.status_reason), (Status.CREATE_COMPLETE, "fine"))
        self.assertEqual(row.api_address, "https://10.0.0.1:6443")
        self.assertEqual(
            (row.holder, row.lease_until, row.operation, row.deadline_at), (None, None, None, None)
        )
        self.assertEqual((operation.state, operation.attempts, operation.reason), ("COMPLETE", 1, "fine"))
        event = Event.objects.get()
        self.assertEqual(
            (event.event, event.from_status, event.to_status, event.operation_id),
            ("created", "CREATE_IN_PROGRESS", "CREATE_COMPLETE", operation.pk),
        )

    def test_a_step_costs_two_statements_around_its_outside_call(self) -> None:
        with self.assertNumQueries(2):
            held = leases.claim(Bay, self.bay.pk)
            assert held is not None
            leases.move(held, "created")

    def test_the_end_of_a_delete_takes_the_row_its_quota_and_nothing_else(self) -> None:
        request(self.bay, "delete", ASKED, name="bay1")
        held = take(self.bay)
        leases.move(held, "deleted", also=lambda bay, _: Quota.release(bay.project_id))
        self.assertFalse(Bay.objects.exists())
        self.assertEqual(Quota.objects.get().used, 0)
        self.assertEqual(Operation.objects.filter(action="delete").get().state, "COMPLETE")
        self.assertEqual(Event.objects.get(event="deleted").to_status, "(gone)")

    def test_a_late_delete_takes_nothing(self) -> None:
        request(self.bay, "delete", ASKED, name="bay1")
        late = take(self.bay)
        expire(self.bay)
        take(self.bay)
        with self.assertRaises(Stale):
            leases.move(late, "deleted", also=lambda bay, _: Quota.release(bay.project_id))
        self.assertEqual((Bay.objects.count(), Quota.objects.get().used), (1, 1))

    def test_an_outcome_of_another_state_is_a_programming_error(self) -> None:
        with self.assertRaises(ValueError):
            leases.move(take(self.bay), "updated")


class OvertakenTests(TestCase):
    """A delete wins the row while a worker is creating: the worker's outcome is no longer asked for."""

    def setUp(self) -> None:
        self.bay = make.bay()
        self.held = take(self.bay)
        request(self.bay, "delete", ASKED, name="bay1")

    def test_nobody_else_may_start_the_delete_while_the_create_step_runs(self) -> None:
        self.assertIsNone(leases.claim(Bay, self.bay.pk))

    def test_the_create_is_closed_as_superseded(self) -> None:
        self.assertEqual(Operation.objects.get(action="create").state, "SUPERSEDED")

    def test_the_outcome_of_the_create_is_refused_and_the_row_handed_on(self) -> None:
        with self.assertRaises(Overtaken):
            leases.move(self.held, "created")
        self.assertEqual(Bay.objects.get().status, Status.DELETE_IN_PROGRESS)
        self.assertEqual(take(self.bay).epoch, 2)

    def test_what_the_create_was_about_to_do_outside_is_not_done_any_more(self) -> None:
        with self.assertRaises(Overtaken):
            leases.note(self.held, sent_for=self.held.operation_id)
        self.assertIsNone(Bay.objects.get().sent_for)
        self.assertEqual(take(self.bay).epoch, 2)

    def test_what_the_create_learned_is_kept_for_the_delete_which_is_due_at_once(self) -> None:
        stack_id = uuid.uuid4()
        row = leases.rest(self.held, after=timedelta(hours=1), watch=True, fields={"stack_id": stack_id})
        self.assertEqual(
            (row.status, row.stack_id, row.watched), (Status.DELETE_IN_PROGRESS, stack_id, False)
        )
        self.assertEqual(take(self.bay).row.stack_id, stack_id)


class RestTests(TestCase):
    def setUp(self) -> None:
        self.bay = make.bay()

    def test_a_clean_end_resets_the_attempts_and_a_broken_one_does_not(self) -> None:
        leases.rest(take(self.bay), after=NOW, clean=False)
        self.assertEqual(Bay.objects.get().attempts, 1)
        leases.rest(take(self.bay), after=NOW)
        self.assertEqual(Bay.objects.get().attempts, 0)

    def test_a_retry_says_why_and_counts(self) -> None:
        row = leases.rest(take(self.bay), after=NOW, retry="Heat: out of reach")
        self.assertEqual((row.retries, row.status_reason), (1, "Heat: out of reach"))
        self.assertEqual(Event.objects.get(event="retry").reason, "Heat: out of reach")
        row = leases.rest(take(self.bay), after=NOW)
        self.assertEqual((row.retries, row.status_reason), (0, ""), "it answers again")

    def test_a_row_that_rests_is_not_due_before_its_time(self) -> None:
        leases.rest(take(self.bay), after=timedelta(hours=1))
        self.assertIsNone(leases.claim(Bay, self.bay.pk))


class RenewAndGiveUpTests(TestCase):
    def setUp(self) -> None:
        self.bay = make.bay()
        self.held = take(self.bay)

    def test_it_renews_what_this_node_holds_and_nothing_else(self) -> None:
        other = make.node(uuid.uuid4())
        theirs = make.bay(name="theirs", model=self.bay.baymodel)
        with patch.object(local, "node_id", other.pk):
            take(theirs)
        Bay.objects.update(lease_until=Now() + timedelta(seconds=60))
        with self.settings(LEASE=3600):
            self.assertEqual([row.pk for row in leases.renew([Bay])], [self.bay.pk])
        mine, other_s = Bay.objects.get(pk=self.bay.pk), Bay.objects.get(pk=theirs.pk)
        assert mine.lease_until is not None
        assert other_s.lease_until is not None
        self.assertGreater(mine.lease_until - other_s.lease_until, timedelta(seconds=3000))

    def test_it_does_not_bring_back_a_lease_that_has_run_out(self) -> None:
        expire(self.bay)
        self.assertEqual(leases.renew([Bay]), [])
        self.assertIsNotNone(leases.claim(Bay, self.bay.pk))

    def test_it_renews_nothing_that_was_claimed_longer_ago_than_a_step_may_take(self) -> None:
        with self.settings(STEP_LIMIT=30):
            Bay.objects.update(claimed_at=Now() - timedelta(seconds=31))
            self.assertEqual(leases.renew([Bay]), [])

    def test_a_dead_child_s_rows_are_free_at_once_and_its_sibling_s_are_not(self) -> None:
        sibling = make.bay(name="sibling", model=self.bay.baymodel)
        take(sibling)
        Bay.objects.filter(pk=sibling.pk).update(holder_pid=self.bay.epoch + 424242)
        rows = leases.give_up(Bay, local.node_id, pid=self.held.row.holder_pid, why="worker process died")
        self.assertEqual([row.pk for row in rows], [self.bay.pk])
        self.assertTrue(take(self.bay).taken_over)
        self.assertIsNone(leases.claim(Bay, sibling.pk))

    def test_what_was_given_up_is_fenced_against_its_late_holder(self) -> None:
        leases.give_up(Bay, local.node_id, why="worker died")
        with self.assertRaises(Stale):
            leases.move(self.held, "created")


class SliceTests(TestCase):
    def test_a_slice_moves_the_next_time_on_and_is_not_taken_twice(self) -> None:
        model = make.baymodel()
        bays = [make.bay(name=f"bay{number}", model=model) for number in range(5)]
        wanted = leases.due()
        values = {"not_before": Now() + timedelta(minutes=1)}
        first = leases.take_slice(Bay, wanted, limit=3, values=values)
        second = leases.take_slice(Bay, wanted, limit=3, values=values)
        self.assertEqual((len(first), len(second)), (3, 2))
        self.assertEqual({row.pk for row in first + second}, {bay.pk for bay in bays})

    def test_only_watched_rows_are_woken(self) -> None:
        watched, waiting = make.bay(), make.bay(name="bay2", model=make.baymodel())
        leases.rest(take(watched), after=timedelta(hours=1), watch=True)
        woken = leases.wake(Bay, [watched.pk, waiting.pk])
        self.assertEqual([row.pk for row in woken], [watched.pk])
        self.assertIsNotNone(leases.claim(Bay, watched.pk))
