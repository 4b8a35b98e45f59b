"""What may be changed of a bay that is there: how many nodes it has, what it is made of, how healthy it is said to be.

Each change is one guarded write of the bay's row. What was looked at to decide on it is a condition of that write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from api.preconditions import ANY, Expected, Guards
from api.problems import BadRequest, Conflict, NotFound
from bays import actions, lending
from bays.drivers import driver_for
from bays.drivers.base import InvalidSpec
from bays.models import Bay, BayModel
from bays.nodegroups import DEFAULT_WORKER
from bays.stacks import BATCH, REMOVE, ROLLBACK, spec_of
from bays.states import BAY
from bays.tasks import advance_bay
from identity.callers import Caller
from lifecycle import requests
from lifecycle.errors import StateConflict
from lifecycle.requests import Asked
from lifecycle.swap import swap
from workers import bell

Nodes = Mapping[str, list[dict[str, str]]]
HEALTH = ("health_status", "health_status_reason")


def resize(
    by: Caller,
    request_id: str,
    bay: Bay,
    node_count: int,
    *,
    sent: Mapping[str, object],
    remove: Collection[str] = (),
    health: Mapping[str, object] | None = None,
    rollback: bool = False,
    expected: Expected = ANY,
) -> Bay:
    """Accept another number of nodes in the default node group; `remove` names nodes that must go.

    `health` is what an observer says of the bay at the same time. With `rollback`, a bay that cannot be given these
    nodes gets back the number that it has now.

    :raises StateConflict: the bay's status does not allow an update.
    :raises BadRequest: the driver cannot give that many, the group may not have them, or a node is unknown.
    :raises PreconditionFailed: the bay is not as expected.
    """

    def fits(found: Bay) -> None:
        check_bounds(DEFAULT_WORKER, node_count, found.min_node_count, found.max_node_count)
        names_of(found.nodes, DEFAULT_WORKER, remove)

    fits(bay)
    looked_at = (*(["nodes"] if remove else []), *(["node_count"] if rollback else []))
    check: Callable[[Any], None] = also(fits, same(bay, *looked_at)) if looked_at else fits
    actions.check(replace(spec_of(bay), node_count=node_count))
    change: dict[str, object] = {}
    if remove:
        change[REMOVE] = {DEFAULT_WORKER: names_of(bay.nodes, DEFAULT_WORKER, remove)}
    if rollback:
        change[ROLLBACK] = {"node_count": bay.node_count}
    values = {"node_count": node_count, "change": change, **_observed(health), **lending.columns(by, bay.pk)}
    columns = ["min_node_count", "max_node_count", *looked_at]
    with expected.of(bay) as guards:
        won = requests.request(
            bay,
            "update",
            Asked(by.user_id, bay.project_id, request_id, dict(sent)),
            name=bay.name,
            deadline=bay.deadline,
            values=values,
            **guarded(guards, check, *columns),
        )
    bell.ring_on_commit(advance_bay, won)
    return won


def upgrade(
    by: Caller,
    request_id: str,
    bay: Bay,
    ident: str,
    *,
    max_batch_size: int | None = None,
    sent: Mapping[str, object],
    expected: Expected = ANY,
) -> Bay:
    """Accept another baymodel for the bay: image, and what its labels say, of the masters and the default workers.

    :raises NotFound: there is no such baymodel that the caller may use.
    :raises StateConflict: the bay's status does not allow an upgrade.
    :raises Conflict: there is no way from the bay's baymodel to this one.
    :raises PreconditionFailed: the bay is not as expected.
    """
    with transaction.atomic():
        model = actions.baymodel_kept(by, ident)
        was = spec_of(bay)
        unmoved = same(bay, "baymodel_id", "labels", "node_count")
        _check_upgrade(bay.baymodel, model)
        labels = {**bay.labels, **model.labels}
        will_be = replace(was, image_id=model.image_id, labels=labels)
        actions.check(will_be)
        try:
            driver_for(model.coe, model.server_type).check_upgrade(was, will_be)
        except InvalidSpec as invalid:
            raise _no_way(model, invalid.reason) from invalid
        change = {} if max_batch_size is None else {BATCH: max_batch_size}
        with expected.of(bay) as guards:
            won = requests.request(
                bay,
                "upgrade",
                Asked(by.user_id, bay.project_id, request_id, dict(sent)),
                name=bay.name,
                deadline=bay.deadline,
                values={"baymodel": model, "labels": labels, "change": change, **lending.columns(by, bay.pk)},
                **guarded(guards, unmoved, "baymodel_id", "labels", "node_count"),
            )
        bell.ring_on_commit(advance_bay, won)
    return won


def report_health(bay: Bay, health: Mapping[str, object], *, expected: Expected = ANY) -> None:
    """Write down what an observer says of a bay: no request, no Operation, and the bay stays as free as it was.

    :raises StateConflict: the bay's status does not allow an update.
    :raises NotFound: the bay is gone.
    :raises PreconditionFailed: the bay is not as expected.
    """
    with transaction.atomic():
        expected.lock(bay)
        sources = BAY.sources("update")
        if swap(Bay, pk=bay.pk, status__in=sorted(sources), values=_observed(health)) is not None:
            return
        found = Bay.objects.filter(pk=bay.pk).first()
        if found is None:
            raise NotFound(f"The bay {bay.pk} could not be found.")
        raise StateConflict(BAY.refusal("update", found.status), event="update", found=found.status)


def check_bounds(group: str, count: int, least: int, most: int | None) -> None:
    """Refuse a number of nodes that a group may not have.

    :raises BadRequest: it is outside the group's bounds.
    """
    if count < least or (most is not None and count > most):
        raise BadRequest(
            f"Resizing {group} outside the allowed range: min_node_count = {least}, max_node_count = {most}."
        )


def names_of(nodes: Nodes, group: str, wanted: Collection[str]) -> list[str]:
    """Return what the stack calls the group's nodes that are named by their id or address.

    :raises BadRequest: one is not a node of the group, or is named twice.
    """
    there = {node[word]: node["name"] for node in nodes.get(group, []) for word in ("id", "address")}
    if unknown := [node for node in wanted if node not in there]:
        raise BadRequest(f"nodes_to_remove: {group} has no node {unknown[0][:64]}.")
    names = [there[node] for node in wanted]
    if len(set(names)) < len(names):
        raise BadRequest("nodes_to_remove: a node is named twice.")
    return names


def also(first: Callable[[Any], None], then: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a guard that is two."""

    def both(found: Any) -> None:
        first(found)
        then(found)

    return both


