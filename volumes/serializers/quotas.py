"""Quotas and limits on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rest_framework.serializers import ValidationError

from api.fields import Integer
from api.problems import BadRequest
from volumes.actions.quotas import Line
from volumes.models.quotas import UNLIMITED

NO_LIMITS: Final = frozenset({"id", "tenant_id", "project_id", "class_name"})  # sent along by some clients
MOST: Final = 2**31 - 1
MAX_NAMES: Final = 1000
ABSOLUTE: Final = {
    "volumes": ("maxTotalVolumes", "totalVolumesUsed"),
    "snapshots": ("maxTotalSnapshots", "totalSnapshotsUsed"),
    "gigabytes": ("maxTotalVolumeGigabytes", "totalGigabytesUsed"),
    "backups": ("maxTotalBackups", "totalBackupsUsed"),
    "backup_gigabytes": ("maxTotalBackupGigabytes", "totalBackupGigabytesUsed"),
}


def limits_of(body: Mapping[str, Any]) -> dict[str, int]:
    """Return the limits that a body sets.

    :raises BadRequest: it sets none, or too many.
    :raises ValidationError: naming one that is no number from -1 on.
    """
    given = {name: value for name, value in body.items() if name not in NO_LIMITS}
    if not body or len(given) > MAX_NAMES:
        raise BadRequest(f"A quota set names at least one limit, and at most {MAX_NAMES}.")
    return {name: _limit(name, value) for name, value in given.items()}


def _limit(name: str, value: Any) -> int:
    try:
        return int(Integer(min_value=UNLIMITED, max_value=MOST).run_validation(value))
    except ValidationError as wrong:
        raise ValidationError({name[:64]: wrong.detail}) from wrong


def quota_document(lines: Mapping[str, Line], *, usage: bool) -> dict[str, Any]:
    """Return a project's quota: the limits alone or, with `usage`, beside what is used of them."""
    if not usage:
        return {name: line.limit for name, line in lines.items()}
    return {name: {"limit": line.limit, "in_use": line.in_use, "reserved": 0} for name, line in lines.items()}


def absolute_limits(lines: Mapping[str, Line]) -> dict[str, int]:
    """Return a project's quota in the words of /limits."""
    limits: dict[str, int] = {}
    for name, (most, used) in ABSOLUTE.items():
        limits |= {most: lines[name].limit, used: lines[name].in_use}
    return limits
