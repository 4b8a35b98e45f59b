"""The lease: claim a busy row, rest it, move it, renew it, give it up.

Each of them is one guarded UPDATE. There is no reaper: taking over a lost row is the same `claim` as starting
it, and raises the epoch, so that whatever the late holder still writes is refused.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NoReturn, TypeVar

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Case, DateTimeField, Expression, F, Func, Q, TextField, Value, When
from django.db.models.functions import Coalesce, Now

from lifecycle import local
from lifecycle.errors import Overtaken, Stale
from lifecycle.machine import GONE, Outcome
from lifecycle.models import Event, Leased, Node, Operation
from lifecycle.outcome import Fields
from lifecycle.swap import swap, swap_many

log = structlog.get_logger(__name__)
L = TypeVar("L", bound=Leased)

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
RELEASED = {"holder": None, "holder_pid": None, "lease_until": None}


@dataclass(frozen=True, slots=True)
class Held(Generic[L]):
    """A claimed row, as it was when it was claimed, and the fence under which it may be written."""

    row: L
    node_id: uuid.UUID
    epoch: int

    @property
    def taken_over(self) -> bool:
        """Whether an earlier holder of this work was lost."""
        return self.row.taken_from is not None

    @property
    def operation_id(self) -> uuid.UUID:
        assert self.row.operation_id is not None  # noqa: S101 - a CHECK constraint: busy rows have one
        return self.row.operation_id

    @property
    def fence(self) -> dict[str, Any]:
        return {"pk": self.row.pk, "holder": self.node_id, "epoch": self.epoch}


def lease() -> timedelta:
    return timedelta(seconds=settings.LEASE)


def due() -> Q:
    """Rows that are owed work now: not watched, their time has come, and nobody's lease on them holds."""
    return Q(watched=False, not_before__lte=Now()) & (Q(holder=None) | Q(lease_until__lt=Now()))


def claimable(model: type[Leased]) -> Q:
    """Rows that this node may claim: those within its reach, and, to fail them, those past their deadline."""
    reach = model.within_reach()
    return Q(**reach) | Q(deadline_at__lt=Now()) if reach else Q()


def claim(model: type[L], pk: uuid.UUID) -> Held[L] | None:
    """Take the lease on a due busy row and count the attempt; None if there is nothing to do here.

    The one UPDATE is the whole decision: of any number of claimants one gets the row.
    """
    with transaction.atomic():
        row = swap(
            model,
            due(),
            claimable(model),
            pk=pk,
            status__in=list(model.machine.busy),
            values={
                "holder": local.node_id,
                "holder_pid": os.getpid(),
                "epoch": F("epoch") + 1,
                "lease_until": Now() + lease(),
                "claimed_at": Now(),
                "attempts": F("attempts") + 1,
                "taken_from": Coalesce(F("holder_id"), F("taken_from")),
            },
        )
        if row is None:
            return None
        if row.taken_from is not None:
            _record(row, "take_over", row.status, reason=f"the lease of node {row.taken_from} was lost")
    return Held(row, local.node_id, row.epoch)


def note(held: Held[L], **fields: object) -> None:
    """Write down what is about to be done outside, before it is done, and keep the lease.

    :raises Overtaken: a request has moved the row meanwhile, so it is not to be done any more.
    :raises Stale: the row is held no longer under this claim, so nothing may be done.
    """
    if swap(type(held.row), values=fields, operation=held.operation_id, **held.fence) is None:
        _hand_on(held, "note")


def rest(
    held: Held[L],
    *,
    after: timedelta,
    watch: bool = False,
    clean: bool = True,
    retry: str = "",
    reason: str = "",
    fields: Fields | None = None,
    also: Callable[[], None] | None = None,
    instead_of: str = "rest",
) -> L:
    """Let go of the row with its work still owed, `after` from now, and return it.

    `clean` says that the attempt came to its own end, which resets the count of attempts. `retry` and `reason`
    are shown on the resource until its next step. If a request has moved the row meanwhile (a delete during a
    create), the fields are written and the new work is due at once. `also` runs in the same transaction.
    `instead_of` names the write that was refused before, for the log.

    :raises Stale: the row is held no longer under this claim; nothing was written.
    """
    same = Q(operation=held.row.operation_id)
    values: dict[str, object] = {
        **RELEASED,
        "not_before": _if(same, Now() + after, F("not_before")),
        "watched": _if(same, Value(watch), F("watched")),
        "rung_at": None,  # the bell was answered: the sweep may ring as soon as the row is due
        "retries": F("retries") + 1 if retry else 0,
        "status_reason": _if(same, Value(retry or reason, TextField()), F("status_reason")),
        "updated_at": Now(),
        **(fields or {}),
    }
    if clean:
        values |= {"attempts": 0, "taken_from": None}
    with transaction.atomic():
        row = swap(type(held.row), values=values, **held.fence)
        if row is not None and retry:
            _record(held.row, "retry", held.row.status, reason=retry)
        if row is not None and also is not None:
            also()
    return row if row is not None else _refuse(held, instead_of)


def move(
    held: Held[L],
    event: str,
    *,
    fields: Fields | None = None,
    reason: str = "",
    also: Callable[[L, L], None] | None = None,
) -> None:
    """Make the outcome `event`: release the row, close its operation and record the move, in one transaction.

    `also` runs in that transaction after the row was won, for what must end with it (a quota, a child); it is called
    with the row as it was claimed and as it was written.

    :raises Overtaken: a request has moved the row meanwhile; it was released for the work now owed.
    :raises Stale: the row is held no longer under this claim; nothing was written.
    """
    outcome = type(held.row).machine.outcomes[event]
    with transaction.atomic():
        row = _win(held, outcome, reason, fields or {})
        if row is not None:
            if also is not None:
                also(held.row, row)
            if outcome.target == GONE:
                _delete(row)
            Operation.objects.filter(pk=held.operation_id, finished_at=None).update(
                state=Operation.State.COMPLETE if outcome.succeeded else Operation.State.FAILED,
                reason=reason,
                attempts=held.epoch - F("accepted_epoch"),
                finished_at=Now(),
            )
            _record(held.row, event, held.row.status, to=outcome.target, reason=reason)
    if row is None:
        _hand_on(held, event)


