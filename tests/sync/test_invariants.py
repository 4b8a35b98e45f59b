"""check_invariants finds nothing on rows that are right, and each kind of violation once it is planted."""

from __future__ import annotations

import io
import uuid
from typing import Any

from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from bays import actions, changing
from bays.models import Bay, Quota
from lifecycle import leases
from lifecycle.models import Event, Node, Operation
from sync.invariants import violations
from sync.invariants.bays import one_stack_per_bay
from tests import make
from tests.sync.base import HOUR, HeatSyncCase, SyncCase


def found() -> list[str]:
    return list(violations(with_heat=False))


class InvariantTests(SyncCase):
    def setUp(self):
        super().setUp()
        self.bay = self.a_bay()

    def plant(self, **columns):
        Bay.objects.filter(pk=self.bay.pk).update(**columns)

    def assert_found(self, *parts, count=1):
        violated = found()
        self.assertEqual(len(violated), count, violated)
        for part in parts:
            self.assertTrue(any(part in text for text in violated), violated)

    def end(self, event="created", **over):
        """Let the bay's work end as a worker ends it."""
        held: Any = leases.claim(Bay, self.bay.pk)
        leases.move(held, event, also=lambda *_: None, **over)

    def test_a_whole_life_violates_nothing(self):
        self.assertEqual(found(), [])
        self.end()
        self.assertEqual(found(), [])
        changing.resize(make.caller(), "", Bay.objects.get(), 2, sent={})
        self.end("update_failed", reason="no room")
        self.assertEqual(found(), [])
        actions.delete(make.caller(), "", Bay.objects.get())
        held: Any = leases.claim(Bay, self.bay.pk)
        leases.move(held, "deleted", also=lambda bay, _: Quota.release(bay.project_id))
        self.assertEqual((found(), Bay.objects.count()), ([], 0))
        call_command("check_invariants", "--no-heat", stdout=(out := io.StringIO()))
        self.assertEqual(out.getvalue(), "All invariants hold.\n")

    def test_stuck_rows(self):
        lease = {"holder": make.node(), "holder_pid": 1}
        free = {"holder": None, "holder_pid": None, "lease_until": None}
        for columns, said in (
            ({"deadline_at": Now() - HOUR, "not_before": Now()}, "past its deadline"),
            ({**lease, "lease_until": Now() - HOUR}, "under a lease that ran out"),
            ({"not_before": Now() - HOUR}, "nobody takes it up"),
            ({"not_before": Now() - HOUR, "watched": True}, "was not looked at"),
        ):
            with self.subTest(said):
                self.plant(deadline_at=Now() + HOUR, not_before=Now(), watched=False, **free)
                self.assertEqual(found(), [])
                self.plant(**columns)
                self.assert_found(said, str(self.bay.pk))

    def test_requests_without_an_outcome_and_with_two(self):
        stray = Operation.objects.create(
            resource_type="bay",
            resource_id=uuid.uuid4(),
            resource_name="x",
            action="update",
            accepted_epoch=0,
        )
        self.assert_found(f"operation {stray.pk} is open, but bay {stray.resource_id} does not work on it")
        stray.delete()
        Operation.objects.update(finished_at=Now(), state="COMPLETE")
        self.assert_found("which is not open or not its own", "but no event tells how it ended", count=2)
        Operation.objects.update(finished_at=None, state="IN_PROGRESS")
        operation = self.bay.operation_id
        self.end()
        first = Event.objects.get(event="created")
        first.pk = None
        first.save(force_insert=True)
        said = (f"operation {operation} ended 2 times", "from CREATE_IN_PROGRESS", "made without a claim")
        self.assert_found(*said, count=3)

    def test_outcomes_that_are_not_what_the_operation_says(self):
        operation: Any = self.bay.operation_id
        self.end()
        for state in ("FAILED", "SUPERSEDED"):
            with self.subTest(state):
                Operation.objects.filter(pk=operation).update(state=state)
                self.assert_found(f"operation {operation} is {state}, but its event tells of another outcome")
        Operation.objects.filter(pk=operation).update(state="COMPLETE")
        self.assertEqual(found(), [])
        self.end_another("update_failed")
        operation = Operation.objects.get(action="update").pk
        Operation.objects.filter(pk=operation).update(state="COMPLETE")
        self.assert_found(f"operation {operation} is COMPLETE, but its event tells of another outcome")

    def end_another(self, event):
        changing.resize(make.caller(), "", Bay.objects.get(), 2, sent={})
        self.end(event, reason="no room")

    def test_leases_of_the_dead(self):
        running = {"holder": make.node(), "holder_pid": 1, "lease_until": Now() + HOUR}
        self.plant(**running)
        self.assertEqual(found(), [])
        for columns in ({"seen_at": Now() - HOUR}, {"stopped_at": Now() - HOUR}):
            with self.subTest(columns):
                make.node(seen_at=Now(), stopped_at=None)
                self.assertEqual(found(), [])
                Node.objects.update(**columns)
                self.assert_found(f"bay {self.bay.pk} is held until", "which is dead")

    def test_moves_and_take_overs_that_raised_no_epoch(self):
        held: Any = leases.claim(Bay, self.bay.pk)
        Bay.objects.update(lease_until=Now() - HOUR, not_before=Now() - HOUR)
        held = leases.claim(Bay, self.bay.pk)
        leases.move(held, "created")
        self.end_another("updated")
        self.assertEqual(found(), [])
        taken, moved = Event.objects.get(event="take_over"), Event.objects.get(event="updated")
        Event.objects.filter(pk=moved.pk).update(epoch=2)
        self.assert_found(f"updated (event {moved.pk}) was made without a claim: the epoch was 2")
        Event.objects.filter(pk=moved.pk).update(epoch=3)
        again = Event.objects.get(pk=taken.pk)
        again.pk = moved.pk + 1
        again.epoch, again.from_status, again.to_status = 3, "UPDATE_COMPLETE", "UPDATE_COMPLETE"
        again.save(force_insert=True)
        self.assert_found(f"take_over (event {again.pk}) was made without a claim: the epoch was 3")

    def test_illegal_paths(self):
        self.end()
        for columns, said in (
            (
                {"to_status": "UPDATE_COMPLETE"},
                "created does not lead from CREATE_IN_PROGRESS to UPDATE_COMPLETE",
            ),
            ({"event": "delete"}, "delete does not lead"),
        ):
            with self.subTest(said):
                before = Event.objects.filter(event="created").values().get()
                Event.objects.filter(pk=before["id"]).update(**columns)
                self.assertTrue(any(said in text for text in found()), found())
                Event.objects.filter(pk=before["id"]).update(**before)
        actions.delete(make.caller(), "", Bay.objects.get())
        self.assertEqual(found(), [])
        last: Any = Event.objects.order_by("pk").last()
        Event.objects.filter(pk=last.pk).update(epoch=0)
        self.assert_found("epoch fell from 1 to 0")
        Event.objects.filter(pk=last.pk).update(epoch=1, from_status="CREATE_FAILED")
        self.assert_found("was CREATE_COMPLETE, but event")

    def test_a_status_that_no_event_led_to(self):
        self.end()
        self.plant(status="CREATE_FAILED")
        self.assert_found("its status is CREATE_FAILED, but its events lead to CREATE_COMPLETE")

    def test_quotas_that_do_not_count_what_is_there(self):
        Quota.objects.update(used=7)
        self.assert_found("has 1 bays, its quota says 7")
        Quota.objects.all().delete()
        self.assert_found("has 1 bays, its quota says 0")

    def test_the_command_prints_each_violation_and_fails(self):
        Quota.objects.update(used=7)
        out = io.StringIO()
        with self.assertRaisesMessage(CommandError, "1 violations"):
            call_command("check_invariants", "--no-heat", stdout=out)
        self.assertTrue(out.getvalue().startswith("VIOLATED  project"))


