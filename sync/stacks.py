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
from functools import partial

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from bays import delegations
from bays.models import Bay
from bays.parties import Party, parties
from bays.states import BAY, WHOLE, Health
from bays.tasks import advance_bay
from clouds.errors import CloudError, NotFound, Undelegated
from clouds.heat import IDS_PER_CALL, Heat, Stack
from lifecycle import leases
from lifecycle.swap import swap
from sync.models import Cursor
from workers import bell

log = structlog.get_logger(__name__)

WATCH = (
    1.0  # seconds after which a tick leaves the rest to the next one, on whichever node, which is due by then
)
MIXED = 10  # calls' worth of bays that a tick takes at once where they are of many projects
TICK = 5.0  # likewise, of the slow rounds
MISSING = "missing"
MISSING_PAUSE = timedelta(seconds=30)
DRIFT = "drift"
DRIFT_PAUSE = timedelta(minutes=5)
UNSEEN = "No delegation of the project works any more: nobody may look at the stack."


def watch() -> int:
    """Look at every waiting bay whose time has come and wake those that need a step; return how many.

    A stack that Heat does not know is not noticed here, see `find_missing`.
    """
    woken, end = 0, time.monotonic() + WATCH
    for bays in _slices():
        for party in parties(bays):
            try:
                woken += _look(party)
            except CloudError as error:
                reason, waiting = error.reason, len(party.bays)
                log.warning("Heat could not be asked; the bays keep waiting", reason=reason, bays=waiting)
                if party.project is None or time.monotonic() > end:
                    return woken
    return woken


def _look(party: Party) -> int:
    """Look at bays that wait, with one call, and wake those that need a step; return how many.

    Where no delegation of a project works any more all are woken: it is for their own steps to say so.
    """
    waiting = {bay.pk for bay in party.bays}
    try:
        moved = party.ask(partial(_moved, _stacks(party.bays)))
    except Undelegated as lost:
        log.warning("nobody may look after these bays", reason=lost.reason, bays=len(waiting))
        return _wake(waiting)
    owed = {bay.pk for bay in party.bays if bay.stack_id is None or bay.stack_id in moved}
    leases.look_again(Bay, waiting - owed, every=timedelta(seconds=settings.HEAT_POLL))
    return _wake(owed)


def _moved(asked: list[uuid.UUID], heat: Heat) -> Mapping[uuid.UUID, Stack]:
    return heat.moved(asked)


def slice_size() -> int:
    """Return how many bays a tick takes at once: of many projects more than one call's: fewer calls are short."""
    return IDS_PER_CALL * (MIXED if delegations.needed() else 1)


def _slices() -> Iterable[list[Bay]]:
    """Yield slices of the watched bays that were due when the tick began, until the tick has lasted long enough.

    A bay whose next moment comes while the tick is under way is left to the next one: it would be looked at twice.

    Until Heat has answered, a slice is not due again for as long as an answer may take: where Heat hangs, ticks must
    not queue up behind one another.
    """
    pause = timedelta(seconds=2 * settings.CLOUD_TIMEOUT + settings.HEAT_POLL)
    end = time.monotonic() + WATCH
    began: Now | datetime = Now()
    size = slice_size()
    while bays := leases.take_slice(
        Bay, Q(watched=True, not_before__lte=began), limit=size, values={"not_before": Now() + pause}
    ):
        yield bays
        if len(bays) < size or time.monotonic() > end:
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
    settled = Bay.objects.filter(status__in=WHOLE, stack_id__isnull=False)
    return _go_round(DRIFT, settled, DRIFT_PAUSE, _observe_all, unseen=_observe_none)


def _observe_all(client: Heat, bays: list[Bay]) -> int:
    """Look at each of them one by one, but at those that were healthy only if one of them is no more."""
    healthy = [bay for bay in bays if (bay.health_status, bay.health_status_reason) == (Health.HEALTHY, {})]
    if client.count(asked := _stacks(healthy), sound=True) == len(asked):
        bays = [bay for bay in bays if bay not in healthy]
    stacks = client.by_ids(_stacks(bays))
    return sum(_observe(client, bay, stacks) for bay in bays)


def _observe_none(bays: list[Bay]) -> int:
    """Record that nobody may look at these bays."""
    return sum(_record(bay, Health.UNKNOWN, {"delegation": UNSEEN}) for bay in bays)


def _go_round(
    job: str,
    rows: QuerySet[Bay],
    pause: timedelta,
    look: Callable[[Heat, list[Bay]], int],
    unseen: Callable[[list[Bay]], int] | None = None,
) -> int:
    """Have `look` see to the next slices of a round, until the tick has lasted long enough; add up what it says.

    `unseen` is told of those that nobody may look at.
    """
    found, end = 0, time.monotonic() + TICK
    while time.monotonic() < end and (bays := Cursor.take(job, rows, limit=slice_size(), pause=pause)):
        for party in parties(bays):
            try:
                found += party.ask(partial(_see, look, party.bays))
            except Undelegated:
                found += unseen(party.bays) if unseen else 0
            except CloudError as error:
                reason = error.reason
                log.warning(
                    "Heat could not be asked; this slice waits for the next round", job=job, reason=reason
                )
                if party.project is None or time.monotonic() > end:
                    return found
    return found


def _see(look: Callable[[Heat, list[Bay]], int], bays: list[Bay], heat: Heat) -> int:
    return look(heat, bays)


def _observe(client: Heat, bay: Bay, stacks: Mapping[uuid.UUID, Stack]) -> bool:
    assert bay.stack_id is not None  # noqa: S101 - the slice is filtered by it
    return _record(bay, *_judge(stacks.get(bay.stack_id) or _by_id(client, bay.stack_id)))


def _record(bay: Bay, health: str, reason: dict[str, str]) -> bool:
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
