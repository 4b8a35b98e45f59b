"""The heartbeat: a thread that renews this node and its leases each second, and does nothing else.

It has a database connection of its own with short time-outs, so that neither a slow step nor a slow query of
somebody else keeps it from renewing. What it cannot renew for two thirds of a lease, the node abandons.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now

from lifecycle import leases, local
from lifecycle.models import Leased, Node

log = structlog.get_logger(__name__)

Rows = Sequence[Leased]


class Heartbeat(threading.Thread):
    """Registers this process as a Node, keeps it and its leases alive, and deregisters it.

    `given_up` is called with rows that were released because a child of this process died.
    """

    def __init__(
        self,
        kind: Node.Kind,
        models: Sequence[type[Leased]] = (),
        given_up: Callable[[Rows], None] = lambda _rows: None,
        vanished: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._kind = kind
        self._models = models
        self._given_up = given_up
        self._vanished = vanished
        self._ending = threading.Event()
        self._ready = threading.Event()
        self._safe = True

    def begin(self) -> None:
        """Start the thread and return when the node is registered.

        :raises TimeoutError: the database could not be reached for half a minute.
        """
        self.start()
        if not self._ready.wait(30):
            raise TimeoutError("The node could not be registered: the database is out of reach.")

    def end(self) -> None:
        """Deregister the node and stop. Call it when nothing that holds a lease runs any more."""
        self._ending.set()
        self.join(settings.LEASE)

    def run(self) -> None:
        try:
            ending = False
            while not ending:
                began = time.monotonic()
                try:
                    self._beat()
                except (DatabaseError, InterfaceError) as error:
                    self._failed(error)
                ending = self._ending.wait(max(0.0, settings.HEARTBEAT - (time.monotonic() - began)))
            self._deregister()
        finally:
            connection.close()

    def _beat(self) -> None:
        began = time.monotonic()
        self._limit_statements()
        if not self._ready.is_set():
            self._register()
        elif not Node.objects.filter(pk=local.node_id).update(seen_at=Now(), draining=local.draining()):
            log.error("this node was forgotten by the database; it stops")
            local.drain()
            self._vanished()
        self._give_up_for_dead_children()
        leases.renew(self._models)
        local.mark_renewed(began)
        if not self._safe:
            log.warning("renewed again; claims resume")
            self._safe = True
        self._ready.set()

    def _limit_statements(self) -> None:
        """A renewal that waits longer than this is better abandoned and begun anew."""
        if connection.connection is None:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = %s", [int(settings.LEASE * 1000 / 3)])

    def _failed(self, error: Exception) -> None:
        connection.close()
        if self._safe and not local.lease_is_safe():
            self._safe = False
            log.error(
                "could not renew for two thirds of the lease; claims stop, work is abandoned",
                error=str(error),
            )

    def _give_up_for_dead_children(self) -> None:
        """Look for holders that have ended. Celery's pool itself may notice a death only seconds later."""
        for model in self._models:
            held = model._default_manager.filter(holder=local.node_id)  # noqa: SLF001
            for pid in set(held.values_list("holder_pid", flat=True)):
                if pid is not None and pid != os.getpid() and _has_ended(pid):
                    rows = leases.give_up(model, local.node_id, pid=pid, why=f"worker process {pid} died")
                    log.warning("gave up the leases of a dead child", pid=pid, rows=len(rows))
                    self._given_up(rows)

    def _register(self) -> None:
        Node.objects.update_or_create(
            pk=local.node_id,
            defaults={
                "kind": self._kind,
                "name": local.node_name,
                "hostname": socket.gethostname(),
                "pid": os.getpid(),
                "ttl": timedelta(seconds=settings.LEASE),
                "seen_at": Now(),
            },
        )

    def _deregister(self) -> None:
        try:
            Node.objects.filter(pk=local.node_id).update(stopped_at=Now())
        except (DatabaseError, InterfaceError) as error:
            log.warning("could not deregister; the node will show as lost", error=str(error))


def _has_ended(child: int) -> bool:
    """Tell whether a child of this process is dead, without reaping it: that is for its pool."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # reaped already
        return True
