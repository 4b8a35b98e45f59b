"""Rows for tests: each function makes one valid row, and takes what the test cares about."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction

from bays.models import Bay, BayModel, Quota
from bays.states import Status
from identity.callers import Caller
from lifecycle import local, requests
from lifecycle.leases import at_rest
from lifecycle.models import Node, Operation
from lifecycle.requests import Asked
from lifecycle.swap import swap

PROJECT = "p" * 32
OTHER_PROJECT = "q" * 32


def caller(*roles: str, project: str = PROJECT, user: str = "u" * 32) -> Caller:
    implied = {"admin": {"admin", "member", "reader"}, "member": {"member", "reader"}, "reader": {"reader"}}
    held = set().union(*(implied[role] for role in roles or ("member",)))
    return Caller(user, "somebody", project, "project", frozenset(held))


def node(node_id: uuid.UUID | None = None, **over: Any) -> Node:
    """The Node of this process, or of another one."""
    values: dict[str, Any] = {
        "kind": Node.Kind.WORKER,
        "name": "node1",
        "hostname": "host",
        "pid": 1,
        "ttl": timedelta(seconds=5),
    }
    return Node.objects.update_or_create(pk=node_id or local.node_id, defaults={**values, **over})[0]


def baymodel(**over: Any) -> BayModel:
    values = {"project_id": PROJECT, "user_id": "u" * 32, "name": "small", "coe": "demo", "image_id": "image"}
    return BayModel.objects.create(**{**values, **over})


def bay(status: str = Status.CREATE_IN_PROGRESS, *, model: BayModel | None = None, **over: Any) -> Bay:
    """A bay as a request leaves it, in a busy status, or as an outcome does, at rest."""
    node()
    values: dict[str, Any] = {"project_id": PROJECT, "user_id": "u" * 32, "name": "bay1"}
    row = Bay(**{**values, "baymodel": model or baymodel(), **over})
    with transaction.atomic():
        Quota.reserve(row.project_id)
        operation = requests.birth(row, "create", Asked("u" * 32, row.project_id), name=row.name)
    if status in Bay.machine.busy:
        changed = swap(Bay, pk=row.pk, values={"status": status})
    else:
        changed = swap(Bay, pk=row.pk, values=at_rest(status, ""))
        Operation.objects.filter(pk=operation.pk).update(state="COMPLETE", finished_at=operation.created_at)
    assert changed is not None
    return changed
