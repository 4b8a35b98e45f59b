"""Why something did not work with storage: the words of a `status_reason`, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lifecycle import reasons
from lifecycle.reasons import Reason, kind

BACKEND: Final = "backend"
KINDS: Final = (
    kind(
        "backend-unreachable",
        r"The back-end (?P<resource>\S+) cannot be reached: ",
        "Nothing to do: it is tried again until the deadline. If it lasts, tell the operator.",
        BACKEND,
    ),
    kind(
        "no-space",
        r"The back-end (?P<resource>\S+) has no room: ",
        "The storage is full: delete what is not needed, or ask for less, or tell the operator.",
        BACKEND,
    ),
    kind(
        "not-stored",
        r"The back-end (?P<resource>\S+) does not hold what this needs: ",
        "Something was lost or moved at the storage: tell the operator the id of the operation.",
        BACKEND,
    ),
    kind(
        "backend-refused",
        r"The back-end (?P<resource>\S+) refused: ",
        "The request itself is refused: correct what is named, or ask the operator, and ask again.",
        BACKEND,
    ),
    kind(
        "backend-failed",
        r"The back-end (?P<resource>\S+) failed: ",
        "Nothing to do: it is tried again until the deadline. If it lasts, tell the operator.",
        BACKEND,
    ),
    kind(
        "overtaken",
        r"A newer worker was here: ",
        "Nothing to do: the work goes on with another worker.",
    ),
    kind(
        "made-nowhere",
        r"It could be made nowhere\.",
        "Each pool that was tried is named: ask for another size or type, or delete this one and ask again later.",
    ),
    kind(
        "snapshots-left",
        r"Its snapshots could not be deleted: (?P<resource>[0-9a-f-]{36})",
        "See why the snapshot could not be deleted; then delete the volume again.",
        "snapshot",
    ),
    kind(
        "room-taken",
        r"The room in (?P<resource>\S+) was taken meanwhile",
        "Nothing to do: another pool is looked for.",
        "pool",
    ),
)


def understood(sentence: str) -> Reason | None:
    """Return what a sentence says; None where there is none."""
    return reasons.understood(sentence, KINDS)


def unreachable(backend: str, why: str) -> str:
    return f"The back-end {backend} cannot be reached: {why}"


def full(backend: str, why: str) -> str:
    return f"The back-end {backend} has no room: {why}"


def not_stored(backend: str, why: str) -> str:
    return f"The back-end {backend} does not hold what this needs: {why}"


def refused(backend: str, why: str) -> str:
    return f"The back-end {backend} refused: {why}"


def broken(backend: str, why: str) -> str:
    return f"The back-end {backend} failed: {why}"


def overtaken(why: str) -> str:
    return f"A newer worker was here: {why}"


def nowhere(tried: Iterable[tuple[str, str]], none: object = "") -> str:
    """Return it with each pool that was tried and its reason; `none` is why there is no other."""
    each = "; ".join(f"{pool}: {why}" for pool, why in tried)
    return f"It could be made nowhere. {each}. {none}".rstrip()


def snapshots_left(names: Iterable[str]) -> str:
    return f"Its snapshots could not be deleted: {', '.join(names)}."


def room_taken(pool: object) -> str:
    return f"The room in {pool} was taken meanwhile."
