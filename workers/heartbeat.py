"""The heartbeat: a thread that renews this node and its leases each second, and does nothing else.

It has a database connection of its own with short time-outs, so that neither a slow step nor a slow query of
somebody else keeps it from renewing. What it cannot renew for two thirds of a lease, the node abandons. A child
that dies wakes it: what the child held is given up at once.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now

from lifecycle import leases, local
from lifecycle.models import Leased, Node

log = structlog.get_logger(__name__)

Rows = Sequence[Leased]

SLOWER = 10  # times: how much slower a process beats that holds nothing


@dataclass(frozen=True, slots=True)
class Holder:
    """What a process that holds leases adds to its heartbeat."""

    models: Sequence[type[Leased]]
    children: Callable[[], Collection[int]]  # the pids of the processes that take its steps
    given_up: Callable[[Rows], None]  # rows that were released because a child died
    forgotten: Callable[[], None]  # the database knows this node no more


class Heartbeat(threading.Thread):
    """Registers this process as a Node, keeps it and its leases alive, and deregisters it."""

    def __init__(self, kind: Node.Kind, holder: Holder | None = None, *, peers: int = 1) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._kind = kind
        self._holder = holder
        self._peers = peers  # processes of its kind that begin with it, and that it counts from the start
        self._every = settings.HEARTBEAT * (1 if holder else SLOWER)
        self._ttl = timedelta(seconds=settings.LEASE * (1 if holder else SLOWER))
        self._known_dead: set[int] = set()
        self._awake = os.eventfd(0)
        self._ending = False
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
        self._ending = True
        os.eventfd_write(self._awake, 1)
        self.join(settings.LEASE)

    def run(self) -> None:
        try:
            while not self._ending:
                began = time.monotonic()
                children = self._holder.children if self._holder else tuple
                try:
                    self._beat(began)
                except (DatabaseError, InterfaceError) as error:
                    self._failed(error)
                    children = tuple  # for a dead one nothing can be done before the next beat
                self._wait(began + self._every - time.monotonic(), children())
            self._deregister()
        except Exception:
            log.exception("the heartbeat broke; this process ends")
            local.drain()
            if self._holder:
                self._holder.forgotten()
        finally:
            connection.close()

    def _wait(self, seconds: float, children: Collection[int]) -> None:
        """Wait for the next beat; come back early when a child dies or the end is asked for."""
        with ExitStack() as stack:
            watched = select.poll()
            watched.register(self._awake, select.POLLIN)
            for pid in set(children) - self._known_dead:
                try:
                    child = os.pidfd_open(pid)
                except ProcessLookupError:
                    return
                stack.callback(os.close, child)
                watched.register(child, select.POLLIN)
            watched.poll(max(0.0, seconds) * 1000)

    def _beat(self, began: float) -> None:
        self._limit_statements()
        if not self._ready.is_set():
            self._register()
        elif not Node.objects.filter(pk=local.node_id).update(seen_at=Now(), draining=local.draining()):
            self._forgotten()
        held = leases.renew(self._holder.models) if self._holder else []
        local.mark_renewed(began)
        if self._kind is Node.Kind.API:
            local.peers = max(self._peers, Node.objects.alive().filter(kind=Node.Kind.API).count())
        if not self._safe:
            log.warning("renewed again; claims resume")
            self._safe = True
        self._ready.set()
        self._give_up_for_the_dead(held)

    def _forgotten(self) -> None:
        """The database knows this node no more: it was restored, or the node was silent for very long."""
        if self._holder is None:
            self._register()
            return
        log.error("this node was forgotten by the database; it stops")
        local.drain()
        self._holder.forgotten()

    def _limit_statements(self) -> None:
        """A renewal that waits longer than this is better abandoned and begun anew."""
        if connection.connection is None:
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = %s", [int(settings.LEASE * 1000 / 3)])

    def _failed(self, error: Exception) -> None:
        connection.close()
        if self._holder and self._safe and not local.lease_is_safe():
            self._safe = False
            log.error(
                "could not renew for two thirds of the lease; claims stop, work is abandoned",
                error=str(error),
            )

    def _give_up_for_the_dead(self, held: Rows) -> None:
        """Give up what ended children held. Celery's own pool may notice a death only seconds later."""
        if self._holder is None:
            return
        pids = {row.holder_pid for row in held} | set(self._holder.children())
        dead = {pid for pid in pids if pid not in {None, os.getpid()} and _has_ended(pid)}
        for pid in {row.holder_pid for row in held} & dead:
            for model in self._holder.models:
                rows = leases.give_up(model, local.node_id, pid=pid, why=f"worker process {pid} died")
                if rows:
                    log.warning("gave up the leases of a dead child", pid=pid, rows=len(rows))
                    # Publishing may wait for a broker; renewing may not.
                    threading.Thread(target=self._holder.given_up, args=(rows,), daemon=True).start()
        self._known_dead = dead

    def _register(self) -> None:
        Node.objects.update_or_create(
            pk=local.node_id,
            defaults={
                "kind": self._kind,
                "name": local.node_name,
                "hostname": socket.gethostname(),
                "pid": os.getpid(),
                "ttl": self._ttl,
                "seen_at": Now(),
                "serves": list(settings.SERVES) if self._holder else [],
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
