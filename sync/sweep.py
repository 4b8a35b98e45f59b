"""The sweep: ring the bell again for due rows that nobody holds.

It is what makes a lost message, a wiped broker and a dead node cost time only. It rings at most once per
RING_INTERVAL for a row, so that any number of waiting rows makes no storm.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from lifecycle import leases
from sync.registry import RESOURCES
from workers import bell

SLICE = 500


def sweep() -> int:
    """Ring for every due row that has not been rung for lately; return how many bells were published."""
    rung = 0
    for resource in RESOURCES:
        silent = Q(rung_at=None) | Q(rung_at__lte=Now() - timedelta(seconds=settings.RING_INTERVAL))
        taken = SLICE
        while taken == SLICE:
            rows = leases.take_slice(
                resource.model, leases.due() & silent, limit=SLICE, values={"rung_at": Now()}
            )
            taken = len(rows)
            rung += bell.ring_all(resource.advance, (row.pk for row in rows))
    return rung
