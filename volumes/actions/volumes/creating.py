"""Accept a new volume: what it reads, what it counts, where it goes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import transaction

from api.lately import Lately
from api.problems import BadRequest, Conflict, OverQuota, Unavailable
from identity.callers import Caller
from lifecycle import requests
from lifecycle.errors import Unprovided
from lifecycle.requests import Asked
from volumes import placement
from volumes.actions import typing
from volumes.actions.guarding import (
    admit_reader,
    asked,
    find_snapshot,
    find_volume,
    is_used,
    locked,
    require,
    require_instant,
)
from volumes.models import Pool, Quota, Snapshot, Volume, VolumeType
from volumes.models.quotas import Amounts, OverLimit
from volumes.placement import NoPlace, Wanted
from volumes.states import AVAILABLE, IN_USE, copying
from volumes.tasks import advance_volume
from workers import bell

_step_by_step: Lately[bool] = Lately()  # projects for which one statement would not do

log = structlog.get_logger(__name__)

LARGEST = 2**31 - 1  # GiB, as Cinder's column


@dataclass(frozen=True, slots=True)
class Wish:
    """A volume that somebody asks for."""

    size: int | None = None
    name: str = ""
    description: str = ""
    type: str | None = None  # id or name
    availability_zone: str | None = None
    snapshot_id: str | None = None
    source_volid: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)


def create(by: Caller, request_id: str, wish: Wish) -> Volume:
    """Accept a new volume: its row, its Operation, its quota, its room in a pool and its place as a reader, or nothing.

    :raises NotFound: the source is none that the caller may see.
    :raises WrongState: the source's status does not allow it.
    :raises Busy: the source has as many readers as may be.
    :raises OverQuota: the project's limits do not allow it.
    :raises Conflict: no pool has room.
    :raises BadRequest: no pool can ever hold it, or the wish contradicts itself.
    """
    if wish.snapshot_id is None and wish.source_volid is None and not wish.hints:
        blank = _blank(by, request_id, wish)
        if blank is not None:
            return blank
    with transaction.atomic():
        source = _source(by, wish)
        used = isinstance(source, Volume) and is_used(source)
        if isinstance(source, Volume) and used:
            require_instant(source, "clone")
        volume = _volume(by, wish, _size(wish, source), _type(by, wish, source))
        _mark_source(volume, source)
        count(by.project, volume.type, Amounts(volumes=1, gigabytes=volume.size), volume.size)
        _put(volume, _place(by, wish, volume, source, used=used))
        deadline = copying(volume.size) if source is not None else None
        requests.birth(volume, "create", _asked(by, request_id, volume), name=volume.name, deadline=deadline)
        bell.ring_on_commit(advance_volume, volume)
    return volume


def _blank(by: Caller, request_id: str, wish: Wish) -> Volume | None:
    """Accept a volume that reads nothing, in one statement: most are accepted so, and nobody waits for its locks.

    None where that cannot be: to be asked step by step, which tells what was missing.
    """
    if _step_by_step.get(by.project):
        return None
    volume = _volume(by, wish, _size(wish, None), typing.wanted_lately(by, wish.type))
    typing.check_size(volume.type, volume.size)
    try:
        pool = placement.choose(Wanted(volume.size, volume.type, availability_zone=wish.availability_zone))
    except NoPlace:
        return None
    _put(volume, pool)
    amounts = Amounts(volumes=1, gigabytes=volume.size)
    counted = Quota.reservation(by.project, volume.type_id, amounts, largest=volume.size)
    if counted is None:
        return None
    asked_for = _asked(by, request_id, volume)
    provided = [counted, Pool.reservation(pool.pk, volume.size), typing.unchanged(volume.type)]
    try:
        requests.birth(volume, "create", asked_for, name=volume.name, provided=provided)
    except Unprovided:
        _step_by_step.put(by.project, True)
        return None
    bell.gather_on_commit(advance_volume, volume)
    return volume


def _volume(by: Caller, wish: Wish, size: int, kind: VolumeType) -> Volume:
    typing.refuse_encrypted(kind)
    return Volume(
        id=uuid.uuid4(),
        project_id=by.project,
        user_id=by.user_id,
        name=wish.name,
        description=wish.description,
        size=size,
        type=kind,
        metadata=dict(wish.metadata),
        hints=dict(wish.hints),
        multiattach=kind.multiattach,
    )


def _put(volume: Volume, pool: Pool) -> None:
    volume.backend, volume.pool = pool.backend, pool.name
    volume.availability_zone = pool.availability_zone


def _asked(by: Caller, request_id: str, volume: Volume) -> Asked:
    return asked(by, request_id, None, size=volume.size, volume_type=volume.type.name, pool=volume.pool_id)


def _source(by: Caller, wish: Wish) -> Volume | Snapshot | None:
    """Return the locked source, fit to be read from."""
    if wish.snapshot_id is not None and wish.source_volid is not None:
        raise BadRequest("Give snapshot_id or source_volid, not both.")
    if wish.snapshot_id is not None:
        snapshot = locked(find_snapshot(by, wish.snapshot_id))
        require(snapshot, "create a volume from", AVAILABLE)
        admit_reader(snapshot)
        return snapshot
    if wish.source_volid is None:
        return None
    volume = locked(find_volume(by, wish.source_volid))
    require(volume, "create a volume from", AVAILABLE, IN_USE)
    admit_reader(volume)
    return volume


def _size(wish: Wish, source: Volume | Snapshot | None) -> int:
    if wish.size is None:
        if source is None:
            raise BadRequest(
                "Invalid input received: size is required where there is no source to take it from."
            )
        return source.size
    if source is not None and wish.size < source.size:
        raise BadRequest(
            f"Invalid input received: size {wish.size} is smaller than that of the source, {source.size} GiB."
        )
    return wish.size


def _type(by: Caller, wish: Wish, source: Volume | Snapshot | None) -> VolumeType:
    return source.type if source is not None and wish.type is None else typing.wanted(by, wish.type)


def _mark_source(volume: Volume, source: Volume | Snapshot | None) -> None:
    if isinstance(source, Snapshot):
        volume.reads_snapshot = source
        volume.snapshot_id = source.pk
        volume.bootable = Volume.objects.values_list("bootable", flat=True).get(pk=source.volume_id)
    elif source is not None:
        volume.reads_volume = source
        volume.source_volid = source.pk
        volume.bootable = source.bootable


def count(project_id: str, kind: VolumeType, amounts: Amounts, size: int) -> None:
    """Count it against the project's limits.

    :raises OverQuota: they do not allow it.
    """
    typing.check_size(kind, size)
    try:
        Quota.reserve(project_id, kind.pk, amounts, largest=size)
    except OverLimit as over:
        raise OverQuota(str(over)) from over


def _place(by: Caller, wish: Wish, volume: Volume, source: Volume | Snapshot | None, *, used: bool) -> Pool:
    same, different = (placement.hinted(wish.hints.get(hint)) for hint in ("same_host", "different_host"))
    near = placement.backends_of(same, by.project)
    if wish.hints.get("same_host") and not near:
        raise BadRequest("The hint same_host names no volume of the project.")
    wanted = Wanted(
        volume.size,
        volume.type,
        availability_zone=wish.availability_zone,
        backend=source.backend if source is not None else None,
        pool=source.pool_id if source is not None and used else None,
        near=near,
        far=placement.backends_of(different, by.project),
    )
    try:
        return placement.place(wanted)
    except NoPlace as none:
        log.info("no place for a volume", reason=str(none))
        raise refusal_of(none, str(none) if by.is_admin else none.in_short) from none


def refusal_of(none: NoPlace, told: str) -> Conflict | Unavailable | BadRequest:
    """Return the refusal for a volume that has no place."""
    if none.full:
        return Conflict(told)
    return Unavailable(told) if none.down else BadRequest(told)
