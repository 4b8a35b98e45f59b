"""What users may ask of a bay's node groups: to see them, to add, change, resize, upgrade and remove one.

The default groups are columns of the bay's row, all others rows of their own. Either way a change begins with the
guarded write of the bay's row, and a group's row is read and written after it, in the same transaction: of changes to
a bay and to its groups at the same moment, its end included, one goes first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from api.preconditions import ANY, Expected
from api.problems import BadRequest, Conflict, NotFound
from bays import actions, changing, lending
from bays.changing import check_bounds, guarded, names_of
from bays.groups import MASTER, Group, further, worker
from bays.models import Bay
from bays.nodegroups import DEFAULT_MASTER, DEFAULT_WORKER, LEAVING, NodeGroup
from bays.stacks import BATCH, REMOVE, spec_of
from bays.states import Status
from bays.tasks import advance_bay
from identity.callers import Caller
from lifecycle import accepted, requests
from lifecycle.requests import Asked
from workers import bell

MOST_GROUPS = 20


def create_group(by: Caller, request_id: str, bay: Bay, values: Mapping[str, Any]) -> Group:
    """Accept a further node group. What is left out is as in the bay.

    :raises BadRequest: a master group is asked for, or the driver cannot give the group.
    :raises Conflict: the bay has a group of this name, or has no address yet, or has as many groups as it may have.
    :raises StateConflict: the bay's status does not allow an update.
    """
    given = {key: value for key, value in values.items() if value is not None and key != "merge_labels"}
    if given.get("role") == MASTER:
        raise BadRequest("Creating master node groups is not supported.")
    labels = given.get("labels")
    if labels is None or values.get("merge_labels"):
        labels = {**bay.labels, **(labels or {})}
    asked = {"image_id": bay.baymodel.image_id, "flavor_id": bay.flavor_id, **given, "labels": labels}
    asked.setdefault("docker_volume_size", bay.docker_volume_size)
    row = NodeGroup(bay=bay, **asked)
    _check_counts(row.name, row.node_count, row.min_node_count, row.max_node_count)
    if bay.api_address is None:
        raise Conflict("The bay's API address is not available yet.")
    with transaction.atomic():
        won = _win(by, request_id, bay, {"nodegroup": row.name, "create": given}, nodes=row.node_count)
        rows = list(won.nodegroups.all())
        there = {group.name for group in rows} | {DEFAULT_WORKER, DEFAULT_MASTER}
        if row.name in there:
            raise Conflict(f"The bay has a node group {row.name} already.")
        if len(there) >= MOST_GROUPS:
            raise Conflict(f"The bay has {len(there)} node groups, and may have no more.")
        _check_all(won, [*rows, row])
        row.save(force_insert=True)
        row.refresh_from_db(fields=["created_at"])
        accepted.note(None, row)
    return further(won, row)


def resize_group(
    by: Caller,
    request_id: str,
    group: Group,
    node_count: int,
    *,
    sent: Mapping[str, object],
    remove: Collection[str] = (),
    expected: Expected = ANY,
) -> Bay:
    """Accept another number of nodes in a group; `remove` names nodes that must go.

    :raises BadRequest: the group is one of masters, or as for `changing.resize`.
    :raises StateConflict: the bay's status does not allow an update.
    :raises Conflict: the group is being removed.
    :raises PreconditionFailed: the bay is not as expected.
    """
    if group.role == MASTER:
        raise BadRequest("Resizing the master node group is not supported.")
    if isinstance(group.row, Bay):
        return changing.resize(
            by, request_id, group.row, node_count, sent=sent, remove=remove, expected=expected
        )
    with transaction.atomic():
        nodes = abs(node_count - group.node_count)
        remove_named = {group.name: remove}
        won = _win(by, request_id, group.bay, sent, nodes=nodes, expected=expected, remove=remove_named)
        row, rows = _found(won, group)
        check_bounds(row.name, node_count, row.min_node_count, row.max_node_count)
        _write(row, node_count=node_count)
        _check_all(won, rows)
    return won


def upgrade_group(
    by: Caller,
    request_id: str,
    group: Group,
    ident: str,
    *,
    max_batch_size: int | None = None,
    sent: Mapping[str, object],
    expected: Expected = ANY,
) -> Bay:
    """Accept another baymodel for the bay, or for a further group the one that the bay has been upgraded to.

    :raises Conflict: a further group would not match its bay; else as for `changing.upgrade`.
    """
    if isinstance(group.row, Bay):
        return changing.upgrade(
            by, request_id, group.row, ident, max_batch_size=max_batch_size, sent=sent, expected=expected
        )
    model, bay = actions.find_baymodel(by, ident), group.bay
    if model.pk != bay.baymodel_id:
        raise Conflict(
            f"The node group {group.name} can be upgraded only to match its bay's baymodel ({bay.baymodel.name}).",
            code="invalid-upgrade",
        )
    with transaction.atomic():
        batch = {} if max_batch_size is None else {BATCH: max_batch_size}
        won = _win(
            by,
            request_id,
            bay,
            sent,
            nodes=group.node_count,
            event="upgrade",
            expected=expected,
            change=batch,
        )
        row, rows = _found(won, group)
        _write(row, image_id=model.image_id, labels={**row.labels, **model.labels})
        _check_all(won, rows)
    return won


def limit_group(
    by: Caller, request_id: str, group: Group, bounds: Mapping[str, int | None], *, expected: Expected = ANY
) -> Group:
    """Change how few and how many nodes a group may have. It is over at once: no node comes or goes.

    :raises Conflict: the group has fewer or more nodes than that.
    :raises StateConflict: the bay's status does not allow it.
    :raises PreconditionFailed: the group is not as expected.
    """
    bay = group.bay
    asked = Asked(by.user_id, bay.project_id, request_id, {"nodegroup": group.name, **bounds})

    def fits(found: Bay | NodeGroup) -> None:
        now = {"min_node_count": found.min_node_count, "max_node_count": found.max_node_count, **bounds}
        _check_counts(group.name, found.node_count, now["min_node_count"] or 0, now["max_node_count"])

    if group.role == MASTER:
        raise BadRequest("The bounds of the master node group cannot be changed: it is not resized.")
    if isinstance(group.row, Bay):
        with expected.of(bay) as guards:
            both = guarded(guards, fits, "min_node_count", "max_node_count", "node_count")
            return worker(
                requests.change(bay, "limit_nodegroup", asked, name=bay.name, values=bounds, **both)
            )
    with transaction.atomic():
        won = requests.change(bay, "limit_nodegroup", asked, name=bay.name)
        row, _ = _found(won, group, expected)
        fits(row)
        _save(row, **bounds)
        row.refresh_from_db(fields=["updated_at"])
    return further(won, row)


def delete_group(by: Caller, request_id: str, group: Group, *, expected: Expected = ANY) -> None:
    """Accept the end of a further node group.

    :raises BadRequest: it is a default one.
    :raises StateConflict: the bay's status does not allow an update.
    :raises PreconditionFailed: the group is not as expected.
    """
    if group.is_default:
        raise BadRequest("Deleting a default node group is not supported.")
    with transaction.atomic():
        asked = {"nodegroup": group.name, "delete": True}
        won = _win(by, request_id, group.bay, asked, nodes=group.node_count)
        row, _ = _found(won, group, expected, leaving=True)
        _save(row, status=Status.DELETE_IN_PROGRESS, status_reason="")


def _win(
    by: Caller,
    request_id: str,
    bay: Bay,
    sent: Mapping[str, object],
    *,
    nodes: int,
    event: str = "update",
    expected: Expected = ANY,
    remove: Mapping[str, Collection[str]] | None = None,
    change: Mapping[str, object] | None = None,
) -> Bay:
    """Swap the bay into its update, and ring for it when the transaction is over: from here on it is ours alone."""
    named = {name: nodes for name, nodes in (remove or {}).items() if nodes}
    names = {name: names_of(bay.nodes, name, nodes) for name, nodes in named.items()}
    change = {**(change or {}), **({REMOVE: names} if names else {})}
    unmoved = changing.same(bay, "baymodel_id", *(["nodes"] if names else []))
    with expected.of(bay) as guards:
        won = requests.request(
            bay,
            event,
            Asked(by.user_id, bay.project_id, request_id, dict(sent), size=nodes),
            name=bay.name,
            deadline=bay.deadline,
            values={"change": change, **lending.columns(by, bay.pk)},
            **guarded(guards, unmoved, "baymodel_id", *(["nodes"] if names else [])),
        )
    bell.ring_on_commit(advance_bay, won)
    won.baymodel = bay.baymodel
    return won


def _found(
    bay: Bay, group: Group, expected: Expected = ANY, *, leaving: bool = False
) -> tuple[NodeGroup, list[NodeGroup]]:
    """Return the group's row, and all rows of its bay, as they are now that the bay's is ours."""
    rows = list(bay.nodegroups.all())
    row = next((row for row in rows if row.pk == group.id), None)
    if row is None:
        raise NotFound(f"The node group {group.name} could not be found.")
    expected.check(row)
    if row.status in LEAVING and not leaving:
        raise Conflict(f"The node group {group.name} is being removed: its status is {row.status}.")
    return row, rows


def _write(row: NodeGroup, **values: object) -> None:
    """Write what a group should be from now on, and that it is on the way there."""
    never_made = row.status == Status.CREATE_FAILED
    status = Status.CREATE_IN_PROGRESS if never_made else Status.UPDATE_IN_PROGRESS
    _save(row, **values, status=status, status_reason="")


def _save(row: NodeGroup, **values: Any) -> None:
    was = copy(row)
    for name, value in values.items():
        setattr(row, name, value)
    NodeGroup.objects.filter(pk=row.pk).update(**values, updated_at=Now())
    accepted.note(was, row)


def _check_all(bay: Bay, rows: Iterable[NodeGroup]) -> None:
    actions.check(spec_of(bay, [row for row in rows if row.status not in LEAVING]))


def _check_counts(name: str, count: int, least: int, most: int | None) -> None:
    if most is not None and most < least:
        raise Conflict(
            f"{name}: min_node_count ({least}) should be less or equal to max_node_count ({most})."
        )
    if most is not None and count > most:
        raise Conflict(f"{name}: node_count ({count}) should be less or equal to max_node_count ({most}).")
    if count < least:
        raise Conflict(f"{name}: min_node_count ({least}) should be less or equal to node_count ({count}).")
