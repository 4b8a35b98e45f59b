"""The worker's side of a bay: one bell, one claim, one step, one guarded write.

Bays that are asked for in quick succession share a bell. A step waits for Heat, so whoever answers passes the bell on
first if there are more, and goes on with them afterwards.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from functools import partial

from celery import shared_task
from django.db import DatabaseError

from bays.models import Bay, Quota
from bays.steps.bays import STEPS
from bays.steps.last_looks import LAST_LOOKS
from lifecycle import leases
from lifecycle.advance import End, advance, go_on
from workers import bell


def _deleted(bay: Bay, _: Bay) -> None:
    bay.nodegroups.all().delete()
    Quota.release(bay.project_id)


ENDS: Mapping[str, End[Bay]] = {
    "deleted": _deleted,
    "updated": lambda bay, _: bay.nodegroups.settle(),
    "rolled_back": lambda bay, _: bay.nodegroups.settle(),
    "update_failed": lambda bay, now: bay.nodegroups.fail(now.status_reason),
}


@shared_task(name="bays.advance_bay", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def advance_bay(*, pk: str, **_: object) -> None:
    """Advance the bay that the bell was rung for. What else a message carries is not looked at."""
    try:
        bay_id = uuid.UUID(pk)
    except (ValueError, AttributeError, TypeError):
        return  # a forged message
    ring = partial(bell.ring, advance_bay)
    began = time.monotonic()
    bay = advance(Bay, bay_id, STEPS, last_looks=LAST_LOOKS, ends=ENDS, claimed=_pass_on)
    if bay is not None:
        ring(bay)
    if not advance_bay.request.called_directly:
        go_on(Bay, STEPS, last_looks=LAST_LOOKS, ends=ENDS, ring=ring, since=began)


def _pass_on(bay: Bay) -> None:
    """Ring for the other bays that are due, if there are any; which bay the bell names does not matter."""
    try:
        more = leases.is_any_due(Bay)
    except DatabaseError:
        return  # the sweep will ring; this bay is held, and its step comes first
    if more:
        bell.ring(advance_bay, bay)
