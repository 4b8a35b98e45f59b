"""The end of attachments: at once, or with the connection of which they are the last.

A server that may be using its volume lets go itself, through the service that runs it: behind its back nobody but a
service, or an admin, takes it away.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models.functions import Now

from api.problems import BadRequest, NotFound
from identity.callers import Caller
from lifecycle import requests
from volumes.actions import connections
from volumes.actions.attachments import pick, together
from volumes.actions.connections import accepted, refuse_behind_back
from volumes.actions.guarding import as_id, asked
from volumes.attaching import ENDING, settle
from volumes.models import Attachment, Volume
from volumes.states import ATTACHED, DETACHING


def delete(by: Caller, request_id: str, attachment: Attachment) -> None:
    """End the attachment, and its host's connection if that is the last to use it.

    :raises Conflict: it is a server's, which must let go itself.
    :raises StateConflict: the volume's status does not allow it.
    """

    def accept() -> None:
        there, rows = together(attachment.volume)
        mine = pick(rows, attachment.pk)
        refuse_behind_back(by, there, [mine])
        end(by, request_id, there, [mine], rows=rows)

    accepted(accept)


def end(
    by: Caller,
    request_id: str,
    volume: Volume,
    mine: Collection[Attachment],
    *,
    rows: Collection[Attachment],
    event: str = "detach",
) -> None:
    """End these of the locked volume's attachments: at once, or with their connection where they are its last.

    A volume that failed stays so, unless it is forced. With the last attachment go the connections of older clients.

    :raises StateConflict: the volume's status does not allow it.
    """
    ending = {row.pk for row in mine}
    staying = [row for row in rows if row.pk not in ending]
    kept = {row.connection_id for row in staying if row.status not in ENDING}
    hosts = {row.connection.host for row in mine if row.connection and row.connection_id not in kept}
    begun = bool(mine) and all(row.status == DETACHING for row in mine)  # asked for before, and going on
    left = [row.status for row in staying]
    for row in mine:
        if row.connection is None or row.connection_id in kept:
            row.delete()
        else:
            Attachment.objects.filter(pk=row.pk).update(status=DETACHING, updated_at=Now())
            left.append(DETACHING)
    if not left:
        hosts |= {way.host for way in connections.unowned(volume)}
    connections.leave(by, request_id, volume, hosts)
    if begun:
        return
    params = asked(by, request_id, volume, attachments=[str(pk) for pk in ending])
    if event == "detach" and volume.status not in ATTACHED:
        reason = volume.status_reason
        requests.change(volume, "remove_attachment", params, name=volume.name, reason=reason)
    else:
        settle(volume, event, params, left)


def detach(
    by: Caller,
    request_id: str,
    volume: Volume,
    attachment_id: str | None = None,
    *,
    force: bool = False,
    host: str | None = None,
) -> None:
    """End an attachment by an older client's request: the one named, or the only one. None is none to end.

    By force an operator does so to a volume that failed, and cuts off the `host` if no attachment needs it.

    :raises NotFound: there is none of that name.
    :raises BadRequest: there are several and none is named.
    :raises Conflict: it is a server's, which must let go itself.
    """

    def accept() -> None:
        there, rows = together(volume)
        mine = [row for row in rows if attachment_id is None or row.pk == as_id(attachment_id)]
        if len(mine) > 1:
            raise BadRequest(f"Volume {there.pk} has {len(mine)} attachments: say which by attachment_id.")
        if attachment_id is not None and not mine:
            raise NotFound(f"Volume {there.pk} has no attachment {attachment_id[:64]}.")
        refuse_behind_back(by, there, mine)
        if force:
            ways = connections.unowned(there)
            connections.leave(by, request_id, there, [way.host for way in ways if way.host == host])
        if mine or force or there.status in ATTACHED:
            end(by, request_id, there, mine, rows=rows, event="force_detach" if force else "detach")

    accepted(accept)


def reset_attach_status(by: Caller, request_id: str, volume: Volume, status: str) -> None:
    """Set what uses a volume by hand, an operator's last resort: all its attachments are ended.

    :raises BadRequest: it is to be set to anything but `detached`, which follows from attachments alone.
    """
    if status != "detached":
        raise BadRequest(
            "attach_status follows from the volume's attachments: it can be reset to detached only."
        )

    def accept() -> None:
        there, rows = together(volume)
        end(by, request_id, there, rows, rows=rows, event="force_detach")

    accepted(accept)
