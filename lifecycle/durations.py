"""How long operations took that were like one: what may be expected of it.

Asked of the finished operations themselves, by an index that holds those alike side by side, the latest first. A few of
the latest are looked at and no more, so it costs the same however long the history is. What failed, and what another
request overtook, says nothing of how long it takes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import connection

from lifecycle.models import Operation

LATEST: Final = 50  # operations that an expectation rests on, at most
LEAST: Final = 5  # and at least: fewer are no experience

Like = tuple[str, str, str]  # resource type, action, what it was like
_TABLE: Final = Operation._meta.db_table  # noqa: SLF001
_ASK: Final = f"""
    SELECT resource_type, action, alike, found.samples, found.parts[1], found.parts[2]
    FROM unnest(%s::text[], %s::text[], %s::text[]) AS wanted (resource_type, action, alike), LATERAL (
        SELECT count(*) AS samples, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY seconds) AS parts
        FROM (
            SELECT extract(epoch FROM one.finished_at - one.created_at) AS seconds FROM {_TABLE} AS one
            WHERE one.resource_type = wanted.resource_type AND one.action = wanted.action
            AND one.alike = wanted.alike AND one.alike > '' AND one.state = 'COMPLETE'
            ORDER BY one.finished_at DESC LIMIT {LATEST}
        ) AS latest
    ) AS found
"""  # noqa: S608 - our own table and number


@dataclass(frozen=True, slots=True)
class Expected:
    """How long it may take: half of those alike took no longer than `median`, nine of ten no longer than `most`."""

    median: timedelta
    most: timedelta
    samples: int
    like: str


def like(operation: Operation) -> Like:
    """Return by what the operation is compared with others."""
    return operation.resource_type, operation.action, operation.alike


def expected(wanted: Collection[Like]) -> Mapping[Like, Expected]:
    """Return how long it took what was alike, in one statement; nothing of what there is too little experience of."""
    asked = sorted({one for one in wanted if one[2]})
    if not asked:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_ASK, [list(column) for column in zip(*asked, strict=True)])
        rows = cursor.fetchall()
    return {
        (kind, action, alike): Expected(
            timedelta(seconds=median), timedelta(seconds=most), samples, f"{action} {kind}, {alike}"
        )
        for kind, action, alike, samples, median, most in rows
        if samples >= LEAST
    }


def sized(number: int) -> str:
    """Return the class of sizes that take about as long: 0, 1, 2-3, 4-7, 8-15, ..."""
    if number <= 1:
        return str(max(number, 0))
    least = 1 << (number.bit_length() - 1)
    return f"{least}-{2 * least - 1}"
