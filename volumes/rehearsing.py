"""What a dry run tells of volumes and snapshots: what would change in the API's words, the quotas, the pool's room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Model

from lifecycle.accepted import Accepted
from lifecycle.models import Leased
from volumes.ends import SNAPSHOT_ENDS, VOLUME_ENDS
from volumes.models import Pool, Quota, QuotaClass, Snapshot, TypeQuota, Volume
from volumes.models.quotas import COUNTED, UNLIMITED
from volumes.states import shown


def facts(row: Model, *, hosts: bool) -> Mapping[str, Any]:
    """Return what is told of a volume or a snapshot that would change. Of an extend the size is the one asked for."""
    if isinstance(row, Snapshot):
        return {
            "name": row.name or None,
            "status": shown(row.status),
            "volume_id": str(row.volume_id),
            "size": row.size,
            "volume_type": row.type.name,
        }
    assert isinstance(row, Volume)  # noqa: S101 - connections are not tried
    told = {
        "name": row.name or None,
        "status": shown(row.status),
        "size": row.new_size or row.size,
        "volume_type": row.type.name,
        "availability_zone": row.availability_zone,
        "multiattach": row.multiattach,
        "bootable": row.bootable,
        "snapshot_id": row.snapshot_id and str(row.snapshot_id),
        "source_volid": row.source_volid and str(row.source_volid),
    }
    return {**told, "pool": row.pool_id} if hosts else told


def counts(changes: Sequence[Accepted], project_id: str, *, hosts: bool) -> dict[str, dict[str, int]]:
    """Return the quotas as they are now: of the project whose rows would change, or else of this one; its types' too.

    With `hosts` also how much may be promised of the pool and is, GiB.
    """
    rows = [change.now for change in changes if isinstance(change.now, Volume | Snapshot)]
    project = rows[0].project_id if rows else project_id
    defaults = QuotaClass.lately()
    quota = Quota.objects.filter(pk=project).first() or Quota(project_id=project, **dict.fromkeys(COUNTED, 0))
    found = {
        name: {"limit": quota.limit(name, defaults), "used": int(getattr(quota, name))} for name in COUNTED
    }
    for typed in TypeQuota.objects.filter(project_id=project, type__in={row.type_id for row in rows}):
        for name in COUNTED:
            if (limit := typed.limit(name, defaults)) != UNLIMITED:
                found[f"{name}_{typed.type.name}"] = {"limit": limit, "used": int(getattr(typed, name))}
    if hosts:
        for pool in Pool.objects.filter(pk__in={row.pool_id for row in rows}):
            found[f"pool {pool.pk}"] = {"limit": pool.promisable_gb, "used": pool.allocated_gb}
    return found


def end(event: str, row: Leased) -> None:
    """Make what ends with a volume or a snapshot."""
    if isinstance(row, Volume):
        VOLUME_ENDS[event](row, row)
    elif isinstance(row, Snapshot):
        SNAPSHOT_ENDS[event](row, row)
