"""How a volume's status follows from its attachments and connections, and what the end of a connection makes of both.

Attachments are written under the lock of their volume's row, whoever writes them: the API as it accepts a request, and
the holder of a connection as its work ends. The API takes the volume's lock first and then never waits for a
connection's; a holder has the connection's and then waits for the volume's: so the two cannot wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from lifecycle import requests
from lifecycle.requests import Asked
from volumes.models import Attachment, Connection, Volume
from volumes.states import (
    ATTACHED,
    ATTACHING,
    AVAILABLE,
    DETACHING,
    ERROR_ATTACHING,
    ERROR_DETACHING,
    IN_ATTACHMENT,
    IN_USE,
    RESERVED,
)

RO: Final = "ro"
ENDING: Final = (DETACHING, ERROR_DETACHING)
# What an attachment makes of its volume; the first that any attachment has counts, as in Cinder. One whose connection
# could not be made keeps its place, for another try or for its removal.
SHOWS: Final = (
    (IN_ATTACHMENT, IN_USE),
    (ATTACHING, ATTACHING),
    (DETACHING, DETACHING),
    (ERROR_DETACHING, DETACHING),
    (RESERVED, RESERVED),
    (ERROR_ATTACHING, RESERVED),
)


def status_by(attachments: Collection[str], *, connected: bool = False) -> str:
    """Return the status of a volume whose attachments have these statuses.

    Without any it is free, once no host is `connected` to it any more.
    """
    alone = DETACHING if connected else AVAILABLE
    return next((status for theirs, status in SHOWS if theirs in attachments), alone)


def settle(
    volume: Volume, event: str, asked: Asked, left: Collection[str], *, ended: Connection | None = None
) -> Volume:
    """Give the locked volume the status that its attachments make of it. Those that are `left` have these statuses.

    `ended` is a connection that is going in this transaction.

    :raises StateConflict: the volume's status does not allow the event.
    """
    others = Connection.objects.filter(volume=volume)
    if ended is not None:
        others = others.exclude(pk=ended.pk)
    to = status_by(left, connected=not left and others.exists())
    return requests.change(volume, event, asked, name=volume.name, to=to)


def end_of(found: Connection, gone: Connection) -> None:
    """End the attachments that waited for the connection's end, in the transaction that removes it.

    What else holds the volume keeps it: an older client says by itself when it has let go.
    """
    volume = _locked(gone)
    ended, _ = Attachment.objects.filter(connection=gone, status__in=ENDING).delete()
    left = _left(volume)
    if volume.status in ATTACHED and (ended or not left):
        settle(volume, "detach", _asked(found, volume), left, ended=gone)


def connect_failed(found: Connection, failed: Connection) -> None:
    """Tell the attachments that waited for the connection, in the transaction that gives it up.

    Those that had it before, for reading, are not concerned if it was made anew for one that writes.
    """
    volume = _locked(failed)
    waiting = Attachment.objects.filter(connection=failed, status=ATTACHING)
    if failed.info is not None and not failed.read_only:
        waiting = waiting.exclude(mode=RO)
    if waiting.update(status=ERROR_ATTACHING) and volume.status in ATTACHED:
        settle(volume, "attach_failed", _asked(found, volume), _left(volume))


def disconnect_failed(failed: Connection) -> None:
    """Tell the attachments that waited for the connection's end. The volume stays taken: its host may reach it yet."""
    _locked(failed)
    Attachment.objects.filter(connection=failed, status=DETACHING).update(status=ERROR_DETACHING)


def _left(volume: Volume) -> list[str]:
    return list(Attachment.objects.filter(volume=volume).values_list("status", flat=True))


def _locked(connection: Connection) -> Volume:
    return Volume.objects.select_for_update().get(pk=connection.volume_id)


def _asked(found: Connection, volume: Volume) -> Asked:
    """Return who asked for the connection's work."""
    operation = found.operation
    assert operation is not None  # noqa: S101 - there was work on the connection
    return Asked(operation.user_id, volume.project_id, operation.request_id)