def _win(held: Held[L], outcome: Outcome, reason: str, fields: Fields) -> L | None:
    model = type(held.row)
    if held.row.status not in outcome.sources:
        raise ValueError(f"{outcome.event} is no outcome of {held.row.status}")
    fence = {**held.fence, "status": held.row.status, "operation": held.row.operation_id}
    if outcome.target == GONE:
        return model._default_manager.select_for_update().filter(**fence).first()  # noqa: SLF001
    return swap(model, values=at_rest(model, outcome.target, reason) | {**fields}, **fence)


def _delete(row: Leased) -> None:
    """Delete the row in one statement. What still refers to it the database's foreign keys refuse to leave behind."""
    rows = type(row)._base_manager.filter(pk=row.pk)  # noqa: SLF001
    rows._raw_delete(rows.db)  # noqa: SLF001 - delete() would first ask every table that may


def renew(models: Iterable[type[Leased]]) -> list[Leased]:
    """Renew every lease this node holds, but none on work claimed longer ago than a step may take.

    Return the rows that were renewed.
    """
    limit = timedelta(seconds=settings.STEP_LIMIT)
    return [
        row
        for model in models
        for row in swap_many(
            model,
            holder=local.node_id,
            claimed_at__gt=Now() - limit,
            lease_until__gt=Now(),  # a lease that has run out is not brought back: another may be claiming
            values={"lease_until": Now() + lease()},
        )
    ]


def give_up(model: type[L], node_id: uuid.UUID, *, why: str, pid: int | None = None) -> list[L]:
    """Release what a dead process held, so that nobody waits for the lease to run out; return the rows.

    Only the parent of the dead process may call this: it knows that nothing of it runs any more.
    """
    of_child = {} if pid is None else {"holder_pid": pid}
    with transaction.atomic():
        rows = swap_many(
            model,
            holder=node_id,
            **of_child,
            values={
                **RELEASED,
                "taken_from": F("holder_id"),
                "not_before": Now(),
                "rung_at": Now(),
            },
        )
        for row in rows:
            _record(row, "give_up", row.status, reason=why)
    return rows


def at_rest(model: type[Leased], status: str, reason: str) -> dict[str, object]:
    """Return what a row's columns are when it comes to rest in `status`."""
    return {
        **model.resting,
        **RELEASED,
        "status": status,
        "status_reason": reason,
        "operation": None,
        "deadline_at": None,
        "watched": False,
        "rung_at": None,
        "attempts": 0,
        "retries": 0,
        "taken_from": None,
        "updated_at": Now(),
    }


def _if(condition: Q, then: Expression | F, otherwise: F) -> Case:
    return Case(When(condition, then=then), default=otherwise)


def _hand_on(held: Held[L], what: str) -> NoReturn:
    """Release a row that a request has overtaken: what it now owes is due at once."""
    rest(held, after=timedelta(0), instead_of=what)
    raise Overtaken(f"{what} of {held.row.machine.name} {held.row.pk}: a request has moved the row")


def _refuse(held: Held[L], what: str) -> NoReturn:
    """Count and log a stale write: a double was prevented."""
    row = held.row
    log.warning("double prevented", write=what, resource=row.machine.name, id=str(row.pk), epoch=held.epoch)
    Node.objects.filter(pk=held.node_id).update(stale_refused=F("stale_refused") + 1)
    raise Stale(f"{what} of {row.machine.name} {row.pk} under epoch {held.epoch}: the row is held no longer")


def _record(row: Leased, event: str, was: str, *, to: str = "", reason: str = "") -> None:
    Event.objects.create(
        resource_type=row.machine.name,
        resource_id=row.pk,
        operation_id=row.operation_id,
        event=event,
        from_status=was,
        to_status=to or row.status,
        epoch=row.epoch,
        node_id=local.node_id,
        reason=reason,
    )


def take_slice(model: type[L], wanted: Q, *, limit: int, values: Mapping[str, object]) -> list[L]:
    """Take up to `limit` rows that no other tick is taking, write `values` to them and return them.

    Longest due first. Meant for what only says when to look again: the rows stay as free as they were.
    """
    with transaction.atomic():
        taken = (
            model._default_manager.select_for_update(skip_locked=True, of=("self",))  # noqa: SLF001
            .filter(wanted, status__in=list(model.machine.busy))
            .order_by("not_before")
            .values_list("pk", flat=True)[:limit]
        )
        pks = list(taken)
        return swap_many(model, wanted, pk__in=pks, values=values) if pks else []


def look_again(model: type[L], pks: Iterable[uuid.UUID], *, every: timedelta) -> None:
    """Have watched rows looked at again at the next of the moments that are `every` apart.

    The moments are the same for all rows, so that those looked at apart once are looked at together from then on.
    """
    grid = Func(Value(every), Now(), Value(EPOCH), function="date_bin", output_field=DateTimeField())
    swap_many(model, pk__in=list(pks), watched=True, values={"not_before": grid + every})


def wake(model: type[L], pks: Iterable[uuid.UUID]) -> list[L]:
    """Turn watched rows into rows that are owed work now; return those that were still watched."""
    return swap_many(
        model,
        pk__in=list(pks),
        watched=True,
        values={"watched": False, "not_before": Now(), "rung_at": Now()},
    )
