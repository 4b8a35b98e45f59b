"""The ways of hosts to volumes: joined by attachments and by older clients, and left with the last that uses them.

All of a host share one connection to a volume. Whoever joins or leaves holds the lock of the volume's row, and takes
that of the connection's only if nobody has it: a worker that writes down how a connection's work ended has it, and
waits for the volume's. So `accepted` lets such a worker finish first, and accepts then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

from django.db import OperationalError, transaction
from psycopg2.errors import LockNotAvailable

from api.problems import Conflict, Unavailable
from identity import policy
from identity.callers import Caller
from lifecycle import requests
from lifecycle.accepted import attempt
from volumes.actions.guarding import asked
from volumes.attaching import ENDING
from volumes.models import Attachment, Connection, Volume
from volumes.states import (
    CONNECTED,
    CONNECTING,
    CONNECTION,
    DISCONNECTING,
    ERROR_ATTACHING,
    ERROR_DISCONNECTING,
    IN_ATTACHMENT,
)
from volumes.tasks import advance_connection
from workers import bell

T = TypeVar("T")

OF_ATTACHMENT: Final = frozenset(
    {"mode", "mountpoint"}
)  # of a connector's keys, those that are not the host's
PATIENCE: Final = 5.0  # seconds, with workers that write; each needs milliseconds


class _BeingWritten(Exception):
    """A worker is just writing to the connection, and may wait for a lock of ours."""

    def __init__(self, volume: Volume, host: str) -> None:
        super().__init__(f"{host} to {volume.pk}")
        self.row = {"volume": volume.pk, "host": host}


def accepted(accept: Callable[[], T]) -> T:
    """Carry out what joins or leaves connections, in one transaction, and return what it returns.

    Where a worker is just writing to one of them, all is undone, the worker may finish, and it is carried out anew.

    :raises Unavailable: there was always another.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with attempt(), transaction.atomic():
                return accept()
        except _BeingWritten as writing:
            _let_finish(writing.row)
    raise Unavailable("The volume's connections are changing all the time. Try again in a moment.")


def _let_finish(row: Mapping[str, object]) -> None:
    """Wait for whoever writes to the row, holding no lock of ours meanwhile nor afterwards."""
    with transaction.atomic():
        Connection.objects.select_for_update().filter(**row).first()
        transaction.set_rollback(True)


def host_of(connector: Mapping[str, Any]) -> str:
    return str(connector["host"])


def way_of(connector: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the connector says of the host."""
    return {key: value for key, value in connector.items() if key not in OF_ATTACHMENT}


def may_take(by: Caller) -> bool:
    """Tell whether the caller may take a volume from a server that may be using it: a service, or an admin."""
    return policy.allows(by, "volume:detach_of_server")


def refuse_behind_back(by: Caller, volume: Volume, mine: Iterable[Attachment]) -> None:
    """Refuse to take the locked volume from a server that may be using it, unless a service asks.

    The server would not know. Call it within `accepted`.

    :raises Conflict: naming the server.
    """
    if may_take(by):
        return
    for row in mine:
        if row.instance_id is not None and _may_be_using(volume, row):
            raise Conflict(
                f"Attachment {row.pk} is used by server {row.instance_id}: detach the volume from the server there."
            )


def _may_be_using(volume: Volume, row: Attachment) -> bool:
    """Tell whether the attachment's server may know a way: it says it is attached, or its host was told one.

    A worker may be writing just now that the host is connected: hence the connection's lock.
    """
    if row.connection is not None and row.status == IN_ATTACHMENT:
        return True
    if row.connection is not None and row.status != ERROR_ATTACHING:
        way = find(volume, row.connection.host)
        return way is not None and way.info is not None
    if row.status == IN_ATTACHMENT:  # by the older protocol, whose connections belong to no attachment
        ways = [find(volume, way.host) for way in unowned(volume)]
        return any(way.info is not None or way.status in CONNECTION.busy for way in ways if way)
    return False


def find(volume: Volume, host: str) -> Connection | None:
    """Return the locked connection of a host to the locked volume. Call it within `accepted`."""
    rows = Connection.objects.select_for_update(nowait=True, of=("self",))
    try:
        return rows.filter(volume=volume, host=host).first()
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise _BeingWritten(volume, host) from error
        raise


def join(
    by: Caller,
    request_id: str,
    volume: Volume,
    connector: Mapping[str, Any],
    *,
    read_only: bool,
    mine: Attachment | None = None,
) -> Connection:
    """Return the way of the connector's host to the locked volume: one that is there, or that a worker is to make.

    A host that is just being let go comes back: what ended with its connection ends here. `mine` is the attachment
    that joins, if it may have joined before.

    :raises Conflict: others of the host use it by another connector.
    """
    way = way_of(connector)
    there = find(volume, host_of(way))
    if there is None:
        return _begin(by, request_id, volume, way, read_only=read_only)
    users = Attachment.objects.filter(connection=there)
    users.filter(status__in=ENDING).delete()
    shared = (users.exclude(pk=mine.pk) if mine else users).exists()
    alike = there.connector == way
    if shared and not alike:
        raise Conflict(f"Host {there.host} is connected to volume {volume.pk} by another connector already.")
    if alike and there.status in {CONNECTING, CONNECTED} and (read_only or not there.read_only):
        return there
    if not alike:
        refuse_behind_back(by, volume, Attachment.objects.filter(volume=volume, connection=None))
    told = shared or there.status not in {DISCONNECTING, ERROR_DISCONNECTING}
    won = requests.request(
        there,
        "connect",
        asked(by, request_id, volume, host=there.host),
        name=there.host,
        values={
            "connector": way,
            "read_only": read_only and (there.read_only or not shared),
            "info": there.info if told else None,  # until there is another: who was told may be using it
        },
    )
    bell.ring_on_commit(advance_connection, won)
    return won


def _begin(
    by: Caller, request_id: str, volume: Volume, way: Mapping[str, Any], *, read_only: bool
) -> Connection:
    row = Connection(
        volume=volume,
        host=host_of(way),
        connector=way,
        read_only=read_only,
        backend=volume.backend,
        pool=volume.pool,
    )
    requests.birth(row, "connect", asked(by, request_id, volume, host=row.host), name=row.host)
    bell.ring_on_commit(advance_connection, row)
    return row


def leave(by: Caller, request_id: str, volume: Volume, hosts: Collection[str]) -> None:
    """Have the locked volume's connections of these hosts ended by a worker."""
    for host in sorted(hosts):
        there = find(volume, host)
        if there is None or there.status == DISCONNECTING:
            continue
        params = asked(by, request_id, volume, host=host)
        won = requests.request(there, "disconnect", params, name=host)
        bell.ring_on_commit(advance_connection, won)


def unowned(volume: Volume) -> list[Connection]:
    """Return the connections that no attachment has joined: those that older clients asked for."""
    return list(Connection.objects.filter(volume=volume, attachments=None))
