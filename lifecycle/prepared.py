"""Statements that are run again and again: PostgreSQL plans each once for a connection, and not each time.

To plan one of the long statements of `lifecycle.writes` costs as much as to run it, and psycopg2 prepares nothing by
itself. So one that a connection has been asked for OFTEN enough is given to the server by a name. Only outside
transactions: where the server does not know the name (a pooler gave us another session of it, or somebody dropped it),
nothing was done, and the statement is run as it is. A process that meets this prepares nothing any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from psycopg2 import errors

OFTEN = 3  # times a connection runs a statement before it is prepared
MOST = 200  # statements of one connection, of which each costs its server some memory

log = structlog.get_logger(__name__)

_NOT_THERE = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement)
_STALE = errors.FeatureNotSupported  # a migration has changed what the statement returns


class _Known:
    """What one connection has been asked for: how often, and by which text it is asked since it is prepared."""

    def __init__(self) -> None:
        self.times: dict[str, int] = {}
        self.asked_by: dict[str, str] = {}


_known: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()
_kept_by_server = True  # what was prepared, as far as this process has seen


def fetched(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run a statement that returns rows, and return them."""
    with connection.cursor() as cursor:
        text = _prepared(sql, len(params))
        if text is not None:
            try:
                cursor.execute(text, params)
            except DatabaseError as error:
                _forget(sql, error)
                cursor.execute(sql, params)
        else:
            cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _prepared(sql: str, count: int) -> str | None:
    """Return the text that runs the statement by its name; None if it is not, or cannot be, run so."""
    if connection.in_atomic_block or not _kept_by_server or not settings.DATABASE_PREPARES:
        return None
    known = _known.get(connection.connection)
    if known is None:
        known = _known[connection.connection] = _Known()
    text = known.asked_by.get(sql)
    if text is not None:
        return text or None
    times = known.times[sql] = known.times.get(sql, 0) + 1
    if times <= OFTEN or len(known.asked_by) >= MOST:
        if len(known.times) > MOST * 2:
            known.times.clear()
        return None
    text = known.asked_by[sql] = _prepare(sql, count)
    return text or None


def _prepare(sql: str, count: int) -> str:
    """Have the statement prepared and return the text that runs it; nothing if it cannot be prepared."""
    name = f"roadstead_{hashlib.sha256(sql.encode()).hexdigest()[:24]}"
    numbered = sql % tuple(f"${number}" for number in range(1, count + 1))
    try:
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            cursor.execute(f"PREPARE {name} AS {numbered}")
    except DatabaseError as error:
        if isinstance(error.__cause__, errors.OperationalError) or connection.connection.closed:
            raise  # it is not the statement's fault
        log.warning("a statement cannot be prepared", reason=str(error), sql=sql[:200])
        return ""
    return f"EXECUTE {name} ({', '.join(['%s'] * count)})" if count else f"EXECUTE {name}"


def _forget(sql: str, error: DatabaseError) -> None:
    """Return if the statement was not run because it is not prepared as we thought; raise the error if that is none.

    :raises DatabaseError: it is another error.
    """
    global _kept_by_server  # noqa: PLW0603 - one database for the process
    if isinstance(error.__cause__, _NOT_THERE):
        _kept_by_server = False
        log.warning(
            "prepared statements are not kept: is there a pooler? They are used no more", reason=str(error)
        )
    elif isinstance(error.__cause__, _STALE):
        _known[connection.connection].asked_by[sql] = ""
    else:
        raise error
