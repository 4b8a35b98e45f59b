"""What holds for volumes, snapshots and what is stored of them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count, Exists, OuterRef

from sync.storage import Kind, look
from volumes import storage
from volumes.models import Connection, Pool, Quota, Snapshot, TypeQuota, Volume
from volumes.models.quotas import COUNTED
from volumes.states import AVAILABLE, CREATING, DELETING, EXTENDING, IN_USE, REVERTING

Owner = tuple[str, uuid.UUID | None]  # a project, or a project and a type


def quotas_equal_what_is_there() -> Iterator[str]:
    """Each project's counts of volumes, snapshots and gigabytes are those of its rows, extends under way included."""
    counted: dict[Owner, Quota | TypeQuota] = {
        (quota.project_id, None): quota for quota in Quota.objects.all()
    }
    typed: dict[Owner, Quota | TypeQuota] = {
        (quota.project_id, quota.type_id): quota for quota in TypeQuota.objects.all()
    }
    there: Counter[tuple[str, uuid.UUID | None, str]] = Counter()
    for volume in Volume.objects.all():
        for kind in (None, volume.type_id):
            there[volume.project_id, kind, "volumes"] += 1
            there[volume.project_id, kind, "gigabytes"] += volume.new_size or volume.size
    for snapshot in Snapshot.objects.all():
        for kind in (None, snapshot.type_id):
            there[snapshot.project_id, kind, "snapshots"] += 1
            there[snapshot.project_id, kind, "gigabytes"] += snapshot.size
    owners = {(project, kind) for project, kind, _ in there if kind is None or (project, kind) in typed}
    for project, kind in owners | counted.keys() | typed.keys():
        quota = (counted if kind is None else typed).get((project, kind))
        for name in COUNTED:
            found, told = there[project, kind, name], getattr(quota, name, 0)
            if found != told:
                yield f"project {project} has {found} {name}{_of_type(kind)}, its quota says {told}"


def _of_type(kind: object) -> str:
    return f" of type {kind}" if kind else ""


def promises_equal_what_is_stored() -> Iterator[str]:
    """What each pool has promised is the sum of the sizes of the rows that live there."""
    there: Counter[str] = Counter()
    for volume in Volume.objects.all():
        there[volume.pool_id] += volume.new_size or volume.size
    for snapshot in Snapshot.objects.all():
        there[snapshot.pool_id] += snapshot.size
    told = dict(Pool.objects.values_list("pk", "allocated_gb"))
    for pool in there.keys() | told.keys():
        if there[pool] != told.get(pool, 0):
            yield f"pool {pool} holds {there[pool]} GiB of rows and has promised {told.get(pool, 0)}"


def nothing_written_is_read() -> Iterator[str]:
    """What is being written is not being read, and no source has more readers than it may."""
    for model in (Volume, Snapshot):
        field = f"reads_{model.machine.name}"
        readers = Volume.objects.filter(**{f"{field}__isnull": False}).select_related(field)
        per_source = Counter(getattr(reader, field) for reader in readers)
        for source, count in per_source.items():
            if count > settings.READERS:
                yield f"{model.machine.name} {source.pk} has {count} readers"
            if source.status in {DELETING, EXTENDING, REVERTING}:
                yield f"{model.machine.name} {source.pk} is {source.status} while it is being read"
    yield from _writers_to_what_is_copied()


def _writers_to_what_is_copied() -> Iterator[str]:
    """While a volume is copied piece by piece no host is connected to it for writing."""
    instant = [pool.pk for pool in Pool.objects.all() if pool.capabilities.get("instant_copies")]
    clones = Volume.objects.filter(reads_volume=OuterRef("volume"))
    snapshots = Snapshot.objects.filter(volume=OuterRef("volume"), status=CREATING)
    writers = Connection.objects.filter(Exists(clones) | Exists(snapshots), read_only=False)
    for way in writers:
        if way.pool_id not in instant:
            yield f"volume {way.volume_id} is being copied while host {way.host} is {way.status} to it for writing"


def attachments_agree_with_volumes() -> Iterator[str]:
    """A volume that has attachments or connections shows it, and one without attachments is not shown in use."""
    shown = {AVAILABLE: 0, IN_USE: 1}
    rows = Volume.objects.filter(status__in=shown).annotate(count=Count("attachments"))
    for volume in rows:
        if min(volume.count, 1) != shown[volume.status]:
            yield f"volume {volume.pk} is {volume.status} and has {volume.count} attachments"
    for way in Connection.objects.filter(volume__status=AVAILABLE):
        yield f"volume {way.volume_id} is {AVAILABLE} and host {way.host} is {way.status} to it"


def one_file_per_row() -> Iterator[str]:
    """Nothing is stored that no row owns, and what rows own is stored.

    :raises BackendError: a back-end could not be listed.
    """
    for name in storage.configured():
        for finding in look(name):
            if finding.kind is not Kind.LEFT:
                yield str(finding)
