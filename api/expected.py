"""How long an operation may take, as the API tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lifecycle import durations
from lifecycle.durations import Expected, Like
from lifecycle.models import Operation


def experience(operations: Iterable[Operation]) -> Mapping[Like, Expected]:
    """Return what is known of how long these take that are under way: one statement, or none where none is."""
    return durations.expected([durations.like(one) for one in operations if one.finished_at is None])


def expected_seconds(
    operation: Operation, known: Mapping[Like, Expected] | None = None
) -> dict[str, Any] | None:
    """Return how long it may take, and what that rests on; None where it is over, or there is too little experience."""
    if operation.state != Operation.State.IN_PROGRESS:
        return None
    known = durations.expected([durations.like(operation)]) if known is None else known
    found = known.get(durations.like(operation))
    if found is None:
        return None
    return {
        "median": round(found.median.total_seconds(), 2),
        "p90": round(found.most.total_seconds(), 2),
        "samples": found.samples,
        "like": found.like,
    }


def estimated_finish(operation: Operation, known: Mapping[Like, Expected]) -> str | None:
    """Return when half of those alike were over; None where it is over, or there is too little experience."""
    found = known.get(durations.like(operation)) if operation.finished_at is None else None
    return None if found is None else (operation.created_at + found.median).isoformat()


def expectations(operation: Operation | None) -> dict[str, Any]:
    """Return which operation is under way and what may be expected of it, to be told beside how far it is."""
    if operation is None:
        return {}
    known = experience([operation])
    return {
        "operation": str(operation.pk),
        "expected_seconds": expected_seconds(operation, known),
        "estimated_finish": estimated_finish(operation, known),
    }
