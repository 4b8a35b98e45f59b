"""The services that Cinder's operators know, out of the nodes that run: who is up, and who is to take no more work.

Each worker node is a `cinder-scheduler`, and a `cinder-volume` for each back-end that it serves, on the host
`node@back-end`. A back-end as a whole, which is also a cluster, is the `cinder-volume` on `roadstead@back-end`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.conf import settings
from django.db.models.functions import Now

from api.problems import BadRequest, NotFound
from identity.callers import Caller
from lifecycle.models import Node
from volumes.actions import pools
from volumes.actions.pools import ANY_NODE, BackendState
from volumes.models import Pool, ServiceState

log = structlog.get_logger(__name__)

SCHEDULER: Final = "cinder-scheduler"
STORAGE: Final = "cinder-volume"


@dataclass(frozen=True, slots=True)
class Service:
    """One service on one host. `backend` is None for a scheduler."""

    binary: str
    node: str
    zone: str
    up: bool
    seen_at: datetime | None
    disabled: bool
    disabled_reason: str | None
    backend: BackendState | None = None

    @property
    def host(self) -> str:
        return f"{self.node}@{self.backend.name}" if self.backend else self.node


@dataclass(frozen=True, slots=True)
class Cluster:
    """A back-end with all nodes that serve it, or did when they were last heard of."""

    backend: BackendState
    members: tuple[Service, ...]

    @property
    def up(self) -> bool:
        return any(member.up for member in self.members)

    @property
    def down(self) -> int:
        return sum(not member.up for member in self.members)

    @property
    def seen_at(self) -> datetime | None:
        return max((member.seen_at for member in self.members if member.seen_at), default=None)


@dataclass(slots=True)
class _Worker:
    """What is known of the worker processes of one node's name."""

    up: bool = False
    seen_at: datetime | None = None
    serves: tuple[str, ...] = ()


def services() -> list[Service]:
    """Return every service, in the order of binaries and hosts."""
    backends = pools.backends()
    told = {(state.node, state.backend): state for state in ServiceState.objects.all()}
    on_nodes = list(_on_nodes(backends, told))
    whole = [_whole(cluster) for cluster in _clusters(backends, on_nodes)]
    return sorted([*on_nodes, *whole], key=lambda service: (service.binary, service.host))


def clusters() -> list[Cluster]:
    """Return every back-end with the nodes that serve it."""
    backends = pools.backends()
    told = {(state.node, state.backend): state for state in ServiceState.objects.all()}
    return _clusters(backends, list(_on_nodes(backends, told)))


def cluster_named(name: str) -> Cluster:
    """Return the cluster of this name.

    :raises NotFound: there is none.
    """
    found = next((cluster for cluster in clusters() if cluster.backend.address == name), None)
    if found is None:
        raise NotFound(f"Cluster {name[:255]} could not be found.")
    return found


def find(host: str, binary: str) -> Service:
    """Return one service.

    :raises NotFound: there is none.
    """
    for service in services():
        if (service.host, service.binary) == (host, binary):
            return service
    raise NotFound(f"Service {binary[:255]} could not be found on host {host[:255]}.")


def backend_of(host: str) -> BackendState:
    """Return the back-end that a host or a cluster names, by whichever of its nodes.

    :raises BadRequest: it names none (400, so it is in Cinder).
    """
    on_host = (service for service in services() if service.host == host.partition("#")[0])
    found = next((service.backend for service in on_host if service.backend is not None), None)
    if found is not None:
        return found
    raise BadRequest(f"There is no cinder-volume service on host {host[:255]}.")


def enable(by: Caller, service: Service) -> None:
    """Have a service do work again: a node for one back-end, or a back-end as a whole."""
    _tell(service, disabled=False, reason=None)
    _audit("service enabled", by, service.host, binary=service.binary)


def disable(by: Caller, service: Service, reason: str | None) -> None:
    """Have a service take no more work: a node for one back-end, or a back-end as a whole no more volumes."""
    _tell(service, disabled=True, reason=reason)
    _audit("service disabled", by, service.host, binary=service.binary, reason=reason)


def freeze(by: Caller, backend: BackendState, *, frozen: bool) -> None:
    """Have nothing made or deleted in a back-end, or again."""
    Pool.objects.filter(backend=backend.name).update(frozen=frozen)
    _audit("back-end frozen" if frozen else "back-end thawed", by, backend.address)


def _tell(service: Service, *, disabled: bool, reason: str | None) -> None:
    if service.backend is not None and service.node == ANY_NODE:
        told = {"disabled": disabled, "disabled_reason": reason or ""}
        Pool.objects.filter(backend=service.backend.name).update(**told)
        return
    ServiceState.objects.update_or_create(
        node=service.node,
        backend=service.backend.name if service.backend else "",
        defaults={"disabled": disabled, "disabled_reason": reason, "updated_at": Now()},
    )


def _audit(what: str, by: Caller, host: str, **more: str | None) -> None:
    """Leave a line of who did what, and why."""
    log.warning(what, host=host, by=by.user_name, user_id=by.user_id, **more)


def _on_nodes(
    backends: dict[str, BackendState], told: dict[tuple[str, str], ServiceState]
) -> Iterator[Service]:
    for node, worker in _workers().items():
        state = told.get((node, ""))
        disabled, reason = (state.disabled, state.disabled_reason) if state else (False, None)
        yield Service(
            SCHEDULER, node, settings.AVAILABILITY_ZONE, worker.up, worker.seen_at, disabled, reason
        )
        for name in worker.serves:
            backend = backends.get(name) or BackendState(name, settings.AVAILABILITY_ZONE, up=False)
            state = told.get((node, name))
            disabled, reason = (state.disabled, state.disabled_reason) if state else (False, None)
            yield Service(STORAGE, node, backend.zone, worker.up, worker.seen_at, disabled, reason, backend)


def _workers() -> dict[str, _Worker]:
    """Return the workers by their node's name: those that live or, where none does, the one heard of last."""
    workers: defaultdict[str, _Worker] = defaultdict(_Worker)
    of_kind = Node.objects.filter(kind=Node.Kind.WORKER)
    for node in of_kind.alive():
        worker = workers[node.name]
        worker.up = True
        worker.seen_at = max(filter(None, (worker.seen_at, node.seen_at)))
        worker.serves = tuple(sorted({*worker.serves, *node.serves}))
    for node in of_kind.exclude(name__in=list(workers)).order_by("name", "-seen_at").distinct("name"):
        workers[node.name] = _Worker(False, node.seen_at, tuple(sorted(node.serves)))
    return dict(sorted(workers.items()))


def _clusters(backends: dict[str, BackendState], on_nodes: list[Service]) -> list[Cluster]:
    members: defaultdict[str, list[Service]] = defaultdict(list)
    every = dict(backends)
    for service in on_nodes:
        if service.backend is not None:
            members[service.backend.name].append(service)
            every.setdefault(service.backend.name, service.backend)
    return [Cluster(every[name], tuple(members[name])) for name in sorted(every)]


def _whole(cluster: Cluster) -> Service:
    backend = cluster.backend
    return Service(
        STORAGE,
        ANY_NODE,
        backend.zone,
        cluster.up,
        cluster.seen_at,
        backend.disabled,
        backend.disabled_reason,
        backend,
    )
