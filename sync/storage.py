"""The two-way look at storage: what is stored that no row owns, and what rows own that is not stored.

A look alone changes nothing. What is provably ours and over (its delete is on record, or its row lives in another pool)
may be removed; what nobody knows is told and left alone: it may be somebody's data.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial

import structlog
from django.db.models import Q

from lifecycle.models import Operation
from sync.models import Cursor
from volumes import storage
from volumes.backends.base import BackendError, Ref, Stored
from volumes.models import ServiceState, Snapshot, Volume
from volumes.states import AVAILABLE, IN_USE

log = structlog.get_logger(__name__)

STORAGE, PRUNE = "storage", "prune"
A_DAY = timedelta(days=1)
LATEST = timedelta(
    days=30
)  # a writer that was frozen for longer is no longer kept out of what was deleted since
PAUSE = timedelta(minutes=10)
BATCH = 1000
_RESTING = Q(status__in=[AVAILABLE, IN_USE])
FOREVER = 2**62  # the epoch of a removal: nothing may write under that name again


class Kind(StrEnum):
    OVER = "over"  # ours, and its row is gone or elsewhere: safe to remove
    UNKNOWN = (
        "unknown"  # named like ours, but no record knows it: from another installation, or a lost database
    )
    FOREIGN = "foreign"  # not even named like ours
    LEFT = "left"  # an unfinished write of a row that is at rest: its next verb, or its delete, takes it away
    MISSING = "missing"  # a row that is at rest has nothing stored


@dataclass(frozen=True, slots=True)
class Finding:
    kind: Kind
    backend: str
    pool: str
    name: str
    id: uuid.UUID | None
    size: int  # bytes
    whole: bool = False  # a finished volume or snapshot, under an id that no row has

    def __str__(self) -> str:
        where = f"{self.backend}#{self.pool}"
        match self.kind:
            case Kind.OVER:
                return f"{where} stores {self.name}, whose row is gone or stored elsewhere"
            case Kind.UNKNOWN:
                return f"{where} stores {self.name}, which no row and no record knows"
            case Kind.LEFT:
                return f"{where} holds {self.name}, an unfinished write of a row at rest"
            case Kind.FOREIGN:
                return f"{where} holds {self.name[:80]!r}, which is none of ours"
        return f"{self.name} should be stored in {where} and is not"


def tell() -> int:
    """Look at the back-ends that this node serves, one each PAUSE whatever the number of nodes; log what was found."""
    told = 0
    for name in ServiceState.serving():
        try:
            findings = Cursor.take_turn(f"{STORAGE}:{name}", partial(look, name), pause=PAUSE)
            Cursor.take_turn(f"{PRUNE}:{name}", partial(_prune, name), pause=A_DAY)
        except BackendError as error:
            storage.mark_down(name, error)
            continue
        for found in findings:
            if found.kind is not Kind.LEFT:
                log.warning("storage and rows differ", kind=found.kind, finding=str(found), size=found.size)
                told += 1
    return told


def _prune(backend: str) -> list[int]:
    return [storage.backend(backend).prune(LATEST.total_seconds())]


def look(backend: str) -> list[Finding]:
    """Compare a back-end with its rows, both ways.

    Storage and rows cannot be seen at one moment, so what seems wrong is told only if a second look confirms it.

    :raises BackendError: the storage could not be listed.
    """
    stored = list(storage.backend(backend).inventory())
    suspects = [finding for slice_ in _slices(stored) for finding in _without_row(backend, slice_)]
    missing = _without_file(backend, {(each.pool, each.id) for each in stored if not each.partial})
    if not suspects and not missing:
        return []
    there = {(each.pool, each.name) for each in storage.backend(backend).inventory()}
    return [
        *(finding for finding in suspects if (finding.pool, finding.name) in there),
        *(
            finding
            for finding in missing
            if (finding.pool, str(finding.id)) not in there and _at_rest(finding)
        ),
    ]


def _slices(stored: Iterable[Stored]) -> Iterator[list[Stored]]:
    taken: list[Stored] = []
    for each in stored:
        taken.append(each)
        if len(taken) == BATCH:
            yield taken
            taken = []
    yield taken


def _without_row(backend: str, stored: list[Stored]) -> Iterator[Finding]:
    ids = [each.id for each in stored if each.id is not None]
    rows = {row[0]: row[1:] for model in (Volume, Snapshot) for row in _homes(model, ids)}
    ended = set(
        Operation.objects.filter(
            resource_id__in=[pk for pk in ids if pk not in rows],
            resource_type__in=["volume", "snapshot"],
            action__in=["delete", "force_delete"],
            state=Operation.State.COMPLETE,
        ).values_list("resource_id", flat=True)
    )
    for each in stored:
        if each.id is None:
            yield _finding(Kind.FOREIGN, backend, each)
        elif each.id in rows:
            home, pool, busy, tried = rows[each.id]
            at_home = (home, pool) == (backend, each.pool)
            if not at_home and f"{backend}#{each.pool}" in tried:
                yield _finding(Kind.OVER, backend, each)
            elif not at_home or (each.partial and not busy):
                yield _finding(Kind.LEFT if at_home else Kind.UNKNOWN, backend, each)
        else:
            yield _finding(
                Kind.OVER if each.id in ended else Kind.UNKNOWN, backend, each, whole=not each.partial
            )


def _homes(
    model: type[Volume | Snapshot], ids: list[uuid.UUID]
) -> Iterator[tuple[uuid.UUID, str, str, bool, list[str]]]:
    for row in model._default_manager.filter(pk__in=ids):  # noqa: SLF001
        tried = [each["pool"] for each in row.tried] if isinstance(row, Volume) else []
        yield row.pk, row.backend, row.pool, row.operation_id is not None, tried


def _finding(kind: Kind, backend: str, each: Stored, *, whole: bool = False) -> Finding:
    return Finding(kind, backend, each.pool, each.name, each.id, each.size, whole)


def _without_file(backend: str, there: set[tuple[str, uuid.UUID | None]]) -> list[Finding]:
    rows = [
        row
        for model in (Volume, Snapshot)
        for row in model._default_manager.filter(_RESTING, backend=backend).iterator()  # noqa: SLF001
    ]
    return [
        Finding(Kind.MISSING, backend, row.pool, f"{row.machine.name} {row.pk}", row.pk, 0)
        for row in rows
        if (row.pool, row.pk) not in there
    ]


def _at_rest(finding: Finding) -> bool:
    rows = (model._default_manager.filter(_RESTING, pk=finding.id) for model in (Volume, Snapshot))  # noqa: SLF001
    return any(row.exists() for row in rows)


def remove(finding: Finding) -> None:
    """Remove what is over, for ever: whoever may still want to write it is refused by the storage.

    :raises ValueError: it is not provably over.
    :raises BackendError: the storage did not do it.
    """
    if finding.kind is not Kind.OVER or finding.id is None:
        raise ValueError(f"{finding}: not provably over, so it is not removed.")
    log.warning("removes what no row owns", backend=finding.backend, pool=finding.pool, name=finding.name)
    storage.backend(finding.backend).delete(Ref(finding.pool, finding.id), epoch=FOREVER)
