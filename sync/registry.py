"""Every leased resource and the task that advances it: an explicit list, no discovery."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from celery import Task

from bays.models import Bay
from bays.tasks import advance_bay
from lifecycle.models import Leased


@dataclass(frozen=True, slots=True)
class Resource:
    model: type[Leased]
    advance: Task[Any, Any]


RESOURCES = (Resource(Bay, advance_bay),)
