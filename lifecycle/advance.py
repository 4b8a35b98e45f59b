"""Answer the bell for one row: claim it, take one short idempotent step, write down what came of it.

This is all a worker does. It knows neither the resource nor what the step talks to.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from lifecycle import leases, local, reasons
from lifecycle.errors import LeaseLost, Overtaken, Stale, Undone
from lifecycle.leases import Held
from lifecycle.machine import WhenLost
from lifecycle.models import Leased
from lifecycle.outcome import Again, Done, Failed, Retry, StepOutcome, Watch

log = structlog.get_logger(__name__)
L = TypeVar("L", bound=Leased)
Step = Callable[[Held[L]], StepOutcome]
End = Callable[[L, L], None]

SHORT = 0.2  # seconds: a step that takes no longer may be waited for
MOMENT = 1.0  # seconds for which a task goes on with further rows
LONGEST_WAIT = timedelta(seconds=60)
LAST_TRIES = 3  # last looks, seconds apart, that may be cut off or find nobody before the row fails
RECONNECT = 0.2  # seconds between two attempts to reach the database again


def advance(
    model: type[L],
    pk: uuid.UUID,
    steps: Mapping[str, Step[L]],
    *,
    last_looks: Mapping[str, Step[L]] | None = None,
    ends: Mapping[str, End[L]] | None = None,
    claimed: Callable[[L], object] | None = None,
) -> L | None:
    """Take one step of the row's work and return the row if its bell should be rung again at once.

    A row that is not due, is held, is at rest or out of this node's reach is left alone. `last_looks` are steps that
    begin nothing: one is taken before the row fails at its deadline, for all of us may have been down when its work
    ended; what does not answer then may be coming back itself, and is asked a few times. `ends` says, for an outcome,
    what else changes in its transaction: it is called with the row as it was claimed and as it was written.
    `claimed` is called before the step.
    """
    held = _claim_surely(model, lambda: leases.claim(model, pk))
    if held is None:
        return None
    if claimed is not None:
        claimed(held.row)
    return _answer(held, steps, last_looks or {}, ends or {})


def go_on(
    model: type[L],
    steps: Mapping[str, Step[L]],
    *,
    ring: Callable[[L], object],
    since: float,
    last_looks: Mapping[str, Step[L]] | None = None,
    ends: Mapping[str, End[L]] | None = None,
) -> None:
    """Take further rows that are due, longest due first, each with its own claim: one bell may stand for several.

    `since` is when (monotonic) the task began. Where steps are short they follow one another, for a moment; as soon as
    one was long, whoever goes on rings for what may still be left first, so that it waits for none of them.
    """
    began = since
    while (held := _claim_surely(model, lambda: leases.claim_next(model))) is not None:
        now = time.monotonic()
        if now - began > SHORT:
            ring(held.row)
        began = now
        row = _answer(held, steps, last_looks or {}, ends or {})
        if row is not None:
            ring(row)
        if time.monotonic() - since > MOMENT:
            ring(held.row)  # it is done: whoever answers finds those that are left
            return


def _claim_surely(model: type[L], claim: Callable[[], Held[L] | None]) -> Held[L] | None:
    """Claim, if this node may; wait for the database if it goes away meanwhile, so that the bell is not lost.

    A claim whose answer was lost may have been made. Nobody works under it, so it is given up before the next.
    """
    end = time.monotonic() + settings.STEP_LIMIT / 3
    lost = False
    while local.may_claim() or (lost and not local.draining()):
        local.mark_claimed()
        try:
            if lost:
                leases.give_up(model, local.node_id, pid=os.getpid(), why="the answer to its claim was lost")
            if local.may_claim():
                return claim()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > end:
                raise
            connection.close()
            lost = True
        if time.monotonic() > end:
            break
        time.sleep(RECONNECT)
    return None


def _answer(
    held: Held[L],
    steps: Mapping[str, Step[L]],
    last_looks: Mapping[str, Step[L]],
    ends: Mapping[str, End[L]],
) -> L | None:
    with structlog.contextvars.bound_contextvars(
        resource=held.row.machine.name, id=str(held.row.pk), epoch=held.epoch, status=held.row.status
    ):
        try:
            return _write_surely(held, _verdict(held, last_looks) or _step(held, steps), ends)
        except Overtaken:
            return held.row
        except Stale:
            return None


def backoff(failures: int) -> timedelta:
    """Return 1, 2, 4 ... seconds, a minute at most."""
    return min(timedelta(seconds=2 ** min(failures, 10)), LONGEST_WAIT)


def _verdict(held: Held[L], last_looks: Mapping[str, Step[L]]) -> StepOutcome | Broke | None:
    """Return what the row's own columns already say, if they do: no step is run then, but for a last look."""
    row = held.row
    busy = row.machine.busy[row.status]
    last = f" Last: {row.status_reason}" if row.status_reason else ""
    if row.attempts > settings.MAX_ATTEMPTS:
        return Failed(reasons.gave_up(settings.MAX_ATTEMPTS, last))
    if row.claimed_at is not None and row.deadline_at is not None and row.claimed_at > row.deadline_at:
        late = Failed(reasons.deadline(row.status, f"{row.deadline_at:%Y-%m-%d %H:%M:%S}", last))
        return _seen_at_last(held, last_looks) or late
    if held.taken_over and busy.when_lost is WhenLost.FAIL:
        return Failed(reasons.lost(row.status))
    return None


