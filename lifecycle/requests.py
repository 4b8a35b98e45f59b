"""Accepting a request: the resource's row, the Operation and the Event, in one transaction.

The API's half of a life. A request is a swap from a state it may start from into a busy one; of any number of
simultaneous requests one wins, and each loser learns which condition failed and what was found.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

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
    operation = _operation(row, event, asked, name)
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
) -> L:
    """Swap `row` into the busy state that `event` asks for and return it as written.

    `row` may have been read long ago; the swap decides by what is there now. `guard` is called with the row
    that the swap is about to be made from and raises what speaks against it besides the state.

    :raises StateConflict: the state found does not allow it; the message names the condition.
    :raises Missing: the row is gone.
    """
    machine, model = row.machine, type(row)
    target = machine.requests[event].target
    found: L | None = row
    while found is not None:
        if found.status not in machine.requests[event].sources:
            raise StateConflict(machine.refusal(event, found.status), event=event, found=found.status)
        if guard is not None:
            guard(found)
        operation = _operation(found, event, asked, name)
        with transaction.atomic():
            won = swap(
                model,
                pk=found.pk,
                status=found.status,
                operation=found.operation_id,
                values={
                    "status": target,
                    "status_reason": "",
                    "operation": operation.pk,
                    "deadline_at": Now() + (deadline or machine.busy[target].deadline),
                    "not_before": Now(),
                    "rung_at": Now(),
                    "watched": False,
                    "attempts": 0,
                    "retries": 0,
                    "taken_from": None,
                    "updated_at": Now(),
                    **(values or {}),
                },
            )
            if won is not None:
                operation.accepted_epoch = won.epoch
                _supersede(found, event)
                operation.save(force_insert=True)
                _record(found, won, event, operation, asked)
                return won
        found = model._default_manager.filter(pk=row.pk).first()  # noqa: SLF001
    raise Missing(f"The {machine.name} is gone.")


def _operation(row: Leased, event: str, asked: Asked, name: str) -> Operation:
    return Operation(
        id=uuid.uuid4(),
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
