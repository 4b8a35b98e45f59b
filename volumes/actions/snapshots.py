"""Create, change and delete snapshots."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.db.models.functions import Now

from api.preconditions import ANY, Expected
from api.problems import BadRequest, Conflict, NotFound, OverQuota, WrongState
from identity.callers import Caller
from lifecycle import requests
from lifecycle.swap import swap
from volumes.actions.guarding import (
    admit_reader,
    asked,
    is_used,
    locked,
    refuse_frozen,
    refuse_readers,
    refuse_unfinished,
    require,
    require_for,
    require_instant,
    reset_to,
)
from volumes.models import Pool, Quota, Snapshot, Volume
from volumes.models.quotas import Amounts, OverLimit
from volumes.states import (
    AVAILABLE,
    CREATING,
    DELETING,
    ERROR,
    ERROR_DELETING,
    IN_USE,
    SET,
    SNAPSHOT,
    copying,
    shown,
)
from volumes.tasks import advance_snapshot
from workers import bell

TOLD: Final = {SET + CREATING: (CREATING, AVAILABLE, ERROR), SET + DELETING: (DELETING, ERROR_DELETING)}


def create(
    by: Caller,
    request_id: str,
    volume: Volume,
    *,
    name: str = "",
    description: str = "",
    metadata: Mapping[str, str] | None = None,
    in_use: bool = False,
) -> Snapshot:
    """Accept a new snapshot: its row, its Operation, its quota, its room, its place as a reader, or nothing.

    `in_use` says that the client asked for it even of a volume in use.

    :raises WrongState: the volume's status does not allow it.
    :raises OverQuota: the project's limits do not allow it.
    :raises Conflict: the pool has no room.
    """
    with transaction.atomic():
        volume = locked(volume)
        refuse_frozen(volume)
        require(volume, "make a snapshot of", AVAILABLE, *([IN_USE] if in_use else []))
        if is_used(volume):
            require_instant(volume, "make a snapshot of")
        admit_reader(volume)
        snapshot = Snapshot(
            id=uuid.uuid4(),
            project_id=volume.project_id,
            user_id=by.user_id,
            name=name,
            description=description,
            metadata=dict(metadata or {}),
            volume=volume,
            type=volume.type,
            size=volume.size,
            backend=volume.backend,
            pool=volume.pool,
        )
        try:
            Quota.reserve(volume.project_id, volume.type_id, Amounts(snapshots=1, gigabytes=volume.size))
        except OverLimit as over:
            raise OverQuota(str(over)) from over
        if Pool.reserve(volume.pool_id, volume.size) is None:
            raise Conflict(f"Pool {volume.pool_id} takes no {volume.size} GiB more.")
        params = asked(by, request_id, volume, volume_id=str(volume.pk))
        requests.birth(snapshot, "create", params, name=name, deadline=copying(volume.size))
        bell.ring_on_commit(advance_snapshot, snapshot)
    return snapshot


def update(snapshot: Snapshot, changes: Mapping[str, Any], *, expected: Expected = ANY) -> Snapshot:
    """Change what a user calls the snapshot: name, description, metadata. It moves nothing.

    :raises NotFound: it is gone.
    :raises PreconditionFailed: it is not as expected.
    """
    with transaction.atomic():
        expected.lock(snapshot)
        whose = {"pk": snapshot.pk, "project_id": snapshot.project_id}
        won = swap(Snapshot, **whose, values={**changes, "updated_at": Now()})
    if won is None:
        raise NotFound(f"Snapshot {snapshot.pk} could not be found.")
    return won


def delete(
    by: Caller, request_id: str, snapshot: Snapshot, *, force: bool = False, expected: Expected = ANY
) -> Snapshot:
    """Accept the snapshot's end.

    :raises StateConflict: its status does not allow it.
    :raises Busy: it is being read.
    :raises PreconditionFailed: it is not as expected.
    """
    event = "force_delete" if force else "delete"
    with transaction.atomic():
        snapshot = locked(snapshot)
        expected.check(snapshot)
        require_for(snapshot, event)
        refuse_frozen(snapshot)
        refuse_readers(snapshot, event)
        won = requests.request(snapshot, event, asked(by, request_id, snapshot), name=snapshot.name)
        bell.gather_on_commit(advance_snapshot, won)
    return won


def reset(
    by: Caller, request_id: str, snapshot: Snapshot, status: str, reason: str = "", **values: str
) -> Snapshot:
    """Set a snapshot's status by hand, an operator's last resort. Work under way is called off.

    :raises BadRequest: no such status can be set.
    """
    to, told = reset_to(SNAPSHOT, by, status, reason)
    with transaction.atomic():
        snapshot = locked(snapshot)
        refuse_unfinished(snapshot, to)
        params = asked(by, request_id, snapshot, status=status, was=snapshot.status, reason=reason)
        return requests.change(
            snapshot, "reset", params, name=snapshot.name, to=to, reason=told, values=values
        )


def tell(by: Caller, request_id: str, snapshot: Snapshot, status: str, progress: str | None) -> Snapshot:
    """Write down what somebody who works at the snapshot from outside says of it.

    Only of one that was left in a busy status by an operator: our own workers tell of theirs.

    :raises WrongState: the snapshot is another's work, or none.
    :raises BadRequest: no such status can follow.
    """
    follow = TOLD.get(snapshot.status)
    if follow is None:
        raise WrongState(
            f"Cannot update the status of snapshot {snapshot.pk}, whose status is {shown(snapshot.status)}: "
            f"nobody outside works at it."
        )
    if status not in follow:
        raise BadRequest(f"Invalid status {status[:64]}: it must be one of {', '.join(follow)}.")
    values = {} if progress is None else {"progress": progress}
    return reset(by, request_id, snapshot, status, **values)
