"""Attachments: a server's use of a volume, from its reservation to its end.

Each verb locks the volume, looks at all of its attachments, and moves one of them together with the volume. What a host
needs besides, a connection, is joined or left in the same transaction and made or ended by a worker.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from api.problems import BadRequest, Conflict, NotFound, WrongState
from identity.callers import Caller
from volumes.actions import connections
from volumes.actions.connections import accepted
from volumes.actions.guarding import as_id, asked, locked, refuse_readers
from volumes.attaching import ENDING, RO, settle
from volumes.models import Attachment, Connection, Volume
from volumes.states import (
    ATTACHING,
    AVAILABLE,
    CONNECTED,
    ERROR_ATTACHING,
    IN_ATTACHMENT,
    IN_USE,
    RESERVED,
    shown,
)

Connector = Mapping[str, Any]


def visible(by: Caller, *, everybodys: bool = False) -> QuerySet[Attachment]:
    """Return the attachments that the caller may see: the project's, or all that there are."""
    rows = Attachment.objects.select_related("connection")
    return rows if everybodys else rows.filter(project_id=by.project)


def find_attachment(by: Caller, ident: str) -> Attachment:
    """Return the attachment with this id, of the caller's project or, for admins, of any.

    :raises NotFound: there is none that the caller may see.
    """
    pk = as_id(ident)
    row = visible(by, everybodys=by.is_admin).select_related("volume").filter(pk=pk).first() if pk else None
    if row is None:
        raise NotFound(f"Volume attachment {ident[:255]} could not be found.")
    return row


def create(
    by: Caller,
    request_id: str,
    volume: Volume,
    *,
    instance: str | None = None,
    connector: Connector | None = None,
    mode: str | None = None,
) -> Attachment:
    """Reserve the volume for a server, and with a connector have its host connected.

    :raises StateConflict: the volume's status does not allow it.
    :raises WrongState: others have it.
    :raises Busy: it is being read, and the attachment is to write.
    :raises BadRequest: it is to write to a volume that is for reading.
    """

    def accept() -> Attachment:
        there, rows = together(volume)
        admit(there, rows, instance, "attach")
        attachment = Attachment(
            id=uuid.uuid4(),
            volume=there,
            project_id=there.project_id,
            user_id=by.user_id,
            instance_id=instance,
            mode=admitted_mode(there, mode or (connector or {}).get("mode")),
        )
        if connector:
            _connect(by, request_id, there, attachment, connector)
        attachment.save(force_insert=True)
        params = asked(by, request_id, there, attachment_id=str(attachment.pk), instance_id=instance)
        settle(there, "reserve_attachment", params, [row.status for row in (*rows, attachment)])
        return attachment

    return accepted(accept)


def update(by: Caller, request_id: str, attachment: Attachment, connector: Connector) -> Attachment:
    """Have the attachment's host connected. Asking again changes nothing while that goes on or when it is done.

    :raises WrongState: it is ending, or the volume's status does not allow it.
    :raises Conflict: the volume is connected for another attachment, and may be only once; or a server uses it by
        another connector, which only a service may change.
    """

    def accept() -> Attachment:
        there, rows = together(attachment.volume)
        mine = pick(rows, attachment.pk)
        if mine.status in ENDING or _elsewhere(mine, connector):
            raise WrongState(f"Cannot update attachment {mine.pk}: it is {mine.status}.")
        others = [
            row for row in rows if row.pk != mine.pk and row.connection and row.status != ERROR_ATTACHING
        ]
        if others and not there.multiattach:
            raise Conflict(f"Volume {there.pk} is connected for attachment {others[0].pk} already.")
        before = _state(mine)
        if mine.status != IN_ATTACHMENT:
            mine.mode = admitted_mode(there, mine.mode or connector.get("mode"))
        _connect(by, request_id, there, mine, connector)
        if _state(mine) != before:
            mine.updated_at = Now()
            mine.save()
            params = asked(by, request_id, there, attachment_id=str(mine.pk))
            settle(there, "update_attachment", params, [row.status for row in rows])
        return mine

    return accepted(accept)


