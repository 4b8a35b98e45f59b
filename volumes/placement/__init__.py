"""Where a new volume goes: filters say which pools can hold it, a weigher which is best, and a swap takes the room.

What pools report is at most a minute old and what is promised is exact: the choice is a guess, the reservation is not.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from volumes.models import Pool, Volume, VolumeType
from volumes.placement import specs
from volumes.placement.filters import FILTERS

_lately: tuple[float, list[Pool]] = (0.0, [])  # until when (monotonic), what
ATTEMPTS = 3  # placements of one volume, as in Cinder


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be placed."""

    size: int  # GiB
    type: VolumeType
    availability_zone: str | None = None
    backend: str | None = None  # the only one that will do: that of a clone's source
    pool: str | None = None  # the only pool that will do: that of a source in use, copied there in one moment
    near: frozenset[str] = frozenset()  # back-ends: one of these
    far: frozenset[str] = frozenset()  # back-ends: none of these
    tried: Collection[str] = field(default=())  # pools that have failed


class NoPlace(Exception):
    """No pool takes the volume. `full` says that the only thing missing is room; `down`, that one may come (back).

    Where there is no pool at all, none has been told of yet: a node that has just started tells of its own in a moment.
    """

    def __init__(self, reasons: Mapping[str, str], *, full: bool, down: bool) -> None:
        told = (
            "; ".join(f"{pool}: {reason}" for pool, reason in sorted(reasons.items())) or "there are no pools"
        )
        super().__init__(f"No valid back-end was found. {told}.")
        self.full = full
        self.unknown = not reasons
        self.down = down or self.unknown

    @property
    def in_short(self) -> str:
        """What a user may be told: which pools there are and what operators say of them is for operators."""
        if self.full:
            why = "none has room for it"
        elif self.unknown:
            why = "none has reported yet"
        elif self.down:
            why = "those that could hold it take no volumes now"
        else:
            why = "none offers its type, zone and hints"
        return f"No valid back-end was found: {why}."


def place(wanted: Wanted) -> Pool:
    """Reserve room for the volume in the best pool that has it, inside the accepting transaction, and return the pool.

    :raises NoPlace: with the reason of each pool.
    """
    fitting, reasons = _rank(wanted)
    for pool in fitting:
        reserved = Pool.reserve(pool.pk, wanted.size)
        if reserved is not None:
            return reserved
        reasons[pool.pk] = ("full", "its last room was taken just now")
    raise _no_place(reasons)


def choose(wanted: Wanted) -> Pool:
    """Return the best pool for the volume, without reserving room in it.

    :raises NoPlace: with the reason of each pool.
    """
    fitting, reasons = _rank(wanted)
    if not fitting:
        raise _no_place(reasons)
    return fitting[0]


def _rank(wanted: Wanted) -> tuple[list[Pool], dict[str, tuple[str, str]]]:
    """Return the pools that can hold the volume, the one with the most room first, and why the others cannot."""
    reasons: dict[str, tuple[str, str]] = {}  # pool -> kind, reason
    fitting = []
    for pool in _pools():
        refusal = next((r for f in FILTERS if (r := f(pool, wanted)) is not None), None)
        if refusal is None:
            fitting.append(pool)
        else:
            reasons[pool.pk] = refusal
    return sorted(fitting, key=lambda pool: (pool.allocated_gb - pool.promisable_gb, pool.pk)), reasons


def _pools() -> list[Pool]:
    """Return the pools as of CATALOG_CACHE seconds ago at most: what is promised meanwhile the reservation sees."""
    global _lately  # noqa: PLW0603 - one for the process
    until, pools = _lately
    if time.monotonic() >= until:
        pools = list(Pool.objects.annotate(age=Now() - F("reported_at")))
        if pools and all(pool.reported_at for pool in pools):  # a new one is open as soon as it reports
            _lately = (time.monotonic() + settings.CATALOG_CACHE, pools)
    return pools


def _no_place(reasons: Mapping[str, tuple[str, str]]) -> NoPlace:
    kinds = {kind for kind, _ in reasons.values()}
    told = {pool: reason for pool, (_, reason) in reasons.items()}
    return NoPlace(told, full="full" in kinds, down="full" not in kinds and "down" in kinds)


def unmet(kind: VolumeType, pool: Pool) -> str | None:
    """Return the first extra spec of the type that the pool does not meet; None if it meets all."""
    return specs.unmet(kind.extra_specs, {**pool.capabilities, "pool_name": pool.name})


def hinted(hint: object) -> list[uuid.UUID]:
    """Return the ids of volumes that a hint names, as text or a list of it; what is no id names nothing."""
    found = []
    for text in hint if isinstance(hint, list) else [hint]:
        with suppress(ValueError):
            found.append(uuid.UUID(str(text)))
    return found


def backends_of(ids: Collection[uuid.UUID], project_id: str) -> frozenset[str]:
    """Return the back-ends of a project's volumes, for affinity hints; ids of others count as unknown."""
    if not ids:
        return frozenset()
    rows = Volume.objects.filter(pk__in=ids, project_id=project_id)
    return frozenset(rows.values_list("backend", flat=True))