def _seen_at_last(held: Held[L], last_looks: Mapping[str, Step[L]]) -> StepOutcome | Broke | None:
    """Return what a last look has come to; None if the work would only go on."""
    if held.row.status not in last_looks:
        return None
    match _step(held, last_looks):
        case Done() | Failed() as ended:
            return ended
        case Broke() as cut_off if held.row.attempts <= LAST_TRIES:  # it has seen nothing
            return cut_off
        case Retry(fields=fields) as later if "deadline_at" in fields or held.row.retries < LAST_TRIES:
            return later
    return None


@dataclass(frozen=True, slots=True)
class Broke:
    """The step came to no end of its own: the attempt stays counted."""

    reason: str


def _step(held: Held[L], steps: Mapping[str, Step[L]]) -> StepOutcome | Broke:
    """Run the step."""
    try:
        return steps[held.row.status](held)
    except (Overtaken, Stale):
        raise
    except LeaseLost as lost:
        log.error("lease lost during a step, work abandoned", reason=str(lost))  # noqa: TRY400 - no bug to trace
    except Exception as error:
        log.exception("a step broke")
        return Broke(reasons.broke(type(error).__name__))
    return Broke(reasons.cut_off())


def _write_surely(held: Held[L], outcome: StepOutcome | Broke, ends: Mapping[str, End[L]]) -> L | None:
    """Write the outcome down; try again for as long as a lease lasts if the database goes away meanwhile.

    Always safe: the fence decides whether the write, or one before it that we did not hear of, counts.
    """
    end = time.monotonic() + settings.LEASE
    while True:
        try:
            return _write(held, outcome, ends)
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(RECONNECT)  # there is nothing to wait on: the server is away


def _write(held: Held[L], outcome: StepOutcome | Broke, ends: Mapping[str, End[L]]) -> L | None:
    row = held.row
    after = timedelta(0)
    match outcome:
        case Done(event, fields, reason):
            leases.move(held, event, fields=fields, reason=reason, also=ends.get(event))
            return None
        case Failed(reason, fields):
            log.info("work failed", reason=reason)
            event = row.machine.busy[row.status].failed
            leases.move(held, event, fields=fields, reason=reason, also=ends.get(event))
            return None
        case Again(after, fields, also):
            try:
                written = leases.rest(held, after=after, fields=fields, also=also)
            except Undone as why:
                after = backoff(row.attempts)
                written = leases.rest(held, after=after, clean=False, reason=str(why))
        case Watch(after, fields):
            written = leases.rest(held, after=after, watch=True, fields=fields)
        case Retry(reason, fields):
            after = backoff(row.retries)
            log.info("will retry", reason=reason, after=after.total_seconds())
            written = leases.rest(held, after=after, retry=reason, fields=fields)
        case Broke(reason):
            after = backoff(row.attempts)
            written = leases.rest(held, after=after, clean=False, reason=reason)
    overtaken = written.operation_id != row.operation_id
    at_once = after <= timedelta(0) and not isinstance(outcome, Watch)
    return written if overtaken or at_once else None