class HeatInvariantTests(HeatSyncCase):
    def about(self, *ids):
        return [text for text in one_stack_per_bay() if any(str(one) in text for one in ids)]

    def test_each_bay_has_its_stack_and_each_stack_its_bay(self):
        bay = self.a_bay("CREATE_COMPLETE", health_status="HEALTHY")
        stack_id = self.a_stack(bay_id=bay.pk)
        Bay.objects.update(stack_id=stack_id)
        self.assertEqual(self.about(bay.pk, stack_id), [])
        twin = self.a_stack(bay_id=bay.pk)
        violated = self.about(bay.pk, stack_id, twin)
        self.assertEqual(len(violated), 2, violated)
        self.assertIn(f"bay {bay.pk} has 2 stacks", violated)
        self.assertTrue(any(str(twin) in text and "belongs to no bay" in text for text in violated))
        self.lose(twin)
        self.lose(stack_id)
        self.assertEqual(
            self.about(bay.pk), [f"bay {bay.pk} is complete, but its stack {stack_id} is not in Heat"]
        )
        Bay.objects.update(health_status="UNHEALTHY")  # then it is known
        self.assertEqual(self.about(bay.pk), [])

    def test_a_heat_that_is_down_is_said_to_be_down(self):
        self.speak_to("http://127.0.0.1:9/v1/roadstead")
        with self.assertRaisesMessage(CommandError, "Heat could not be asked"):
            call_command("check_invariants", stdout=io.StringIO())
        self.assertNotIn(str(uuid.UUID(int=0)), found())
