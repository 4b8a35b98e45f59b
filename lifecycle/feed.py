"""Events in the order in which they are told: each is told once to a reader who goes on from where it was.

An event's `id` is drawn before its transaction commits, so that who remembers the greatest id misses what commits
later under a smaller one. Nor is the number of its transaction alone an order: of two events of a resource the later
one may be of the transaction that began first. Hence `turn`, which is not below the number of its own transaction nor
below the turn of any earlier event of its resource, and the order (turn, id). Below the least number of a transaction
that still runs nothing can be added any more, and no further is read. So a long transaction, in whatever database of
the server, delays events; none is left out.

A reader's Place names the last event that it was told. While that event is there, all that come after it are: they are
forgotten longest over first, and another history (a dump restored, a standby that had not heard of it) has no event of
those numbers and of that moment.
"""

# ruff: noqa: S608 - the names are those of our own tables; all values are parameters

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from django.conf import settings
from django.db import connection

from lifecycle.models import Event, Operation
from lifecycle.prepared import fetched
from lifecycle.swap import columns

MARGIN: Final = timedelta(hours=1)
"""So long before it may be forgotten an event does not count as a place any more: what came after it may have been
written by a statement that began before, by less than that."""
_EVENTS: Final = Event._meta.db_table  # noqa: SLF001
_OPERATIONS: Final = Operation._meta.db_table  # noqa: SLF001
# The least number that no transaction has had by now, but this one.
_TO_COME: Final = (
    "GREATEST(pg_snapshot_xmax(pg_current_snapshot())::text::bigint, "
    "pg_current_xact_id_if_assigned()::text::bigint + 1)"
)
_ATTRIBUTES: Final = tuple(field.attname for field in Event._meta.concrete_fields)  # noqa: SLF001


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the order of events: that of one of them; or, with turn and id 0, the one before all of them."""

    turn: int
    id: int
    at: datetime  # of the event; of the first place, when it was given away

    @property
    def is_first(self) -> bool:
        return (self.turn, self.id) == (0, 0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for: those of some kinds of resources, of a project (None: of all), of one resource..."""

    kinds: tuple[str, ...]
    project_id: str | None
    resource_id: uuid.UUID | None = None
    operation_id: uuid.UUID | None = None

    def __contains__(self, event: Event) -> bool:
        """Tell of an event that was read for many whether it is one of these."""
        return (
            event.resource_type in self.kinds
            and self.project_id in (None, event.project_id)
            and self.resource_id in (None, event.resource_id)
            and self.operation_id in (None, event.operation_id)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some events in order, the place to go on from, and whether there are more of them by now."""

    events: Sequence[Event]
    next: Place
    more: bool
    end: Place
    """That of the last event of these kinds that can be told by now, whose ever it is."""


class Lost(Exception):
    """What comes after a place cannot be told any more without a gap; `end` is a place to begin anew from."""

    def __init__(self, end: Place) -> None:
        super().__init__("the place is in this history no more")
        self.end = end


class Unordered(Exception):
    """Events of another installation have turns that are still to come in this one: see `set_in_order`."""


def place_of(event: Event) -> Place:
    return Place(event.turn, event.pk, event.at)


def end_of(kinds: Collection[str]) -> Place:
    """Return the place after all that can be told by now.

    :raises Unordered: see there.
    """
    return _read(Wanted(tuple(sorted(kinds)), None), None, 0).end


def read(wanted: Wanted, after: Place | None, limit: int) -> Page:
    """Return the events that come after a place, or from the first that is kept on: one statement.

    :raises Lost: the place is not to be found any more.
    :raises Unordered: see there.
    """
    return _read(wanted, after, limit)


def _read(wanted: Wanted, after: Place | None, limit: int) -> Page:
    turn, number, at = (after.turn, after.id, after.at) if after else (0, 0, None)
    kinds, kept = list(wanted.kinds), timedelta(days=settings.HISTORY_DAYS) - MARGIN
    narrowing = [wanted.resource_id, wanted.operation_id, wanted.operation_id, wanted.project_id]
    statement = _statement(
        of_resource=wanted.resource_id is not None,
        of_operation=wanted.operation_id is not None,
        of_project=wanted.project_id is not None,
    )
    params = [kinds, turn, number, at, number, turn, at, kept, kinds]
    params += [*(value for value in narrowing if value is not None), turn, number, limit + 1, limit + 1]
    rows = fetched(statement, params)
    now, unordered, there, *last = rows[0][:6]
    if unordered:
        raise Unordered
    end = Place(*last) if last[0] is not None else Place(0, 0, now)
    if after is not None and not there:
        raise Lost(end)
    events = [Event.from_db(connection.alias, _ATTRIBUTES, row[6:]) for row in rows if row[6] is not None]
    told, more = events[:limit], len(events) > limit
    # Where there are no more, all up to the end were looked through, and its place is good for longest.
    reached = place_of(told[-1]) if more and told else end
    return Page(told, max(reached, after) if after else reached, more, end)


@cache
def _statement(*, of_resource: bool, of_operation: bool, of_project: bool) -> str:
    """Return the one statement: all of it is of one moment, so what a place is worth and what follows it fit.

    Of one resource there are few events, and an index of them; what is not of one is looked for in their order.
    """
    source, narrowed = _EVENTS, ["e.resource_type = kind"]
    if of_resource or of_operation:
        which = ["resource_id = %s"] if of_resource else []
        if of_operation:
            which.append(f"resource_id = (SELECT resource_id FROM {_OPERATIONS} WHERE id = %s)")
            which.append("operation_id = %s")
        source = f"(SELECT * FROM {_EVENTS} WHERE {' AND '.join(which)} OFFSET 0)"
    if of_project:
        narrowed.append("e.project_id = %s")
    listed = ", ".join(f"found.{column.strip()}" for column in columns(Event).split(","))
    return f"""
        WITH seen AS MATERIALIZED (
            SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon, {_TO_COME} AS to_come
        ), latest AS MATERIALIZED (
            SELECT one.turn, one.id, one.at, (
                SELECT max(e.turn) FROM {_EVENTS} e WHERE e.resource_type = kind
            ) AS greatest
            FROM unnest(%s::text[]) AS kind LEFT JOIN LATERAL (
                SELECT e.turn, e.id, e.at FROM {_EVENTS} e
                WHERE e.resource_type = kind AND e.turn < (SELECT horizon FROM seen)
                ORDER BY e.turn DESC, e.id DESC LIMIT 1
            ) AS one ON true
        ), last AS MATERIALIZED (
            SELECT turn, id, at FROM latest WHERE id IS NOT NULL ORDER BY turn DESC, id DESC LIMIT 1
        ), place AS MATERIALIZED (
            SELECT statement_timestamp() AS now,
                COALESCE((SELECT max(greatest) FROM latest) >= (SELECT to_come FROM seen), false) AS unordered,
                CASE WHEN %s::bigint = 0 AND %s::bigint = 0 THEN %s::timestamptz ELSE (
                    SELECT CASE WHEN e.id = last.id THEN 'infinity' ELSE e.at END
                    FROM {_EVENTS} e LEFT JOIN last ON true WHERE e.id = %s AND e.turn = %s AND e.at = %s
                ) END > statement_timestamp() - %s::interval AS there,
                last.turn, last.id, last.at
            FROM (SELECT) AS one LEFT JOIN last ON true
        )
        SELECT place.*, {listed} FROM place LEFT JOIN LATERAL (
            SELECT picked.* FROM unnest(%s::text[]) AS kind CROSS JOIN LATERAL (
                SELECT e.* FROM {source} AS e
                WHERE {" AND ".join(narrowed)} AND (e.turn, e.id) > (%s, %s)
                    AND e.turn < (SELECT horizon FROM seen)
                ORDER BY e.turn, e.id LIMIT %s
            ) AS picked
            ORDER BY picked.turn, picked.id LIMIT %s
        ) AS found ON true
        ORDER BY found.turn, found.id
    """


def set_in_order() -> int:
    """Put the events of another installation before all of this one, and return how many there were.

    A dump brings turns of the server that it was taken on; those of the one that it was restored to may be smaller.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_EVENTS} SET turn = 0 "
            f"WHERE turn > 0 AND id <= (SELECT max(id) FROM {_EVENTS} WHERE turn >= {_TO_COME})"
        )
        return cursor.rowcount
