"""What else ends with the work: reservations are given back and users are told, in the outcome's own transaction.

Each is called with the row as it was claimed and as it was written.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from lifecycle.advance import End
from lifecycle.models import Operation
from lifecycle.swap import swap_many
from volumes import attaching, reasons
from volumes.models import Connection, Message, Pool, Quota, Snapshot, Volume
from volumes.models.quotas import Amounts
from volumes.states import DELETING

# Cinder's numbers of what was attempted, by which its clients look messages up. What has none there is 000.
ACTIONS: Final = {
    ("volume", "create"): "008",
    ("volume", "extend"): "007",
    ("volume", "attach"): "002",
    ("volume", "detach"): "004",
    ("snapshot", "create"): "009",
    ("snapshot", "delete"): "010",
}

LONGEST: Final = 2000  # characters of a message


def give_back(volume: Volume, size: int) -> None:
    """Give back `size` GiB of what the volume was promised."""
    Quota.release(volume.project_id, volume.type_id, Amounts(gigabytes=size))
    Pool.release(volume.pool_id, size)


def tell(row: Volume | Snapshot | Connection, action: str, operation: uuid.UUID | None) -> None:
    """Leave a message for the user about work that failed; a connection's is about its volume."""
    about = row.volume if isinstance(row, Connection) else row
    kind = "VOLUME" if isinstance(about, Volume) else "VOLUME_SNAPSHOT"
    number = ACTIONS.get((about.machine.name, action), "000")
    requests = Operation.objects.filter(pk=operation) if operation else Operation.objects.none()
    request_id = requests.values_list("request_id", flat=True).first()
    Message.objects.create(
        project_id=about.project_id,
        request_id=request_id or "",
        resource_type=kind,
        resource_id=about.pk,
        action_id=number,
        event_id=f"VOLUME_{kind}_{number}_001",
        user_message=_told_to_user(f"{action} {about.machine.name}", row.status_reason),
        guaranteed_until=Now() + timedelta(days=settings.MESSAGE_DAYS),
    )


def _told_to_user(what: str, why: str) -> str:
    """Return what did not work, why, and what to do next, within what a message holds."""
    reason = reasons.understood(why)
    advice = f" {reason.advice}" if reason else ""
    return f"{what}: {why}"[: LONGEST - len(advice)] + advice


def _deleted(found: Volume, gone: Volume) -> None:
    Quota.release(gone.project_id, gone.type_id, Amounts(volumes=1, gigabytes=gone.size))
    Pool.release(found.pool_id, gone.size)


def _extend_failed(found: Volume, failed: Volume) -> None:
    give_back(failed, (found.new_size or found.size) - found.size)
    tell(failed, "extend", found.operation_id)


def _snapshot_deleted(found: Snapshot, gone: Snapshot) -> None:
    Quota.release(gone.project_id, gone.type_id, Amounts(snapshots=1, gigabytes=gone.size))
    Pool.release(found.pool_id, gone.size)
    waiting = {"status": DELETING, "holder": None, "pk": gone.volume_id}
    # After the commit: the volume's row may be locked by a request that waits for this one.
    transaction.on_commit(lambda: swap_many(Volume, **waiting, values={"not_before": Now(), "rung_at": None}))


def _told(action: str) -> Callable[[Volume, Volume], None]:
    return lambda found, failed: tell(failed, action, found.operation_id)


VOLUME_ENDS: Mapping[str, End[Volume]] = {
    "deleted": _deleted,
    "create_failed": _told("create"),
    "extend_failed": _extend_failed,
    "delete_failed": _told("delete"),
    "revert_failed": _told("revert"),
}
SNAPSHOT_ENDS: Mapping[str, End[Snapshot]] = {
    "deleted": _snapshot_deleted,
    "create_failed": lambda found, failed: tell(failed, "create", found.operation_id),
    "delete_failed": lambda found, failed: tell(failed, "delete", found.operation_id),
}


def _connect_failed(found: Connection, failed: Connection) -> None:
    attaching.connect_failed(found, failed)
    tell(failed, "attach", found.operation_id)


def _disconnect_failed(found: Connection, failed: Connection) -> None:
    attaching.disconnect_failed(failed)
    tell(failed, "detach", found.operation_id)


CONNECTION_ENDS: Mapping[str, End[Connection]] = {
    "connect_failed": _connect_failed,
    "disconnected": attaching.end_of,
    "disconnect_failed": _disconnect_failed,
}
