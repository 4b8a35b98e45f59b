"""What is kept and what is forgotten: nodes long gone, operations and events long over, old answers."""

from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, ProtectedError
from django.db.models.functions import Now

from api.models import IdempotencyKey
from lifecycle.models import Event, Node, Operation
from sync.registry import RESOURCES

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


def forget_history() -> int:
    """Delete finished operations, events and idempotency keys older than their retention; return how many."""
    end, deleted = time.monotonic() + TICK, 0
    while (batch := _forget_batch()) and time.monotonic() < end:
        deleted += batch
    return deleted + batch


def _forget_batch() -> int:
    age = timedelta(days=settings.HISTORY_DAYS)
    operations = Operation.objects.filter(finished_at__lt=Now() - age).order_by("finished_at")[:BATCH]
    events = Event.objects.filter(at__lt=Now() - age).order_by("at")[:BATCH]
    deleted, _ = Operation.objects.filter(pk__in=list(operations.values_list("pk", flat=True))).delete()
    more, _ = Event.objects.filter(pk__in=list(events.values_list("pk", flat=True))).delete()
    keys = IdempotencyKey.objects.filter(created_at__lt=Now() - timedelta(hours=settings.IDEMPOTENCY_HOURS))
    oldest = keys.order_by("created_at")[:BATCH]
    answers, _ = IdempotencyKey.objects.filter(pk__in=list(oldest.values_list("pk", flat=True))).delete()
    return deleted + more + answers
