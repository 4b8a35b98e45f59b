"""What Heat's notifications can do: bring forward when a watched bay is looked at, and nothing else."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django.db.models.functions import Now

from bays.models import Bay
from lifecycle.models import Event
from sync.notifications import BIGGEST, SETTLE, Listener, Malformed, look_soon, queue_name, stack_in
from tests.sync.base import HOUR, SECOND, SyncCase


def notification(stack_id: object, event: str = "create.end", **payload: object) -> dict[str, Any]:
    """Return what Heat sends, as it sends it, of one of its stacks."""
    action, _, how = event.partition(".")
    told = {
        "stack_identity": str(stack_id) if isinstance(stack_id, uuid.UUID) else stack_id,
        "stack_name": "bay-0b5f",
        "state": f"{action.upper()}_{'FAILED' if how == 'error' else 'COMPLETE'}",
        "state_reason": f"Stack {action.upper()} completed successfully",
        "tags": [],
        "tenant_id": "5a17",
        "create_at": "2026-01-02T03:04:05Z",
        "updated_at": None,
        **payload,
    }
    inner = {
        "_context_project_id": "5a17",
        "_context_roles": ["member", "reader"],
        "event_type": f"orchestration.stack.{event}",
        "message_id": str(uuid.uuid4()),
        "payload": told,
        "priority": "ERROR" if how == "error" else "INFO",
        "publisher_id": "orchestration.heat1",
        "timestamp": "2026-01-02 03:04:07.354544",
    }
    return {"oslo.version": "2.0", "oslo.message": json.dumps(inner)}


GARBAGE: tuple[bytes, ...] = (
    b"",
    b"\xff\xfe",
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b"{}",
    b"[" * 100_000,
    b'{"oslo.message": null}',
    b'{"oslo.message": "null"}',
    b'{"oslo.message": {"event_type": "orchestration.stack.create.end"}}',
    b'{"oslo.message": "{\\"event_type\\": 7}"}',
    b"cos\nsystem\n(S'touch /tmp/pwned'\ntR.",
    json.dumps(notification(None)).encode(),
    json.dumps(notification(["a", "list"])).encode(),
    json.dumps(notification({"a": "mapping"})).encode(),
    json.dumps(notification("' OR 1=1")).encode(),
    json.dumps(notification(uuid.uuid4(), state_reason="x" * BIGGEST)).encode(),
)


class StackInTests(SyncCase):
    def test_it_finds_the_stack_in_whatever_says_that_one_has_moved(self):
        stack = uuid.uuid4()
        for event in ("create.end", "create.error", "update.end", "delete.end", "suspend.end", "check.error"):
            with self.subTest(event):
                self.assertEqual(stack_in(json.dumps(notification(stack, event))), stack)

    def test_what_has_only_begun_and_what_is_no_stack_is_about_something_else(self):
        for event in ("create.start", "delete.start"):
            self.assertIsNone(stack_in(json.dumps(notification(uuid.uuid4(), event))))
        for event in ("compute.instance.create.end", "orchestration.autoscaling.end", "", "x" * 10_000):
            inner = json.dumps({"event_type": event, "payload": {}})
            self.assertIsNone(stack_in(json.dumps({"oslo.message": inner})))

    def test_all_else_is_refused_with_a_name(self):
        for body in GARBAGE:
            with self.subTest(body[:60]), self.assertRaises(Malformed):
                stack_in(body)


class LookSoonTests(SyncCase):
    def setUp(self):
        super().setUp()
        self.stack = uuid.uuid4()

    def test_it_brings_forward_when_the_bay_is_looked_at_and_changes_nothing_else(self):
        bay = self.waiting(self.stack, not_before=Now() + HOUR)
        other = self.waiting(uuid.uuid4(), not_before=Now() + HOUR)
        self.assertTrue(look_soon(self.stack))
        after = Bay.objects.get(pk=bay.pk)
        changed = {
            field.name
            for field in Bay._meta.concrete_fields
            if getattr(after, field.attname) != getattr(bay, field.attname)
        }
        self.assertEqual(changed, {"not_before"})
        self.assertEqual(Bay.objects.filter(pk=bay.pk, not_before__lte=Now() + SETTLE).count(), 1)
        self.assertEqual(Bay.objects.get(pk=other.pk).not_before, other.not_before)
        self.assertEqual((self.bells(), Event.objects.count()), ([], 0))

    def test_doubled_ones_do_no_more_than_one(self):
        self.waiting(self.stack, not_before=Now() + HOUR)
        self.assertEqual([look_soon(self.stack) for _ in range(3)], [True, False, False])

    def test_a_bay_that_is_due_is_never_put_off(self):
        bay = self.waiting(self.stack)
        self.assertFalse(look_soon(self.stack))
        self.assertEqual(Bay.objects.get(pk=bay.pk).not_before, bay.not_before)

    def test_a_row_that_is_owed_work_or_is_at_rest_is_left_alone(self):
        working = self.waiting(self.stack, watched=False, not_before=Now() + HOUR)
        settled = uuid.uuid4()
        self.a_bay("CREATE_COMPLETE", after_birth={"stack_id": settled})
        self.assertFalse(look_soon(self.stack))
        self.assertFalse(look_soon(settled))
        self.assertEqual(Bay.objects.get(pk=working.pk).not_before, working.not_before)

    def test_a_stack_of_somebody_else_is_nobodys(self):
        self.assertFalse(look_soon(uuid.uuid4()))


class ListenerTests(SyncCase):
    def setUp(self):
        super().setUp()
        self.listener = Listener("amqp://nowhere")
        self.acknowledged = 0

    def acknowledge(self) -> None:
        self.acknowledged += 1

    def hear(self, body: bytes | str) -> None:
        self.listener.hear(SimpleNamespace(body=body, ack=self.acknowledge))

    def test_it_acknowledges_and_counts_whatever_comes(self):
        stack = uuid.uuid4()
        self.waiting(stack, not_before=Now() + timedelta(hours=1))
        told = [
            json.dumps(notification(stack, event)) for event in ("create.start", "create.end", "create.end")
        ]
        for text in (*told, json.dumps(notification(uuid.uuid4()))):
            self.hear(text)
        for body in GARBAGE:
            self.hear(body)
        self.assertEqual(
            self.listener.heard, {"other": 1, "sooner": 1, "nothing_waits": 2, "malformed": len(GARBAGE)}
        )
        self.assertEqual(self.acknowledged, 4 + len(GARBAGE))

    def test_its_queue_is_the_installations_own(self):
        mine = queue_name()
        with self.settings(SECRET_KEY="of another installation"):
            self.assertNotEqual(queue_name(), mine)
        self.assertEqual(queue_name(), mine)
        self.assertGreater(SECOND, SETTLE)  # a look that comes with the next tick comes after Heat's commit
