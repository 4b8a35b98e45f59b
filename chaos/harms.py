"""Harms done by hand between a run's quiet and its verdict, to see that the verdict sees them (`--plant`)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from chaos.ground import Ground


def _lost_file(ground: Ground) -> str:
    """Delete what is stored of a volume."""
    from volumes.models import Volume  # noqa: PLC0415 - Django is set up by now

    known = {str(pk) for pk in Volume.objects.filter(status="available").values_list("pk", flat=True)}
    stored = [path for pool in ground.storage.pools for path in (pool / "volumes").iterdir()]
    victim = next(path for path in stored if path.name in known)
    victim.unlink()
    return victim.name


def _stray_file(ground: Ground) -> str:
    """Store a volume that no row knows."""
    stray = ground.storage.pools[0] / "volumes" / str(uuid.uuid4())
    stray.write_bytes(b"nobody's")
    return stray.name


def _lost_operation(_: Ground) -> str:
    """Forget a request that was accepted."""
    from lifecycle.models import Event, Operation  # noqa: PLC0415

    victim = Operation.objects.filter(resource_type="volume", action="create", state="COMPLETE").latest("pk")
    Event.objects.filter(operation_id=victim.pk).delete()
    victim.delete()
    return str(victim.resource_id)


def _wrong_quota(_: Ground) -> str:
    """Count a volume that is not there."""
    from django.db.models import F  # noqa: PLC0415

    from volumes.models import Quota  # noqa: PLC0415

    victim = Quota.objects.latest("pk")
    Quota.objects.filter(pk=victim.pk).update(volumes=F("volumes") + 1)
    return str(victim.project_id)


def _lost_volume(_: Ground) -> str:
    """Lose the row of a volume that nobody deleted."""
    from volumes.models import Volume  # noqa: PLC0415

    free = Volume.objects.filter(status="available", snapshots=None, attachments=None, connections=None)
    victim = free.latest("created_at")
    victim.delete()
    return str(victim.pk)


HARMS: Mapping[str, Callable[[Ground], str]] = {
    "lost-file": _lost_file,
    "stray-file": _stray_file,
    "lost-operation": _lost_operation,
    "wrong-quota": _wrong_quota,
    "lost-volume": _lost_volume,
}


def plant(ground: Ground, names: str) -> list[str]:
    """Do these harms and return what each was done to.

    :raises KeyError: there is no such harm.
    """
    return [f"{name}: {HARMS[name](ground)}" for name in names.split(",")]
