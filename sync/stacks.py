"""Heat state sync: look at the stacks of many bays with one call, and wake the bays whose stack has moved.

The synchronizer only observes. What an observation means is decided by the bay's own step, under a lease; so a
stack missing from a list is asked for by its id there before anything is concluded.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from bays.models import Bay
from bays.stacks import heat
from bays.states import Health, Status
from bays.tasks import advance_bay
from clouds.errors import CloudError, NotFound
from clouds.heat import IDS_PER_CALL, Heat, Stack
from lifecycle import leases
from lifecycle.swap import swap
from sync.models import Cursor
from workers import bell

log = structlog.get_logger(__name__)

TICK = 5.0  # seconds after which a tick leaves the rest to the next one, on whichever node
DRIFT = "drift"
DRIFT_PAUSE = timedelta(minutes=5)
SETTLED = (Status.CREATE_COMPLETE, Status.UPDATE_COMPLETE)


def watch() -> int:
    """Look at every waiting bay whose time has come and wake those that need a step; return how many."""
    woken = 0
    for bays in _slices():
        try:
            stacks = heat().by_ids([bay.stack_id for bay in bays if bay.stack_id])
        except CloudError as error:
            log.warning("Heat could not be asked; the bays keep waiting", reason=error.reason, bays=len(bays))
            break
        moved = {bay.pk for bay in bays if _needs_a_step(bay, stacks)}
        leases.look_again(Bay, {bay.pk for bay in bays} - moved, every=timedelta(seconds=settings.HEAT_POLL))
        rows = leases.wake(Bay, moved)
        woken += bell.ring_all(advance_bay, rows)
    return woken


def _slices() -> Iterable[list[Bay]]:
    """Yield slices of watched bays until none is due or the tick has lasted long enough.

    Until Heat has answered, a slice is not due again for as long as an answer may take: where Heat hangs, ticks must
    not queue up behind one another.
    """
    wanted = Q(watched=True, not_before__lte=Now())
    values = {"not_before": Now() + timedelta(seconds=2 * settings.CLOUD_TIMEOUT + settings.HEAT_POLL)}
    end = time.monotonic() + TICK
    while time.monotonic() < end and (
        bays := leases.take_slice(Bay, wanted, limit=IDS_PER_CALL, values=values)
    ):
        yield bays


def _needs_a_step(bay: Bay, stacks: Mapping[uuid.UUID, Stack]) -> bool:
    stack = stacks.get(bay.stack_id) if bay.stack_id else None
    return stack is None or stack.status != "IN_PROGRESS"


def drift() -> int:
    """Look at the next slices of settled bays and record the health of those that changed; return how many.

    A settled bay's status is never rewritten: its stack's loss is an observation, told as its health.
    """
    changed = 0
    settled = Bay.objects.filter(status__in=SETTLED, stack_id__isnull=False)
    client = heat()
    end = time.monotonic() + TICK
    while time.monotonic() < end and (
        bays := Cursor.take(DRIFT, settled, limit=IDS_PER_CALL, pause=DRIFT_PAUSE)
    ):
        try:
            stacks = client.by_ids([bay.stack_id for bay in bays if bay.stack_id])
            changed += sum(_observe(client, bay, stacks) for bay in bays)
        except CloudError as error:
            log.warning("Heat could not be asked; this slice waits for the next round", reason=error.reason)
            break
    return changed


def _observe(client: Heat, bay: Bay, stacks: Mapping[uuid.UUID, Stack]) -> bool:
    assert bay.stack_id is not None  # noqa: S101 - the slice is filtered by it
    health, reason = _judge(stacks.get(bay.stack_id) or _by_id(client, bay.stack_id))
    if (health, reason) == (bay.health_status, bay.health_status_reason):
        return False
    written = swap(
        Bay,
        pk=bay.pk,
        status=bay.status,
        epoch=bay.epoch,
        values={"health_status": health, "health_status_reason": reason, "observed_at": Now()},
    )
    return written is not None


def _judge(stack: Stack | None) -> tuple[str, dict[str, str]]:
    if stack is None:
        return Health.UNHEALTHY, {"stack": "The stack is not in Heat any more."}
    if stack.status == "FAILED" or stack.action in {"DELETE", "SUSPEND"}:
        return Health.UNHEALTHY, {"stack": f"Someone else left the stack {stack.state}."}
    return Health.HEALTHY, {}


def _by_id(client: Heat, stack_id: uuid.UUID) -> Stack | None:
    try:
        stack = client.show(stack_id)
    except NotFound:
        return None
    return None if stack.state == "DELETE_COMPLETE" else stack
