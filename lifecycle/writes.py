"""What a guarded write takes with it, in the same statement: its Event, its Operation's end or beginning.

One statement is one round trip and a transaction of its own: all of its parts are done or none is. `won` is what the
guarded write returned; the other parts read it, so that where nothing was won they write nothing.

PostgreSQL runs all parts of a statement on one snapshot. So no part but `won` may write a row that another session
could be writing: an Operation is written only with its resource's row, and whoever won that is alone with it.
"""

# ruff: noqa: S608 - the names are those of our own tables; all values are parameters

from __future__ import annotations

import uuid
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.expressions import DatabaseDefault

from lifecycle import local
from lifecycle.models import Event, Leased, Operation
from lifecycle.swap import Part, columns

NOW = "STATEMENT_TIMESTAMP()"  # as Django's Now()
_EVENTS = Event._meta.db_table  # noqa: SLF001
_OPERATIONS = Operation._meta.db_table  # noqa: SLF001
_EVENT = (
    f"INSERT INTO {_EVENTS} "
    "(resource_type, resource_id, operation_id, event, from_status, to_status, epoch, node_id, reason, "
    "project_id, turn)"
)
_TURN = "lifecycle_turn(won.id)"  # called for a row that was won, so it sees all earlier events of that


def joined(last: str, **parts: Part) -> Part:
    """Return the statement that runs the parts, each under its name, and ends with `last`."""
    named = ", ".join(f"{name} AS ({part.sql})" for name, part in parts.items())
    return Part(f"WITH {named} {last}", [param for part in parts.values() for param in part.params])


def won_with(won: Part, **parts: Part) -> Part:
    """Return the statement that makes a guarded write with all that goes with it, and returns what was won."""
    return joined("SELECT * FROM won", won=won, **parts)


def removal(row: Leased, **fence: object) -> Part:
    """Return the guarded write that deletes a row. What still refers to it the database refuses to leave behind."""
    conditions = " AND ".join(f"{column} = %s" for column in fence)
    table = row._meta.db_table  # noqa: SLF001
    sql = f"DELETE FROM {table} WHERE {conditions} RETURNING {columns(type(row))}"
    return Part(sql, list(fence.values()))


def told(
    row: Leased,
    event: str,
    was: str,
    to: str,
    *,
    by: bool = True,
    operation: uuid.UUID | None,
    reason: str = "",
) -> Part:
    """Return the part that records a move of the row that was won. `by` says that this node made it."""
    node = local.node_id if by else None
    return Part(
        f"{_EVENT} SELECT %s, won.id, %s, %s, %s, %s, won.epoch, %s, %s, {row.owned_by}, {_TURN} FROM won",
        [row.machine.name, operation, event, was, to, node, reason],
    )


def told_of_take_over(model: type[Leased]) -> Part:
    """Return the part that records that a row that was claimed had been lost by another node."""
    reason = Part("'the lease of node ' || won.taken_from || ' was lost'")
    return _told_of_each(model, "take_over", reason, " WHERE won.taken_from IS NOT NULL")


def told_of_give_up(model: type[Leased], why: str) -> Part:
    """Return the part that records of each row that was won that it was given up."""
    return _told_of_each(model, "give_up", Part("%s", [why]))


def _told_of_each(model: type[Leased], event: str, reason: Part, where: str = "") -> Part:
    return Part(
        f"{_EVENT} SELECT %s, won.id, won.operation_id, %s, won.status, won.status, won.epoch, %s, {reason.sql}, "
        f"{model.owned_by}, {_TURN} FROM won{where}",
        [model.machine.name, event, local.node_id, *reason.params],
    )


def closed(operation: uuid.UUID, state: Operation.State, reason: str, epoch: int) -> Part:
    """Return the part that ends an operation with the row that was won, after attempts up to this epoch."""
    return Part(
        f"UPDATE {_OPERATIONS} SET state = %s, reason = %s, attempts = %s - accepted_epoch, finished_at = {NOW} "
        f"FROM won WHERE {_OPERATIONS}.id = %s AND {_OPERATIONS}.finished_at IS NULL RETURNING {_OPERATIONS}.id",
        [state.value, reason, epoch, operation],
    )


def inserted(row: models.Model, source: str = "", /, **instead: Part) -> Part:
    """Return the part that inserts a row; what its instance does not say is left to the database's defaults.

    `instead` are columns that come from the `source`, a FROM clause, or are computed.
    """
    names: list[str] = []
    values: list[str] = []
    params: list[Any] = []
    for attribute, column, json in _fields(type(row)):
        if column in instead:
            part = instead[column]
            values.append(part.sql)
            params += part.params
        else:
            value = getattr(row, attribute)
            if isinstance(value, DatabaseDefault):
                continue
            values.append("%s")
            params.append(value if json is None else _stored(value, json))
        names.append(f'"{column}"')
    table = row._meta.db_table  # noqa: SLF001
    return Part(f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}{source}", params)


def defaults(row: models.Model) -> list[str]:
    """Return the attributes of an instance that the database is to fill in."""
    return [name for name, _, _ in _fields(type(row)) if isinstance(getattr(row, name), DatabaseDefault)]


def _stored(value: object, field: models.JSONField) -> object:
    return field.get_db_prep_save(value, connections[DEFAULT_DB_ALIAS])


@cache
def _fields(model: type[models.Model]) -> list[tuple[str, str, models.JSONField | None]]:
    """Return attribute and column of each field, and itself if its values are stored in another form than they have."""
    return [
        (field.attname, str(field.column), field if isinstance(field, models.JSONField) else None)
        for field in model._meta.concrete_fields  # noqa: SLF001
    ]
