"""Change a volume: what it is called, how large it is, of which type, which bytes it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from api.preconditions import ANY, Expected
from api.problems import BadRequest, Conflict, NotFound, OverQuota
from identity.callers import Caller
from lifecycle import requests
from lifecycle.swap import swap
from volumes import placement
from volumes.actions import typing
from volumes.actions.guarding import (
    admit_reader,
    asked,
    find_snapshot,
    is_used,
    locked,
    refuse_readers,
    refuse_users,
    require,
    require_for,
    same_owner,
)
from volumes.actions.volumes.creating import count
from volumes.models import Pool, Quota, Volume
from volumes.models.quotas import Amounts, OverLimit
from volumes.states import AVAILABLE, ERROR_EXTENDING, IN_USE, MAINTENANCE, VOLUME, copying
from volumes.tasks import advance_volume
from workers import bell


def update(volume: Volume, changes: Mapping[str, Any], *, expected: Expected = ANY) -> Volume:
    """Change what a user calls the volume: name, description, metadata. It moves nothing.

    :raises WrongState: it is under maintenance.
    :raises NotFound: it is gone.
    :raises PreconditionFailed: it is not as expected.
    """
    with transaction.atomic():
        expected.lock(volume)
        values = {**changes, "updated_at": Now()}
        whose = {"pk": volume.pk, "project_id": volume.project_id}
        won = swap(Volume, ~Q(status=MAINTENANCE), **whose, values=values)
    if won is None:
        require(find_again(volume), "update", *(s for s in VOLUME.statuses if s != MAINTENANCE))
        raise Conflict(f"Volume {volume.pk} was under maintenance until just now. Try again.")
    won.type = volume.type
    return won


def find_again(volume: Volume) -> Volume:
    """Return the volume as it is now.

    :raises NotFound: it is gone.
    """
    found = Volume.objects.select_related("type").filter(pk=volume.pk, project_id=volume.project_id).first()
    if found is None:
        raise NotFound(f"Volume {volume.pk} could not be found.")
    return found


def extend(by: Caller, request_id: str, volume: Volume, new_size: int, *, in_use: bool) -> Volume:
    """Accept a larger size, and reserve what it adds. `in_use` says that the client's version may extend so.

    :raises WrongState: its status does not allow it.
    :raises BadRequest: the size is no larger.
    """
    with transaction.atomic():
        volume = locked(volume)
        require(volume, "extend", AVAILABLE, ERROR_EXTENDING, *([IN_USE] if in_use else []))
        if new_size <= volume.size:
            raise BadRequest(
                f"Invalid input received: New size for extend must be greater than current size. "
                f"(current: {volume.size}, extended: {new_size})."
            )
        begun = volume.may_grow_to or 0
        if new_size < begun:
            raise BadRequest(
                f"An extend to {begun} GiB was begun and may still take effect: extend to at least that."
            )
        refuse_readers(volume, "extend")
        was = volume.status if volume.status != ERROR_EXTENDING else IN_USE if is_used(volume) else AVAILABLE
        values = {"new_size": new_size, "may_grow_to": new_size, "was": was}
        params = {"new_size": new_size}
        won = requests.request(
            volume, "extend", asked(by, request_id, volume, **params), name=volume.name, values=values
        )
        added = new_size - volume.size
        count(volume.project_id, volume.type, Amounts(gigabytes=added), new_size)
        if Pool.reserve(volume.pool_id, added) is None:
            raise Conflict(f"Pool {volume.pool_id} takes no {added} GiB more.")
        bell.gather_on_commit(advance_volume, won)
    return won


def revert(by: Caller, request_id: str, volume: Volume, snapshot_id: str) -> Volume:
    """Accept that the volume becomes what it was at its latest snapshot.

    :raises Conflict: its status does not allow it (409, so it is in Cinder).
    :raises BadRequest: the snapshot is not its latest, or of another size.
    """
    with transaction.atomic():
        volume = locked(volume)
        if volume.status != AVAILABLE:
            raise Conflict(VOLUME.refusal("revert", volume.status))
        snapshot = locked(find_snapshot(by, snapshot_id))
        latest = volume.snapshots.order_by("-created_at", "-pk").first()
        if latest is None or latest.pk != snapshot.pk:
            raise BadRequest(f"Snapshot {snapshot.pk} is not the latest snapshot of volume {volume.pk}.")
        if snapshot.status != AVAILABLE:
            raise Conflict(f"Snapshot {snapshot.pk} is {snapshot.status}, not available.")
        if snapshot.size != volume.size:
            raise BadRequest(f"The volume has {volume.size} GiB and its snapshot {snapshot.size}.")
        refuse_users(volume, "revert")
        refuse_readers(volume, "revert")
        admit_reader(snapshot)
        won = requests.request(
            volume,
            "revert",
            asked(by, request_id, volume, snapshot_id=str(snapshot.pk)),
            name=volume.name,
            deadline=copying(volume.size),
            values={"reads_snapshot": snapshot, "was": volume.status},
        )
        bell.ring_on_commit(advance_volume, won)
    return won


def retype(by: Caller, request_id: str, volume: Volume, ident: str, policy: str) -> Volume:
    """Give the volume another type, if its pool meets it. Data is not moved.

    :raises WrongState: its status does not allow it.
    :raises BadRequest: the type is unknown or the same, or the volume would have to move.
    """
    kind = typing.find_type(by, ident, status=BadRequest)
    typing.refuse_encrypted(kind)
    with transaction.atomic():
        volume = locked(volume)
        require(volume, "retype", AVAILABLE, IN_USE)
        if kind.pk == volume.type_id:
            raise BadRequest(f"Volume {volume.pk} is of type {kind.name} already.")
        if kind.multiattach != volume.multiattach and volume.status == IN_USE:
            raise BadRequest("A volume in use cannot change whether it may be attached more than once.")
        missing = placement.unmet(kind, Pool.objects.get(pk=volume.pool_id))
        if missing:
            told = "" if policy == "never" else " Volumes are not moved between pools."
            raise BadRequest(f"Pool {volume.pool_id} does not meet {missing} of type {kind.name}.{told}")
        typing.check_size(kind, volume.size)
        # Snapshots that a transfer left to the old owner are counted there, under the type that they have.
        own = volume.snapshots.filter(project_id=volume.project_id)
        children = list(own.select_for_update().order_by("pk"))
        total = Amounts(1, len(children), volume.size + sum(child.size for child in children))
        try:
            Quota.retype(volume.project_id, volume.type_id, kind.pk, total)
        except OverLimit as over:
            raise OverQuota(str(over)) from over
        own.update(type=kind)
        won = requests.change(
            volume,
            "retype",
            asked(by, request_id, volume, new_type=kind.name),
            name=volume.name,
            values={"type": kind, "multiattach": kind.multiattach},
        )
    won.type = kind
    return won


def set_readonly(by: Caller, request_id: str, volume: Volume, *, readonly: bool) -> Volume:
    """Have the volume attached for reading only, from now on.

    :raises StateConflict: its status does not allow it.
    """
    require_for(volume, "set_readonly")
    params = asked(by, request_id, volume, readonly=readonly)
    return requests.change(
        volume,
        "set_readonly",
        params,
        name=volume.name,
        guard=same_owner(volume),
        unchanged=["project_id"],
        values={"readonly": readonly},
    )


def set_bootable(by: Caller, request_id: str, volume: Volume, *, bootable: bool) -> Volume:
    """Say whether a server may boot from the volume.

    :raises StateConflict: its status does not allow it.
    """
    require_for(volume, "set_bootable")
    params = asked(by, request_id, volume, bootable=bootable)
    return requests.change(
        volume,
        "set_bootable",
        params,
        name=volume.name,
        guard=same_owner(volume),
        unchanged=["project_id"],
        values={"bootable": bootable},
    )
