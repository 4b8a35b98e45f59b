"""The lease: claim a busy row, rest it, move it, renew it, give it up.

Each of them is one guarded write, and one statement with the Event and the Operation's end that go with it. There is
no reaper: taking over a lost row is the same `claim` as starting it, and raises the epoch, so that whatever the late
holder still writes is refused.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, NoReturn, TypeVar

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, F, Func, Q, Value
from django.db.models.functions import Now

from lifecycle import guarded, local, writes
from lifecycle.errors import Overtaken, Stale
from lifecycle.guarded import RELEASED, at_rest, claimable, due
from lifecycle.machine import GONE, Outcome
from lifecycle.models import Leased, Node, Operation
from lifecycle.outcome import Fields
from lifecycle.swap import Part, Swap, rows_of, swap, swap_many

__all__ = [
    "Held",
    "at_rest",
    "claim",
    "claim_next",
    "claimable",
    "due",
    "give_up",
    "is_any_due",
    "lease",
    "look_again",
    "move",
    "note",
    "renew",
    "rest",
    "take_slice",
    "wake",
]

log = structlog.get_logger(__name__)
L = TypeVar("L", bound=Leased)

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


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


def claim(model: type[L], pk: uuid.UUID) -> Held[L] | None:
    """Take the lease on a due busy row and count the attempt; None if there is nothing to do here.

    The one UPDATE is the whole decision: of any number of claimants one gets the row.
    """
    return _claimed(guarded.claiming(model).part(pk=pk, **_me()), model)


def claim_next(model: type[L]) -> Held[L] | None:
    """Claim, of the rows that this node may claim, the one that has been due for longest; None if there is none."""
    return _claimed(guarded.claiming_next(model).part(**_me()), model)


def is_any_due(model: type[Leased]) -> bool:
    """Tell whether there is a row that this node may claim."""
    due_now = model._default_manager.filter(due(), claimable(model), status__in=list(model.machine.busy))  # noqa: SLF001
    return due_now.exists()


def _me() -> dict[str, object]:
    return {"holder": local.node_id, "pid": os.getpid(), "lease": lease()}


def _claimed(won: Part, model: type[L]) -> Held[L] | None:
    rows = rows_of(model, writes.won_with(won, told=writes.told_of_take_over(model)))
    return Held(rows[0], local.node_id, rows[0].epoch) if rows else None


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
    create), the fields are written, a deadline apart, and the new work is due at once. `also` runs in the same
    transaction. `instead_of` names the write that was refused before, for the log.

    :raises Stale: the row is held no longer under this claim; nothing was written.
    """
    model, fields = type(held.row), fields or {}
    won = guarded.resting(model, fields, watch=watch, clean=clean, retry=bool(retry)).part(
        **held.fence,
        **guarded.given(model, fields),
        operation=held.row.operation_id,
        after=after,
        reason=retry or reason,
    )
    with _one(also):
        rows = rows_of(
            model, writes.won_with(won, **({"told": _told(held, "retry", retry)} if retry else {}))
        )
        if rows and also is not None:
            also()
    return rows[0] if rows else _refuse(held, instead_of)


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
    row, model, fields = held.row, type(held.row), fields or {}
    outcome = model.machine.outcomes[event]
    if row.status not in outcome.sources:
        raise ValueError(f"{event} is no outcome of {row.status}")
    state = Operation.State.COMPLETE if outcome.succeeded else Operation.State.FAILED
    statement = writes.won_with(
        _win(held, outcome, reason, fields),
        closed=writes.closed(held.operation_id, state, reason, held.epoch),
        told=_told(held, event, reason, to=outcome.target),
    )
    with _one(also):
        rows = rows_of(model, statement)
        if rows and also is not None:
            also(row, rows[0])
    if not rows:
        _hand_on(held, event)


def _win(held: Held[L], outcome: Outcome, reason: str, fields: Fields) -> Part:
    row, model = held.row, type(held.row)
    claimed = {"status": row.status, "operation": row.operation_id}
    if outcome.target == GONE:
        return writes.removal(
            row,
            id=row.pk,
            holder_id=held.node_id,
            epoch=held.epoch,
            status=row.status,
            operation_id=row.operation_id,
        )
    move = guarded.moving(model, outcome.target, fields)
    return move.part(**held.fence, **claimed, **guarded.given(model, fields), reason=reason)


def _one(also: Callable[..., None] | None) -> AbstractContextManager[object]:
    """Return the transaction of a write: a statement is one of its own, unless more is to be done with it."""
    return nullcontext() if also is None else transaction.atomic()


def renew(models: Iterable[type[Leased]]) -> list[Leased]:
    """Renew every lease this node holds, but none on work claimed longer ago than a step may take.

    Return the rows that were renewed.
    """
    mine = {"holder": local.node_id, "limit": timedelta(seconds=settings.STEP_LIMIT), "lease": lease()}
    return [row for model in models for row in guarded.renewing(model).rows(**mine)]


def give_up(model: type[L], node_id: uuid.UUID, *, why: str, pid: int | None = None) -> list[L]:
    """Release what a dead process held, so that nobody waits for the lease to run out; return the rows.

    Only the parent of the dead process may call this: it knows that nothing of it runs any more.
    """
    of_child = {} if pid is None else {"holder_pid": pid}
    values = {**RELEASED, "taken_from": F("holder_id"), "not_before": Now(), "rung_at": Now()}
    won = Swap(model, holder=node_id, **of_child, values=values).part()
    return rows_of(model, writes.won_with(won, told=writes.told_of_give_up(model, why)))


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


def _told(held: Held[L], event: str, reason: str, *, to: str = "") -> Part:
    row = held.row
    return writes.told(row, event, row.status, to or row.status, operation=row.operation_id, reason=reason)


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
