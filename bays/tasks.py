"""The worker's side of a bay: one bell, one claim, one step, one guarded write."""

from __future__ import annotations

import uuid

from celery import shared_task

from bays.models import Bay, Quota
from bays.steps import STEPS
from lifecycle.advance import advance
from workers import bell

ENDS = {"deleted": lambda bay, _: Quota.release(bay.project_id)}


@shared_task(name="bays.advance_bay", acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def advance_bay(*, pk: str, **_: object) -> None:
    """Advance the bay that the bell was rung for. What else a message carries is not looked at."""
    try:
        bay_id = uuid.UUID(pk)
    except (ValueError, AttributeError, TypeError):
        return  # a forged message
    bay = advance(Bay, bay_id, STEPS, ends=ENDS)
    if bay is not None:
        bell.ring(advance_bay, bay)
