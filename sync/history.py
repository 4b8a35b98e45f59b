"""What is kept and what is forgotten: nodes long gone, operations, events and messages long over, old answers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, ProtectedError, QuerySet
from django.db.models.functions import Now

from api.models import IdempotencyKey
from lifecycle import feed
from lifecycle.models import Event, Node, Operation
from sync.registry import RESOURCES
from volumes.models import Message

BATCH = 1000
NODE_AGE = timedelta(days=1)
TICK = 5.0  # seconds after which the rest is left to the next tick


def forget_nodes() -> int:
    """Delete nodes not heard of for a day; return how many. A node that still holds a row is never forgotten.

    The foreign key refuses too: forgetting a holder would hide that its work was lost.
    """
    gone = Node.objects.settled_before(NODE_AGE)
    for resource in RESOURCES:
        gone = gone.exclude(Exists(resource.model._default_manager.filter(holder=OuterRef("pk"))))  # noqa: SLF001
    forgotten = 0
    for node in gone[:BATCH]:
        try:
            node.delete()
            forgotten += 1
        except ProtectedError:
            continue  # it took hold of a row between the two statements
    return forgotten


def put_events_in_order(**_: object) -> int:
    """Have the events of a restored database begin a history of their own; return how many. Mostly it is one look."""
    try:
        feed.end_of(_kinds())
    except feed.Unordered:
        return feed.set_in_order()
    return 0


def forget_history() -> int:
    """Delete what is older than its retention: operations, events, idempotency keys, messages; return how many."""
    put_events_in_order()
    end, deleted = time.monotonic() + TICK, 0
    while (batch := sum(_forget(old) for old in _old())) and time.monotonic() < end:
        deleted += batch
    return deleted + batch


def _old() -> Iterable[QuerySet[Any]]:
    """Yield what may be forgotten, longest over first."""
    age = timedelta(days=settings.HISTORY_DAYS)
    yield Operation.objects.filter(finished_at__lt=Now() - age).order_by("finished_at")
    # But the latest of each kind: as long as nothing else happens, it is where who follows events has come to.
    latest = [
        Event.objects.filter(resource_type=kind).order_by("-turn", "-id").values_list("pk", flat=True).first()
        for kind in _kinds()
    ]
    yield Event.objects.filter(at__lt=Now() - age).exclude(pk__in=[pk for pk in latest if pk]).order_by("at")
    hours = timedelta(hours=settings.IDEMPOTENCY_HOURS)
    yield IdempotencyKey.objects.filter(created_at__lt=Now() - hours).order_by("created_at")
    yield Message.objects.filter(guaranteed_until__lt=Now()).order_by("guaranteed_until")


def _kinds() -> list[str]:
    return [resource.model.machine.name for resource in RESOURCES]


def _forget(old: QuerySet[Any]) -> int:
    """Delete one batch, and not all in one statement: that would hold its locks for as long as it lasts."""
    manager = old.model._default_manager  # noqa: SLF001
    deleted: int = manager.filter(pk__in=list(old.values_list("pk", flat=True)[:BATCH])).delete()[0]
    return deleted
