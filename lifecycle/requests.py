"""Accepting a request: the resource's row, the Operation and the Event, in one transaction.

The API's half of a life. A request is a swap from a state it may start from into a busy one; of any number of
simultaneous requests one wins, and each loser learns which condition failed and what was found.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from lifecycle import leases
from lifecycle.errors import Missing, StateConflict
from lifecycle.models import Event, Leased, Operation
from lifecycle.swap import swap

L = TypeVar("L", bound=Leased)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what: what the Operation remembers of a request."""

    user_id: str
    project_id: str
    request_id: str = ""
    params: Mapping[str, object] = field(default_factory=dict)


def birth(row: L, event: str, asked: Asked, *, name: str, deadline: timedelta | None = None) -> Operation:
    """Insert a new resource in the busy state in which `event` bears it, with its Operation.

    Call it inside the transaction that reserved what the resource needs.
    """
    machine = row.machine
    operation = _operation(row, event, asked, name, uuid.uuid4())
    row.status = machine.births[event]
    row.operation_id = operation.pk
    row.deadline_at = Now() + (deadline or machine.busy[row.status].deadline)
    row.rung_at = Now()
    operation.save(force_insert=True)
    row.save(force_insert=True)
    return operation


def request(
    row: L,
    event: str,
    asked: Asked,
    *,
    name: str,
    deadline: timedelta | None = None,
    values: Mapping[str, object] | None = None,
    guard: Callable[[L], None] | None = None,
    unchanged: Collection[str] = (),
) -> L:
    """Swap `row` into the busy state that `event` asks for and return it as written.

    `row` may have been read long ago; the swap decides by what is there now. `guard` is called with the row
    that the swap is about to be made from and raises what speaks against it besides the state. `unchanged` names
    the columns that `guard` looks at: they are conditions of the swap too.

    :raises StateConflict: the state found does not allow it; the message names the condition.
    :raises Missing: the row is gone.
    """
    target = row.machine.requests[event].target
    owed = {
        "status": target,
        "operation": uuid.uuid4(),
        "deadline_at": Now() + (deadline or row.machine.busy[target].deadline),
        "not_before": Now(),
        "rung_at": Now(),
        "watched": False,
        "status_reason": "",
        "attempts": 0,
        "retries": 0,
        "taken_from": None,
        "updated_at": Now(),
        **(values or {}),
    }
    return _swap(row, event, asked, name=name, values=owed, guard=guard, unchanged=unchanged)


def change(
    row: L,
    event: str,
    asked: Asked,
    *,
    name: str,
    to: str | None = None,
    reason: str = "",
    values: Mapping[str, object] | None = None,
    guard: Callable[[L], None] | None = None,
    unchanged: Collection[str] = (),
) -> L:
    """Make a move that is over at once, to `to` or within the status it is in, and return the row as written.

    Its Operation is finished as it is made. Work under way, where the machine lets the change overtake any, is
    called off: the epoch rises, so that whoever does it can write no more.

    :raises StateConflict: the state found does not allow it; the message names the condition.
    :raises Missing: the row is gone.
    """
    called_off: dict[str, object] = {**leases.at_rest(type(row), to or "", reason), "epoch": F("epoch") + 1}
    if to is None:
        del called_off["status"]
        if not reason:  # what it said of itself still holds
            del called_off["status_reason"]
    called_off |= values or {}
    return _swap(row, event, asked, name=name, values=called_off, guard=guard, unchanged=unchanged)


def _swap(
    row: L,
    event: str,
    asked: Asked,
    *,
    name: str,
    values: Mapping[str, object],
    guard: Callable[[L], None] | None,
    unchanged: Collection[str],
) -> L:
    """Write the request or the change; where another write came first, look again whether it is still allowed."""
    machine, model = row.machine, type(row)
    found: L | None = row
    while found is not None:
        if found.status not in machine.sources(event):
            raise StateConflict(machine.refusal(event, found.status), event=event, found=found.status)
        if guard is not None:
            guard(found)
        same = {column: getattr(found, column) for column in ("status", "operation_id", *unchanged)}
        with transaction.atomic(savepoint=False):  # what fails in here fails the whole of it
            won = swap(model, pk=found.pk, **same, values=values)
            if won is not None:
                _supersede(found, event)
                operation = _operation(won, event, asked, name, won.operation_id)
                operation.save(force_insert=True)
                _record(found, won, event, operation, asked)
                return won
        found = model._default_manager.filter(pk=row.pk).first()  # noqa: SLF001
    raise Missing(f"The {machine.name} is gone.")


def _operation(row: Leased, event: str, asked: Asked, name: str, open_as: uuid.UUID | None) -> Operation:
    """Return the record of a request: open under this id, or of one that is over already."""
    over = {} if open_as else {"state": Operation.State.COMPLETE, "finished_at": Now()}
    return Operation(
        id=open_as or uuid.uuid4(),
        **over,
        resource_type=row.machine.name,
        resource_id=row.pk,
        resource_name=name,
        project_id=asked.project_id,
        user_id=asked.user_id,
        request_id=asked.request_id,
        action=event,
        params=dict(asked.params),
        accepted_epoch=row.epoch if isinstance(row.epoch, int) else 0,
    )


def _supersede(found: Leased, event: str) -> None:
    """Close the operation that the winning request overtook. A row at rest has none."""
    if found.operation_id is not None:
        Operation.objects.filter(pk=found.operation_id, finished_at=None).update(
            state=Operation.State.SUPERSEDED,
            reason=f"overtaken by {event}",
            attempts=found.epoch - F("accepted_epoch"),
            finished_at=Now(),
        )


def _record(found: Leased, won: Leased, event: str, operation: Operation, asked: Asked) -> None:
    Event.objects.create(
        resource_type=won.machine.name,
        resource_id=won.pk,
        operation_id=operation.pk,
        event=event,
        from_status=found.status,
        to_status=won.status,
        epoch=won.epoch,
        reason=f"asked by user {asked.user_id}",
    )
