"""What is counted against a project's limits, and the guarded writes that count it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from lifecycle.swap import Given, Swap

M = TypeVar("M", bound=models.Model)

COUNTED: Final = ("volumes", "snapshots", "gigabytes")
PER_VOLUME: Final = "per_volume_gigabytes"
UNLIMITED: Final = -1


def of_type(name: str, type_id: uuid.UUID) -> str:
    """Return the key under which a class of quotas limits a resource of one type: a type may be renamed."""
    return f"{name}:{type_id}"


class OverLimit(Exception):
    """The project's limit does not allow it."""

    def __init__(self, resource: str, used: int, limit: int, asked: int) -> None:
        super().__init__(
            f"Quota exceeded for {resource}: asked for {asked}, and {used} of {limit} are already in use."
        )
        self.resource = resource


class TooLarge(OverLimit):
    """One volume is larger than the project's volumes may be."""

    def __init__(self, size: int, limit: int) -> None:
        Exception.__init__(
            self, f"Quota exceeded: a volume of {size} GiB is larger than per_volume_gigabytes, {limit}."
        )
        self.resource = "per_volume_gigabytes"


@dataclass(frozen=True, slots=True)
class Amounts:
    """What is asked for, or given back. `gigabytes` counts volumes and snapshots alike, as in Cinder."""

    volumes: int = 0
    snapshots: int = 0
    gigabytes: int = 0

    def items(self) -> list[tuple[str, int]]:
        return [(name, getattr(self, name)) for name in COUNTED if getattr(self, name)]


def counted(model: type[M], amounts: Amounts, defaults: Mapping[str, int], *, alone: bool = False) -> Swap[M]:
    """Return the swap that counts the amounts, if the limits allow it; `alone`: and if nothing else must count them."""
    names = tuple(name for name, _ in amounts.items())
    return _counted(model, names, tuple(defaults[name] == UNLIMITED for name in names), alone=alone)


@cache
def _counted(
    model: type[M], names: tuple[str, ...], without_limit: tuple[bool, ...], *, alone: bool
) -> Swap[M]:
    room = ~Q(typed__contains=Given("type")) & ~Q(other_limits__has_key=PER_VOLUME) if alone else Q()
    for name, free in zip(names, without_limit, strict=True):
        limit = Coalesce(F(f"{name}_limit"), Given(f"default {name}", models.BigIntegerField()))
        fits = Q(**{f"{name}__lte": limit - Given(name, models.BigIntegerField())})
        room &= fits | unlimited(name, UNLIMITED if free else 0)
    values = {name: F(name) + Given(name, models.BigIntegerField()) for name in names}
    return Swap(model, room, pk=Given("pk"), values=values)


def uncounted(model: type[M], amounts: Amounts) -> Swap[M]:
    """Return the swap that counts the amounts no more."""
    return _uncounted(model, tuple(name for name, _ in amounts.items()))


@cache
def _uncounted(model: type[M], names: tuple[str, ...]) -> Swap[M]:
    values = {name: F(name) - Given(name, models.BigIntegerField()) for name in names}
    return Swap(model, pk=Given("pk"), values=values)


def given(amounts: Amounts, defaults: Mapping[str, int] | None = None) -> dict[str, object]:
    """Return what those swaps are to be given."""
    found: dict[str, object] = dict(amounts.items())
    return found | {f"default {name}": defaults[name] for name in found} if defaults is not None else found


def unlimited(name: str, default: int) -> Q:
    """Return what holds of a row that has no limit of this, where this is the default's."""
    own = Q(**{f"{name}_limit": UNLIMITED})
    return own | Q(**{f"{name}_limit": None}) if default == UNLIMITED else own
