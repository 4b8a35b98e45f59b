"""Heat state sync: look at the stacks of many bays with one call, and wake the bays whose stack has moved.

The synchronizer only observes. What an observation means is decided by the bay's own step, under a lease; so a
stack missing from a list is asked for by its id there before anything is concluded.

What makes a list dear for Heat is each stack that it tells of. So Heat is asked each second only for those of the
stacks that are not in progress, and otherwise how many there are: it is told of one by one only where that number
is not what it should be.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from bays.models import Bay
from bays.stacks import heat
from bays.states import BAY, Health, Status
from bays.tasks import advance_bay
from clouds.errors import CloudError, NotFound
from clouds.heat import IDS_PER_CALL, Heat, Stack
from lifecycle import leases
from lifecycle.swap import swap
from sync.models import Cursor
from workers import bell

log = structlog.get_logger(__name__)

WATCH = (
    1.0  # seconds after which a tick leaves the rest to the next one, on whichever node, which is due by then
)
TICK = 5.0  # likewise, of the slow rounds
MISSING = "missing"
MISSING_PAUSE = timedelta(seconds=30)
DRIFT = "drift"
DRIFT_PAUSE = timedelta(minutes=5)
SETTLED = (Status.CREATE_COMPLETE, Status.UPDATE_COMPLETE)


def watch() -> int:
    """Look at every waiting bay whose time has come and wake those that need a step; return how many.

    A stack that Heat does not know is not noticed here, see `find_missing`.
    """
    woken = 0
    for bays in _slices():
        try:
            moved = heat().moved(_stacks(bays))
        except CloudError as error:
            log.warning("Heat could not be asked; the bays keep waiting", reason=error.reason, bays=len(bays))
            break
        owed = {bay.pk for bay in bays if bay.stack_id is None or bay.stack_id in moved}
        leases.look_again(Bay, {bay.pk for bay in bays} - owed, every=timedelta(seconds=settings.HEAT_POLL))
        woken += _wake(owed)
    return woken


def _slices() -> Iterable[list[Bay]]:
    """Yield slices of the watched bays that were due when the tick began, until the tick has lasted long enough.

    A bay whose next moment comes while the tick is under way is left to the next one: it would be looked at twice.

    Until Heat has answered, a slice is not due again for as long as an answer may take: where Heat hangs, ticks must
    not queue up behind one another.
    """
    pause = timedelta(seconds=2 * settings.CLOUD_TIMEOUT + settings.HEAT_POLL)
    end = time.monotonic() + WATCH
    began: Now | datetime = Now()
    while bays := leases.take_slice(
        Bay, Q(watched=True, not_before__lte=began), limit=IDS_PER_CALL, values={"not_before": Now() + pause}
    ):
        yield bays
        if len(bays) < IDS_PER_CALL or time.monotonic() > end:
            return
        if isinstance(began, Now):
            began = bays[0].not_before - pause  # by the database's clock


def _wake(pks: Iterable[uuid.UUID]) -> int:
    return bell.ring_all(advance_bay, leases.wake(Bay, pks))


def _stacks(bays: Iterable[Bay]) -> list[uuid.UUID]:
    return [bay.stack_id for bay in bays if bay.stack_id]


def find_missing() -> int:
    """Wake the waiting bays whose stack Heat does not know any more; return how many.

    They are looked at in slow rounds: a stack that is deleted is known for long after, as deleted.
    """
    waiting = Bay.objects.filter(watched=True, status__in=list(BAY.busy), stack_id__isnull=False)
    return _go_round(MISSING, waiting, MISSING_PAUSE, _wake_the_missing)


def _wake_the_missing(client: Heat, bays: list[Bay]) -> int:
    asked = _stacks(bays)
    if client.count(asked) == len(asked):
        return 0
    known = client.by_ids(asked)
    return _wake({bay.pk for bay in bays if bay.stack_id not in known})


def drift() -> int:
    """Look at the next slices of settled bays and record the health of those that changed; return how many.

    A settled bay's status is never rewritten: its stack's loss is an observation, told as its health.
    """
    settled = Bay.objects.filter(status__in=SETTLED, stack_id__isnull=False)
    return _go_round(DRIFT, settled, DRIFT_PAUSE, _observe_all)


def _observe_all(client: Heat, bays: list[Bay]) -> int:
    """Look at each of them one by one, but at those that were healthy only if one of them is no more."""
    healthy = [bay for bay in bays if (bay.health_status, bay.health_status_reason) == (Health.HEALTHY, {})]
    if client.count(asked := _stacks(healthy), sound=True) == len(asked):
        bays = [bay for bay in bays if bay not in healthy]
    stacks = client.by_ids(_stacks(bays))
    return sum(_observe(client, bay, stacks) for bay in bays)


def _go_round(job: str, rows: QuerySet[Bay], pause: timedelta, look: Callable[[Heat, list[Bay]], int]) -> int:
    """Have `look` see to the next slices of a round, until the tick has lasted long enough; add up what it says."""
    client, found, end = heat(), 0, time.monotonic() + TICK
    while time.monotonic() < end and (bays := Cursor.take(job, rows, limit=IDS_PER_CALL, pause=pause)):
        try:
            found += look(client, bays)
        except CloudError as error:
            reason = error.reason
            log.warning(
                "Heat could not be asked; this slice waits for the next round", job=job, reason=reason
            )
            break
    return found


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
