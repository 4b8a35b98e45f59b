"""The older protocol of attaching, step by step: reserve, connect, attach; begin to detach, disconnect, detach.

Its steps are told by the client. What Cinder checks and then writes is here checked under the volume's lock; what it
passes over in silence (giving back what is not reserved) is passed over here.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db.models.functions import Now

from api.problems import WrongState
from identity.callers import Caller
from lifecycle import requests
from volumes.actions import connections
from volumes.actions.attachments import Connector, admitted_mode, together
from volumes.actions.connections import accepted, host_of, may_take, refuse_behind_back
from volumes.actions.guarding import asked, locked, require
from volumes.attaching import ENDING, RO, settle
from volumes.models import Attachment, Connection, Volume
from volumes.states import (
    ATTACHING,
    AVAILABLE,
    DETACHING,
    IN_ATTACHMENT,
    IN_USE,
    MAINTENANCE,
    RESERVED,
    VOLUME,
)


def reserve(by: Caller, request_id: str, volume: Volume) -> None:
    """Keep the volume for who is about to attach it.

    :raises WrongState: its status does not allow it.
    """

    def accept() -> None:
        there = locked(volume)
        require(there, "reserve", AVAILABLE, *([IN_USE] if there.multiattach else []))
        requests.change(there, "reserve", asked(by, request_id, there), name=there.name, to=ATTACHING)

    accepted(accept)


def unreserve(by: Caller, request_id: str, volume: Volume) -> None:
    """Give the volume back, and the hosts' ways to it that nobody has attached by."""

    def accept() -> None:
        there, rows = together(volume)
        _unreserve(by, request_id, there, rows)

    accepted(accept)


def _unreserve(by: Caller, request_id: str, volume: Volume, rows: Sequence[Attachment]) -> None:
    statuses = [row.status for row in rows]
    if volume.status != ATTACHING or ATTACHING in statuses:
        return
    if not rows:
        connections.leave(by, request_id, volume, [way.host for way in connections.unowned(volume)])
    settle(volume, "unreserve", asked(by, request_id, volume), statuses)


def begin_detaching(by: Caller, request_id: str, volume: Volume) -> None:
    """Note that the volume is about to be detached.

    :raises WrongState: it is not in use.
    """

    def accept() -> None:
        there = locked(volume)
        require(there, "detach", IN_USE)
        params = asked(by, request_id, there)
        requests.change(there, "begin_detaching", params, name=there.name, to=DETACHING)

    accepted(accept)


def roll_detaching(by: Caller, request_id: str, volume: Volume) -> None:
    """Note that the volume stays attached after all. What is being ended by its connection goes on."""

    def accept() -> None:
        there, rows = together(volume)
        if there.status == DETACHING and any(row.status == IN_ATTACHMENT for row in rows):
            params = asked(by, request_id, there)
            requests.change(there, "roll_detaching", params, name=there.name, to=IN_USE)

    accepted(accept)


def attach(
    by: Caller,
    request_id: str,
    volume: Volume,
    *,
    instance: str | None,
    host: str | None,
    mountpoint: str,
    mode: str,
) -> None:
    """Note that a server, or a host, uses the volume. Saying so twice is as good as once.

    :raises WrongState: others have it, or its status does not allow it.
    :raises Busy: it is being read, and the attachment is to write.
    :raises BadRequest: it is to write to a volume that is for reading.
    """

    def accept() -> None:
        there, rows = together(volume)
        mine = _known(rows, instance, host)
        if mine is not None and mine.status == IN_ATTACHMENT and there.status == IN_USE:
            return
        others = [row for row in rows if row is not mine]
        if others and not there.multiattach:
            raise WrongState(f"Volume {there.pk} is attached already, by {others[0].pk}, and only one may.")
        if not rows:
            require(there, "attach", AVAILABLE, ATTACHING)
        row = mine or Attachment(
            id=uuid.uuid4(),
            volume=there,
            project_id=there.project_id,
            user_id=by.user_id,
            instance_id=instance,
        )
        row.mode, row.mountpoint, row.host = admitted_mode(there, mode), mountpoint, host or row.host
        row.status, row.attached_at, row.updated_at = IN_ATTACHMENT, Now(), Now() if mine else None
        row.save(force_insert=mine is None)
        params = asked(by, request_id, there, attachment_id=str(row.pk), instance_id=instance, host=host)
        settle(there, "attach", params, [IN_ATTACHMENT])

    accepted(accept)


def _known(rows: Sequence[Attachment], instance: str | None, host: str | None) -> Attachment | None:
    """Return the attachment of the same server, or of the same host where no server is named."""
    for row in rows:
        if (row.instance_id == instance) if instance else (row.instance_id is None and row.host == host):
            return row
    return None


def initialize_connection(by: Caller, request_id: str, volume: Volume, connector: Connector) -> Connection:
    """Have a host connected. Who has not reserved the volume does so by this. Asking again joins what goes on.

    Nobody has said in which mode: where all attachments are for reading, so is the connection.

    :raises WrongState: the volume's status does not allow it, or another host has it.
    :raises Busy: it is being read, and the host is to write.
    :raises Conflict: a server uses the host's connection by another connector.
    """

    def accept() -> Connection:
        there, rows = together(volume)
        require(there, "connect a host to", AVAILABLE, RESERVED, ATTACHING, IN_USE)
        host = host_of(connector)
        migrating = there.status == IN_USE and may_take(by)  # from one host to another, as its service knows
        others = Connection.objects.filter(volume=there).exclude(host=host)
        if not there.multiattach and not migrating and (other := others.first()) is not None:
            raise WrongState(f"Volume {there.pk} is {there.status} by host {other.host}, and only one may.")
        modes = {row.mode for row in rows if row.status not in ENDING}
        mode = admitted_mode(there, RO if modes == {RO} else None)
        way = connections.join(by, request_id, there, connector, read_only=mode == RO)
        if there.status == AVAILABLE:
            params = asked(by, request_id, there, host=host)
            requests.change(there, "initialize_connection", params, name=there.name, to=ATTACHING)
        return way

    return accepted(accept)


def terminate_connection(by: Caller, request_id: str, volume: Volume, connector: Connector) -> None:
    """Have a host disconnected, unless attachments use its connection: it ends with these. A reservation ends, too.

    :raises Conflict: a server uses it, which must let go itself.
    :raises WrongState: the volume is under maintenance.
    """

    def accept() -> None:
        there, rows = together(volume)
        require(there, "disconnect a host from", *(set(VOLUME.at_rest) - {MAINTENANCE}))
        host = host_of(connector)
        users = [row for row in rows if row.connection is not None and row.connection.host == host]
        refuse_behind_back(by, there, users or [row for row in rows if row.connection is None])
        if not users:
            connections.leave(by, request_id, there, [host])
        _unreserve(by, request_id, there, rows)

    accepted(accept)
