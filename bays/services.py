"""The services that Magnum's operators know, out of the nodes that run: each worker is a `magnum-conductor`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from lifecycle.models import Node

CONDUCTOR: Final = "magnum-conductor"


@dataclass(frozen=True, slots=True)
class Service:
    """The workers of one host, as its latest incarnation has it."""

    number: int
    host: str
    up: bool
    draining: bool
    reports: int
    started_at: datetime
    seen_at: datetime


def services() -> list[Service]:
    """Return the services by host. Numbers are places in this list: a host that is forgotten leaves no gap."""
    up = ExpressionWrapper(Q(stopped_at=None, seen_at__gt=Now() - F("ttl")), output_field=BooleanField())
    workers: Any = Node.objects.filter(kind=Node.Kind.WORKER).annotate(up=up)
    latest = workers.order_by("name", "-up", "-started_at").distinct("name")
    return [_service(number, node) for number, node in enumerate(latest, start=1)]


def _service(number: int, node: Any) -> Service:
    beats = (node.seen_at - node.started_at).total_seconds() / settings.HEARTBEAT
    return Service(number, node.name, node.up, node.draining, int(beats) + 1, node.started_at, node.seen_at)
