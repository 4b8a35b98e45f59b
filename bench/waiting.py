"""Bays by the thousand that wait for their stacks, made in the databases.

Imports Django: import it when the stack runs.

Heat makes a few stacks a second, so one is made by it and its row copied in Heat's own database: to Heat's lists they
are stacks like any other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import django

django.setup()

import psycopg2  # noqa: E402
import psycopg2.extras  # noqa: E402
import requests  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import F  # noqa: E402
from django.db.models.functions import Now  # noqa: E402
from django.test import override_settings  # noqa: E402

from bays.models import Bay, Quota  # noqa: E402
from bays.states import Health, Status  # noqa: E402
from lifecycle.models import Event, Operation  # noqa: E402
from sync import stacks  # noqa: E402

HOUR = timedelta(hours=1)
AT_ONCE = 250  # rows; a transaction that idles for two seconds is ended, and a busy machine is slow
STACKS = """
INSERT INTO stack (id, name, created_at, action, status, status_reason,
    raw_template_id, user_creds_id, username, timeout, tenant, disable_rollback, stack_user_project_id, backup,
    nested_depth, convergence, current_traversal)
SELECT new.id, new.name, now() at time zone 'utc', 'CREATE', 'IN_PROGRESS', '',
    raw_template_id, user_creds_id, username, timeout, tenant, disable_rollback, stack_user_project_id, backup,
    nested_depth, convergence, current_traversal
