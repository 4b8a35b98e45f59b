"""Which pools can hold a volume: each filter returns None, or what kind of refusal and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings

from volumes.models import Pool
from volumes.placement.specs import unmet

if TYPE_CHECKING:
    from volumes.placement import Wanted

Refusal = tuple[str, str] | None  # kind ("no", "down" or "full"), reason
Filter = Callable[[Pool, "Wanted"], Refusal]


def tried(pool: Pool, wanted: Wanted) -> Refusal:
    return ("no", "it was tried and failed") if pool.pk in wanted.tried else None


def source(pool: Pool, wanted: Wanted) -> Refusal:
    if wanted.backend is not None and pool.backend != wanted.backend:
        return "no", f"the source is stored in {wanted.backend}"
    elsewhere = wanted.pool is not None and pool.pk != wanted.pool
    return ("no", f"the source is in use in {wanted.pool}") if elsewhere else None


def zone(pool: Pool, wanted: Wanted) -> Refusal:
    elsewhere = wanted.availability_zone is not None and pool.availability_zone != wanted.availability_zone
    return ("no", f"it is in zone {pool.availability_zone}") if elsewhere else None


def affinity(pool: Pool, wanted: Wanted) -> Refusal:
    if wanted.near and pool.backend not in wanted.near:
        return "no", "the same_host hint leads elsewhere"
    return ("no", "the different_host hint excludes it") if pool.backend in wanted.far else None


def capabilities(pool: Pool, wanted: Wanted) -> Refusal:
    if pool.reported_at is None:  # what it can do is not known yet; its health says so
        return None
    spec = unmet(wanted.type.extra_specs, {**pool.capabilities, "pool_name": pool.name})
    return ("no", f"it does not meet {spec} of type {wanted.type.name}") if spec else None


def operators(pool: Pool, wanted: Wanted) -> Refusal:
    """What operators said. Frozen and disabled back-ends keep what they have and take nothing new."""
    del wanted
    if pool.frozen:
        return "down", "it is frozen"
    return ("down", f"it is disabled ({pool.disabled_reason})") if pool.disabled else None


def health(pool: Pool, wanted: Wanted) -> Refusal:
    """Evidence, its age told by the database."""
    del wanted
    if pool.down_since is not None:
        return "down", f"it is down: {pool.down_reason}"
    if pool.reported_at is None:
        return "down", "it has not reported yet"
    age = pool.age.total_seconds()  # type: ignore[attr-defined] # annotated where pools are read to be chosen from
    return ("down", f"its last report is {age:.0f} s old") if age > settings.POOL_STALE else None


def capacity(pool: Pool, wanted: Wanted) -> Refusal:
    left = min(pool.promisable_gb - pool.allocated_gb, pool.free_promisable_gb)
    return (
        ("full", f"it has room for {max(left, 0)} GiB, asked for {wanted.size}")
        if left < wanted.size
        else None
    )


FILTERS: tuple[Filter, ...] = (tried, source, zone, affinity, capabilities, operators, health, capacity)