def complete(by: Caller, request_id: str, attachment: Attachment) -> None:
    """Note that the server uses the volume. Saying so twice is as good as once.

    :raises WrongState: its host is not connected, or it is ending.
    """

    def accept() -> None:
        there, rows = together(attachment.volume)
        mine = pick(rows, attachment.pk)
        if mine.status == IN_ATTACHMENT:
            return
        if mine.status != ATTACHING or mine.connection is None or mine.connection.status != CONNECTED:
            way = (
                f", and its connection {mine.connection.status}"
                if mine.connection
                else ", without a connector"
            )
            raise WrongState(f"Cannot complete attachment {mine.pk}: it is {mine.status}{way}.")
        mine.status, mine.attached_at, mine.updated_at = IN_ATTACHMENT, Now(), Now()
        mine.save(update_fields=["status", "attached_at", "updated_at"])
        params = asked(by, request_id, there, attachment_id=str(mine.pk))
        settle(there, "complete_attachment", params, [row.status for row in rows])

    accepted(accept)


def together(volume: Volume) -> tuple[Volume, list[Attachment]]:
    """Return the locked volume and its attachments, with their connections, as they are under its lock."""
    there = locked(volume)
    rows = Attachment.objects.filter(volume=there).select_related("connection")
    return there, list(rows.order_by("created_at", "pk"))


def pick(rows: Iterable[Attachment], pk: uuid.UUID) -> Attachment:
    """Return the one of the rows that has this id.

    :raises NotFound: it is gone.
    """
    for row in rows:
        if row.pk == pk:
            return row
    raise NotFound(f"Volume attachment {pk} could not be found.")


def admit(volume: Volume, rows: Sequence[Attachment], instance: str | None, event: str) -> None:
    """Let one more use the locked volume: the first, one of many, or the same server again, which may be migrating.

    :raises WrongState: naming who has the volume, or its status.
    """
    others = [row for row in rows if instance is None or row.instance_id != instance]
    if others and not volume.multiattach:
        raise WrongState(
            f"Cannot {event} volume {volume.pk}: attachment {others[0].pk} has it, and only one may."
        )
    begun = volume.status == ATTACHING and any(row.status == ATTACHING for row in rows)
    free = {IN_USE, RESERVED, ATTACHING} if begun else {IN_USE, RESERVED}
    if volume.status != AVAILABLE and not (rows and volume.status in free):
        raise WrongState(
            f"Cannot {event} volume {volume.pk}, whose status is {shown(volume.status)}: the status must be "
            f"{AVAILABLE}{', or in-use by others' if volume.multiattach else ''}."
        )


def admitted_mode(volume: Volume, mode: str | None) -> str | None:
    """Return the mode in which the locked volume may be attached, if it is asked for in this one.

    :raises BadRequest: it is for reading only.
    :raises Busy: it is being read, so that nobody may write.
    """
    if volume.readonly:
        if mode not in {None, RO}:
            raise BadRequest(f"Volume {volume.pk} is for reading only: it cannot be attached in mode {mode}.")
        return RO
    if mode != RO:
        refuse_readers(volume, "attach")
    return mode


def _connect(
    by: Caller, request_id: str, volume: Volume, attachment: Attachment, connector: Connector
) -> None:
    """Join the host's connection, and write into the attachment what it becomes by that.

    :raises Conflict: that would take another connection from a server that may be using it.
    """
    old = attachment.connection
    if old is not None and old.connector != connections.way_of(connector):
        connections.refuse_behind_back(by, volume, [attachment])
    attachment.mode = attachment.mode or "rw"
    way = connections.join(
        by, request_id, volume, connector, read_only=attachment.mode == RO, mine=attachment if old else None
    )
    if old is not None and old.pk != way.pk:
        connections.leave(by, request_id, volume, _last(old, attachment))
    attachment.connection, attachment.connector, attachment.host = way, dict(connector), way.host
    attachment.mountpoint = connector.get("mountpoint") or attachment.mountpoint
    if attachment.status != IN_ATTACHMENT:
        attachment.status = ATTACHING


def _elsewhere(attachment: Attachment, connector: Connector) -> bool:
    """Tell whether an attachment that is in use would be moved to another host."""
    return attachment.status == IN_ATTACHMENT and attachment.host != connections.host_of(connector)


def _state(attachment: Attachment) -> tuple[object, ...]:
    return attachment.status, attachment.connection_id, attachment.connector, attachment.mode


def _last(way: Connection, mine: Attachment) -> list[str]:
    """Return the connection's host, if nobody else uses it."""
    others = way.attachments.exclude(pk=mine.pk).exclude(status__in=ENDING)
    return [] if others.exists() else [way.host]