FROM (VALUES %s) AS new (id, name, original) JOIN stack ON stack.id = new.original
"""
TAGS = """
INSERT INTO stack_tag (created_at, stack_id, tag)
SELECT now() at time zone 'utc', new.id, new.tag FROM (VALUES %s) AS new (id, tag)
"""


class Waiting:
    """Bays that wait, and the rows of their stacks in Heat's database."""

    def __init__(self, heat_url: str, original: uuid.UUID) -> None:
        """Take a bay that is complete: all others are copies of it."""
        connection.close()  # what it led to may have been an earlier stack's
        self._heat = psycopg2.connect(heat_url)
        self._heat.autocommit = True
        self._original = Bay.objects.get(pk=original)

    def have(self, count: int) -> None:
        """Have so many bays that wait for stacks in progress, and no others."""
        self.forget()
        pairs = [(uuid.uuid4(), uuid.uuid4()) for _ in range(count)]
        self._copy_stacks(pairs)
        for first in range(0, count, AT_ONCE):
            self._plant(pairs[first : first + AT_ONCE])
        Quota.objects.filter(pk=self._original.project_id).update(used=F("used") + count)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE bays_bay")
            cursor.execute("ANALYZE lifecycle_operation")

    def _plant(self, pairs: list[tuple[uuid.UUID, uuid.UUID]]) -> None:
        operations = [self._operation(bay) for bay, _ in pairs]
        Operation.objects.bulk_create(operations)
        rows = zip(pairs, operations, strict=True)
        Bay.objects.bulk_create([self._bay(bay, stack, operation) for (bay, stack), operation in rows])

    def settle(self) -> None:
        """Have all of them complete and at rest, their stacks too."""
        self.complete(self.ids())
        self._copies().update(
            status=Status.CREATE_COMPLETE, operation=None, deadline_at=None, watched=False, holder=None,
            holder_pid=None, lease_until=None, health_status=Health.HEALTHY, health_status_reason={},
        )  # fmt: skip

    def forget(self) -> None:
        """Remove all copies, of stacks too."""
        ids = [str(stack) for stack in self._copies().values_list("stack_id", flat=True)]
        bays = self.ids()
        self._copies().delete()
        Operation.objects.filter(resource_id__in=bays).delete()
        Event.objects.filter(resource_id__in=bays).delete()
        Quota.objects.filter(pk=self._original.project_id).update(used=1)
        with self._heat.cursor() as cursor:
            cursor.execute("DELETE FROM stack_tag WHERE stack_id = ANY(%s)", [ids])
            cursor.execute("DELETE FROM stack WHERE id = ANY(%s)", [ids])

    def complete(self, bays: list[uuid.UUID]) -> None:
        """Have Heat say of the stacks of these bays that they are complete."""
        ids = [str(stack) for stack in Bay.objects.filter(pk__in=bays).values_list("stack_id", flat=True)]
        with self._heat.cursor() as cursor:
            cursor.execute("UPDATE stack SET status = 'COMPLETE' WHERE id = ANY(%s)", [ids])

    def ids(self) -> list[uuid.UUID]:
        return list(self._copies().values_list("pk", flat=True))

    def still(self, bays: list[uuid.UUID]) -> set[uuid.UUID]:
        """Return those that are still shown in progress."""
        found = Bay.objects.filter(pk__in=bays, status=Status.CREATE_IN_PROGRESS)
        return set(found.values_list("pk", flat=True))

    def due_now(self) -> None:
        self._copies().update(not_before=Now())

    def tick(self) -> tuple[int, int]:
        """Look at all, tick after tick, here, and return how many calls to Heat and statements that took."""
        self.due_now()
        due, ticks = self._copies().filter(watched=True, not_before__lte=Now()), 0
        with counted() as counts, override_settings(HEAT_POLL=HOUR.total_seconds()):
            while due.exists():
                ticks += 1
                stacks.watch()
        self.due_now()
        return counts["calls"], counts["statements"] - ticks - 1  # those were this loop's

    def _copies(self) -> Any:
        return Bay.objects.exclude(pk=self._original.pk).filter(name__startswith="waiting-")

    def _copy_stacks(self, pairs: list[tuple[uuid.UUID, uuid.UUID]]) -> None:
        values = [
            (str(stack), f"waiting-{bay.hex[:12]}", str(self._original.stack_id)) for bay, stack in pairs
        ]
        tags = [(str(stack), tag) for bay, stack in pairs for tag in ("roadstead", f"roadstead-bay-{bay}")]
        with self._heat.cursor() as cursor:
            psycopg2.extras.execute_values(cursor, STACKS, values, page_size=1000)
            psycopg2.extras.execute_values(cursor, TAGS, tags, page_size=1000)
            cursor.execute("ANALYZE stack")
            cursor.execute("ANALYZE stack_tag")

    def _operation(self, bay: uuid.UUID) -> Operation:
        return Operation(
            resource_type="bay",
            resource_id=bay,
            resource_name="waiting",
            project_id=self._original.project_id,
            user_id=self._original.user_id,
            action="create",
        )

    def _bay(self, bay: uuid.UUID, stack: uuid.UUID, operation: Operation) -> Bay:
        row = Bay()
        for field in Bay._meta.concrete_fields:  # noqa: SLF001
            setattr(row, field.attname, getattr(self._original, field.attname))
        row.pk, row.name, row.stack_id = bay, f"waiting-{bay.hex[:12]}", stack
        row.status, row.operation_id, row.sent_for = Status.CREATE_IN_PROGRESS, operation.pk, operation.pk
        row.deadline_at, row.not_before, row.watched = Now() + HOUR, Now(), True
        row.api_address, row.node_addresses, row.master_addresses = None, [], []
        return row


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Count the calls to Heat and the statements of this process."""
    counts = {"calls": 0, "statements": 0}
    send: Callable[..., Any] = requests.Session.send

    def counting(*args: Any, **kwargs: Any) -> Any:
        counts["calls"] += 1
        return send(*args, **kwargs)

    def executing(execute: Callable[..., Any], *args: Any) -> Any:
        counts["statements"] += 1
        return execute(*args)

    requests.Session.send = counting  # type: ignore[method-assign]
    try:
        with connection.execute_wrapper(executing):
            yield counts
    finally:
        requests.Session.send = send  # type: ignore[method-assign]


def writes() -> int:
    """Return how many rows the tables of resources and of history had written so far, by PostgreSQL's own count."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE relname = ANY(%s)",
            [["bays_bay", "volumes_volume", "volumes_snapshot", "lifecycle_operation", "lifecycle_event"]],
        )
        return int(cursor.fetchone()[0])