def guarded(guards: Guards, check: Callable[[Any], None], *columns: str) -> Guards:
    """Add to the guards of a write what else was looked at, and the columns that it is read from."""
    return {"guard": also(guards["guard"], check), "unchanged": (*guards["unchanged"], *columns)}


def same(bay: Bay, *columns: str) -> Callable[[Bay], None]:
    """Return the guard that finds these columns as they were when the bay was read."""
    were = {column: getattr(bay, column) for column in columns}

    def check(found: Bay) -> None:
        if any(getattr(found, column) != value for column, value in were.items()):
            raise Conflict("The bay was changed by another request meanwhile. Look again.")

    return check


def _check_upgrade(now: BayModel, then: BayModel) -> None:
    for what in ("coe", "server_type"):
        if getattr(now, what) != getattr(then, what):
            raise _no_way(then, f"its {what} is {getattr(then, what)}, the bay's is {getattr(now, what)}")


def _no_way(model: BayModel, why: str) -> Conflict:
    return Conflict(f"The baymodel {model.name} is not valid for the upgrade: {why}.", code="invalid-upgrade")


def _observed(health: Mapping[str, object] | None) -> dict[str, object]:
    """Return what an observer's word about the bay's health makes of its columns."""
    return {**health, "observed_at": Now()} if health else {}
