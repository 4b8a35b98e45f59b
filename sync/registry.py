"""Every leased resource and the task that advances it: an explicit list, no discovery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from celery import Task

from bays.models import Bay
from bays.tasks import advance_bay
from lifecycle.models import Leased
from volumes.models import Connection, Snapshot, Volume
from volumes.tasks import advance_connection, advance_snapshot, advance_volume


@dataclass(frozen=True, slots=True)
class Resource:
    model: type[Leased]
    advance: Task[Any, Any]


RESOURCES: tuple[Resource, ...] = (
    Resource(Bay, advance_bay),
    Resource(Volume, advance_volume),
    Resource(Snapshot, advance_snapshot),
    Resource(Connection, advance_connection),
)
