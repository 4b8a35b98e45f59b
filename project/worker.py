"""gunicorn's threads, which are given a request only when all of it has arrived: a slow client takes none of them.

As gunicorn has it, a thread reads a request as slowly as the client sends it, and a dozen clients that never end theirs
are an outage. Here the process's own loop collects the bytes, of all connections at once, and knows no patience beyond
ARRIVAL. What is too long to be taken, or of no known length, is passed on as it is: it is refused without being read.
"""

from __future__ import annotations

import contextlib
import errno
import re
import time
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final

from gunicorn.workers.gthread import TConn, ThreadWorker

ARRIVAL: Final = 10.0  # seconds, from a connection's beginning or a request's first byte to its last
HEAD: Final = 64 * 1024  # bytes of a request's line and headers
BODY: Final = 1024 * 1024  # as the setting API_BODY_BYTES
ALL: Final = 64 * 1024 * 1024  # bytes of unfinished requests, in a process
RECEIVE: Final = 64 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,10})[ \t]*\r\n", re.IGNORECASE)
_UNKNOWN = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_WAITS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Connection(TConn):  # type: ignore[misc]
    """A connection, and what has arrived on it of a request that has not been passed on."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.arrived = bytearray()
        self.wanted: int | None = None  # bytes in all, as soon as the head is there

    def is_whole(self) -> bool:
        """Tell whether the request can be passed on."""
        if self.wanted is None:
            end = self.arrived.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = bytes(self.arrived[: end + 4])
            given = _LENGTH.search(head)
            length = int(given[1]) if given and not _UNKNOWN.search(head) else 0
            self.wanted = len(head) + (length if length <= BODY else 0)
            if _WAITS.search(head) and length <= BODY:
                self.sock.send(_GO_ON)
        return len(self.arrived) >= self.wanted

    def take(self) -> bytes:
        """Return what has arrived, to be passed on."""
        taken, self.arrived, self.wanted = bytes(self.arrived), bytearray(), None
        return taken


class Worker(ThreadWorker):  # type: ignore[misc]
    """One process of the API. All but `handle` runs in its loop, and nothing there waits."""

    def init_process(self) -> None:
        """Begin; connections that are kept may be half of all, so that there is room for new ones."""
        self.max_keepalived = self.worker_connections // 2
        self.held = 0  # bytes that have arrived of unfinished requests
        super().init_process()

    def accept(self, listener: Any) -> None:
        """Take a connection, and let it wait for its request; where too many wait, the first goes."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                return
            raise
        if len(self.pending_conns) >= self.worker_connections // 4:
            self._drop(self.pending_conns[0])
        self.nr_conns += 1
        self._wait(Connection(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Connection, client: Any) -> None:
        """Begin to collect the next request of a kept connection."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._wait(conn)
        self.on_pending_socket_readable(conn, client)

    def on_pending_socket_readable(self, conn: Connection, client: Any) -> None:
        """Collect what there is, and pass the request on when it is whole."""
        try:
            received = client.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        conn.arrived += received
        self.held += len(received)
        try:
            whole = bool(received) and conn.is_whole()
        except OSError:  # it was to be told to go on, and has gone
            received = b""
        if received and whole:
            self._stop_waiting(conn)
            conn.data_ready = True
            self.enqueue_req(conn)
        elif received and conn.wanted is None and len(conn.arrived) > HEAD:
            self._drop(conn, _TOO_LONG)
        elif not received or self.held > ALL:
            self._drop(conn)

    def handle(self, conn: Connection) -> Any:
        """Give a thread's request to the parser, which finds all of it there."""
        if conn.arrived:
            conn.init()
            conn.parser.unreader.unread(conn.take())
        return super().handle(conn)

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Keep the connection or close it; what has arrived of a next request waits for the rest of it."""
        kept = conn.parser is not None and not fs.cancelled() and fs.exception() is None and fs.result()
        next_one = conn.parser.unreader.take_buffered() if kept else b""
        super().finish_request(conn, fs)
        if next_one and conn in self.keepalived_conns:
            self.poller.unregister(conn.sock)
            self.keepalived_conns.remove(conn)
            conn.arrived += next_one
            self.held += len(next_one)
            self._wait(conn)
            if conn.is_whole():
                self._stop_waiting(conn)
                self.enqueue_req(conn)

    def murder_pending(self) -> None:
        """Close the connections whose request has not arrived in time."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            self._drop(self.pending_conns[0])

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _wait(self, conn: Connection) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + ARRIVAL
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _stop_waiting(self, conn: Connection) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)
        self.held -= len(conn.arrived)

    def _drop(self, conn: Connection, word: bytes = b"") -> None:
        self._stop_waiting(conn)
        self.nr_conns -= 1
        with contextlib.suppress(OSError):
            conn.sock.send(word)
        conn.close()
