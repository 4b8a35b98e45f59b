"""The steps of a volume."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F

from lifecycle.errors import Undone
from lifecycle.leases import Held
from lifecycle.outcome import Again, Done, Failed, StepOutcome
from volumes import placement, reasons, storage
from volumes.backends.base import GIB, NoSpace, NotThere, Progress, Ref, Refused, Unavailable, Underway
from volumes.models import Connection, Pool, Snapshot, Volume
from volumes.placement import ATTEMPTS, NoPlace, Wanted
from volumes.states import CREATING, DELETING, EXTENDING, IN_USE, REVERTING
from volumes.steps.asking import Step, a_while, outcome_of, refusal_of, step

CHILDREN = timedelta(seconds=1)  # until a volume looks again whether its snapshots are gone


def _create(held: Held[Volume]) -> StepOutcome:
    """Have the volume made, empty or as a copy; where its pool cannot, have it placed elsewhere."""
    volume = held.row
    source = _source(volume)
    try:
        if source is None:
            storage.backend(volume.backend).create(volume.ref, volume.size * GIB, epoch=held.epoch)
        else:
            size = volume.size * GIB
            copied = storage.backend(volume.backend).copy(
                source, volume.ref, size, epoch=held.epoch, go_on=a_while()
            )
            if isinstance(copied, Underway):
                return _going_on(copied)
    except NoSpace as full:
        return _elsewhere(volume, full.reason)
    except Unavailable as down:
        waits = outcome_of(volume, down)
        return waits if source is not None else _elsewhere(volume, down.reason, otherwise=waits)
    return Done("created")


def _source(volume: Volume) -> Ref | None:
    if volume.reads_snapshot_id is not None:
        return Snapshot.objects.get(pk=volume.reads_snapshot_id).ref
    return Volume.objects.get(pk=volume.reads_volume_id).ref if volume.reads_volume_id is not None else None


def _elsewhere(volume: Volume, why: str, *, otherwise: StepOutcome | None = None) -> StepOutcome:
    """Give the volume to another pool: its room there is taken and given back here as the row is written.

    Where no other takes it, what is to come of it is `otherwise`, or it fails.
    """
    tried = [*volume.tried, {"pool": volume.pool_id, "reason": why}]
    if len(tried) >= ATTEMPTS:
        return otherwise or Failed(reasons.nowhere(_each(tried)))
    same, different = (placement.hinted(volume.hints.get(hint)) for hint in ("same_host", "different_host"))
    wanted = Wanted(
        volume.size,
        volume.type,
        availability_zone=volume.availability_zone,
        backend=volume.backend if volume.reads_volume_id or volume.reads_snapshot_id else None,
        pool=volume.pool_id if _source_in_use(volume) else None,
        near=placement.backends_of(same, volume.project_id),
        far=placement.backends_of(different, volume.project_id),
        tried=[each["pool"] for each in tried],
    )
    try:
        pool = placement.choose(wanted)
    except NoPlace as none:
        return otherwise or Failed(reasons.nowhere(_each(tried), none))

    def take() -> None:
        if not Pool.exchange(volume.pool_id, pool.pk, volume.size):
            raise Undone(reasons.room_taken(pool))

    return Again(
        fields={"backend": pool.backend, "pool": pool.name, "tried": tried, "copied": 0, "to_copy": None},
        also=take,
    )


def _source_in_use(volume: Volume) -> bool:
    """Tell whether the bytes to copy may change meanwhile: they are copied in one moment then, in their own pool."""
    if volume.reads_volume_id is None:
        return False
    return Connection.objects.filter(volume=volume.reads_volume_id).exists()


def _each(tried: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(one["pool"], one["reason"]) for one in tried]


def _delete(held: Held[Volume]) -> StepOutcome:
    """Have nothing left of the volume, after its snapshots where those are deleted with it."""
    volume = held.row
    left = list(Snapshot.objects.filter(volume=volume.pk).values_list("pk", "status"))
    stuck = [str(pk) for pk, status in left if status != DELETING]
    if stuck:
        return Failed(reasons.snapshots_left(stuck))
    if left:
        return Again(CHILDREN)
    storage.backend(volume.backend).delete(volume.ref, epoch=held.epoch)
    return Done("deleted")


def _extend(held: Held[Volume]) -> StepOutcome:
    volume = held.row
    assert volume.new_size is not None  # noqa: S101 - the request writes it
    try:
        storage.backend(volume.backend).extend(volume.ref, volume.new_size * GIB, epoch=held.epoch)
    except (NoSpace, NotThere, Refused) as refused:  # an answer, after which nothing can still come
        return Failed(refusal_of(volume, refused), {"may_grow_to": None})
    event = "extended_in_use" if volume.was == IN_USE else "extended"
    return Done(event, {"size": F("new_size"), "may_grow_to": None})


def _revert(held: Held[Volume]) -> StepOutcome:
    volume = held.row
    snapshot = _source(volume)
    assert snapshot is not None  # noqa: S101 - the request writes it
    copied: Progress = storage.backend(volume.backend).revert(
        volume.ref, snapshot, epoch=held.epoch, go_on=a_while()
    )
    return _going_on(copied) if isinstance(copied, Underway) else Done("reverted")


def _going_on(copied: Underway) -> Again:
    return Again(fields={"copied": copied.copied, "to_copy": copied.total})


STEPS: dict[str, Step[Volume]] = {
    CREATING: step(_create),
    DELETING: step(_delete),
    EXTENDING: step(_extend),
    REVERTING: step(_revert),
}
