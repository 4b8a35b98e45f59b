"""Accepting a request: the resource's row, the Operation and the Event, in one transaction.

The API's half of a life. A request is a swap from a state it may start from into a busy one; of any number of
simultaneous requests one wins, and each loser learns which condition failed and what was found.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from psycopg2.errors import NotNullViolation

from lifecycle import accepted, leases, writes
from lifecycle.errors import Missing, StateConflict, Unprovided
from lifecycle.models import Leased, Operation
from lifecycle.prepared import fetched
from lifecycle.swap import Part, Swap, rows_of

L = TypeVar("L", bound=Leased)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for what: what the Operation remembers of a request."""

    user_id: str
    project_id: str
    request_id: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    size: int | None = None  # how much work it is, where the row does not tell


def birth(
    row: L,
    event: str,
    asked: Asked,
    *,
    name: str,
    deadline: timedelta | None = None,
    provided: Sequence[Part] = (),
) -> Operation:
    """Insert a new resource in the busy state in which `event` bears it, with its Operation.

    `provided` are guarded writes without which it is not to be, such as of a quota: each returns a row, or all is as
    it was. They are made in this order, in the same statement, so what they lock is locked for no longer than that.
    What the resource needs besides must have been reserved in the transaction of the call.

    :raises Unprovided: one of them returned no row.
    """
    machine = row.machine
    row.status = machine.births[event]
    operation = _operation(row, event, asked, name, {"operation": uuid.uuid4()})
    row.operation_id = operation.pk
    by_database = writes.defaults(row)
    moments = {
        "deadline_at": Part(f"{writes.NOW} + %s", [deadline or machine.busy[row.status].deadline]),
        "rung_at": Part(writes.NOW),
    }
    needs = {f"need_{number}": part for number, part in enumerate(provided)}
    # A row without a status is refused, and with it the whole statement.
    all_there = " AND ".join(f"EXISTS (SELECT FROM {need})" for need in needs) or "true"
    status = Part(f"CASE WHEN {all_there} THEN %s END", [row.status])
    born = writes.inserted(row, **moments, status=status)
    read = [*by_database, *moments]
    opened = writes.inserted(operation)
    statement = writes.joined(f"{born.sql} RETURNING {', '.join(read)}", **needs, opened=opened)
    try:
        with _whole() if needs else nullcontext():
            (found,) = fetched(statement.sql, [*statement.params, *born.params])
    except IntegrityError as error:
        if isinstance(error.__cause__, NotNullViolation) and error.__cause__.diag.column_name == "status":
            raise Unprovided(f"{machine.name} {row.pk} lacks something that it needs") from error
        raise
    for attribute, value in zip(read, found, strict=True):
        setattr(row, attribute, value)
    operation.created_at = row.created_at  # it was the same moment
    row._state.adding = False  # noqa: SLF001 - as save() would
    accepted.note(None, row, operation)
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
        won = Swap(model, pk=found.pk, **same, values=values).part()
        operation = _operation(found, event, asked, name, values)
        rows = rows_of(model, writes.won_with(won, **_with(found, event, asked, operation, values)))
        if rows:
            accepted.note(found, rows[0], operation)
            return rows[0]
        found = model._default_manager.filter(pk=row.pk).first()  # noqa: SLF001
    raise Missing(f"The {machine.name} is gone.")


def _operation(row: Leased, event: str, asked: Asked, name: str, values: Mapping[str, object]) -> Operation:
    """Return the record of a request: open under the id that the row will owe, or of one that is over already."""
    open_as = _owed(values)
    how: dict[str, Any] = (
        {"alike": row.alike(event, values, asked.size)} if open_as else {"state": Operation.State.COMPLETE}
    )
    return Operation(
        id=open_as or uuid.uuid4(),
        **how,
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


def _owed(values: Mapping[str, object]) -> uuid.UUID | None:
    """Return the id of the operation that the row will owe; None if it will owe none."""
    owed = values["operation"]
    return owed if isinstance(owed, uuid.UUID) else None


def _with(
    found: Leased, event: str, asked: Asked, operation: Operation, values: Mapping[str, object]
) -> dict[str, Part]:
    """Return what goes with the swap: the end of the operation that it overtakes, its own, and its Event."""
    to = str(values.get("status", found.status))
    parts: dict[str, Part] = {}
    source = " FROM won"
    if found.operation_id is not None:
        why = f"overtaken by {event}"
        state = Operation.State.SUPERSEDED
        parts["superseded"] = writes.closed(found.operation_id, state, why, found.epoch)
        source += " LEFT JOIN superseded ON true"  # so that it is over before the next one is open
    over = {} if _owed(values) else {"finished_at": Part(writes.NOW)}
    parts["opened"] = writes.inserted(operation, source, accepted_epoch=Part("won.epoch"), **over)
    reason = f"asked by user {asked.user_id}"
    parts["told"] = writes.told(
        found, event, found.status, to, by=False, operation=operation.pk, reason=reason
    )
    return parts


def _whole() -> AbstractContextManager[object]:
    """Return what keeps a statement's failure from that of the transaction that it may be part of."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()
