"""gunicorn's threads, which have a request only from when all of it has arrived until it is answered, taken or not.

As gunicorn has it, a thread reads a request as slowly as the client sends it and answers as slowly as the client takes
that, and a dozen clients that never end are an outage. Here the process's own loop collects the bytes, of all
connections at once, and hands out the rest of each answer; its patience is ARRIVAL and TAKING. It hands out late what
tells a client that it asks too much (429): a refusal costs nearly what an answer does, and who is refused at once asks
again at once. It is the answer that waits and not the next request, because behind a proxy that may be another's.

What is too long to be taken, or of no known length, is passed on as it is, and no thread ever waits for the rest of it:
its connection ends there, for reading at once and for good with the answer.
"""

from __future__ import annotations

import contextlib
import errno
import re
import socket
import time
from collections import deque
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, Final

from gunicorn.workers.gthread import TConn, ThreadWorker

from project.buffered import BufferedSocket

ARRIVAL: Final = 10.0  # seconds, from a connection's beginning or a request's first byte to its last
HEAD: Final = 64 * 1024  # bytes of a request's line and headers
BODY: Final = 1024 * 1024  # as the setting API_BODY_BYTES
HOLD: Final = 1.0  # seconds, the least that such a client is told to wait
TAKING: Final = 30.0  # seconds in which a client has taken nothing of its answer
ALL: Final = 64 * 1024 * 1024  # bytes of a process's requests and answers under way; short ones are beside it
LINGER: Final = 2.0  # seconds that a client has to take the end of its last answer and close
FULL: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
RECEIVE: Final = 64 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,10})[ \t]*\r\n", re.IGNORECASE)
_UNKNOWN = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_BODY = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
_WAITS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Connection(TConn):  # type: ignore[misc]
    """A connection, and what has arrived on it of a request that has not been passed on."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.arrived = bytearray()
        self.wanted: int | None = None  # bytes in all, as soon as the head is there
        self.is_cut = False  # there is a body, which is not collected
        self.waits = False  # in the loop, for a request
        self.held = 0  # bytes, of those that the process counts
        self.answered: Any = None  # by a thread, with what it found: the future of `handle`

    def is_whole(self) -> bool:
        """Tell whether the request can be passed on."""
        if self.wanted is None:
            end = self.arrived.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = bytes(self.arrived[: end + 4])
            given = _LENGTH.search(head)
            is_known = given is not None and not _UNKNOWN.search(head)
            length = int(given[1]) if given is not None and is_known else 0
            self.is_cut = length > BODY or (not is_known and bool(_BODY.search(head)))
            self.wanted = len(head) + (0 if self.is_cut else length)
            if _WAITS.search(head) and not self.is_cut:
                self.sock.send(_GO_ON)
        return len(self.arrived) >= self.wanted

    def take(self) -> bytes:
        """Return what has arrived, to be passed on."""
        taken, self.arrived, self.wanted = bytes(self.arrived), bytearray(), None
        return taken


class Worker(ThreadWorker):  # type: ignore[misc]
    """One process of the API. All but `handle` runs in its loop, and nothing there waits."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.held = 0  # bytes of requests that are not answered, and of answers that are not taken
        self.holding: deque[Connection] = (
            deque()
        )  # answered, not to be told yet; first who has waited for longest
        self.owing: deque[Connection] = (
            deque()
        )  # answered, not taken; first who has taken nothing for longest
        self.leaving: deque[Connection] = deque()  # answered for the last time, first who is so for longest

    def init_process(self) -> None:
        """Begin; connections that are kept may be half of all, so that there is room for new ones."""
        self.max_keepalived = self.worker_connections // 2
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application, and see what it answers."""
        super().load_wsgi()
        self.wsgi: Any = _holding_refusals(self.wsgi)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait no longer than until somebody is to be told its answer."""
        if self.holding:
            timeout = max(0.0, min(timeout, self.holding[0].timeout - time.monotonic()))
        super().wait_for_and_dispatch_events(timeout)

    def accept(self, listener: Any) -> None:
        """Take a connection, and let it wait for its request; where too many wait, the first goes."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in FULL and self.pending_conns:
                self._drop(self.pending_conns[0])
            if error.errno in FULL or error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                return
            raise
        if len(self.pending_conns) >= self.worker_connections // 4:
            self._drop(self.pending_conns[0])
        self.nr_conns += 1
        self._wait(Connection(self.cfg, BufferedSocket.of(client), address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Connection, client: Any) -> None:
        """Begin to collect the next request of a kept connection."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._wait(conn)
        self.on_pending_socket_readable(conn, client)

    def on_pending_socket_readable(self, conn: Connection, client: Any) -> None:
        """Collect what there is, and pass the request on when it is whole."""
        if not conn.waits:  # given up since the loop was told of this, for one that came at the same moment
            return
        received = _received(client)
        if received is None:
            return
        if received:
            self._collect(conn, received)
        else:
            self._drop(conn)

    def _collect(self, conn: Connection, received: bytes) -> None:
        conn.arrived += received
        conn.held += len(received)
        self.held += len(received)
        try:
            whole = conn.is_whole()
        except OSError:  # it was to be told to go on, and has gone
            self._drop(conn)
            return
        if self.held > ALL and conn.held > RECEIVE:
            self._drop(conn)
        elif whole:
            self._stop_waiting(conn)
            conn.data_ready = True
            self.enqueue_req(conn)
        elif conn.wanted is None and len(conn.arrived) > HEAD:
            self._drop(conn, _TOO_LONG)

    def handle(self, conn: Connection) -> Any:
        """Give a thread's request to the parser, which finds all of it there, or the end."""
        if conn.is_cut:
            with contextlib.suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)
        if conn.arrived:
            conn.init()
            conn.parser.unreader.unread(conn.take())
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer. After a body that was not collected nobody knows where the next request begins."""
        if conn.is_cut:
            req.force_close()
        return super().handle_request(req, conn)

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Go on with the connection when its client has been told the answer and has taken it."""
        self._release(conn)
        conn.answered = fs
        if not conn.sock.left:
            self._go_on(conn, fs)
            return
        conn.sock.setblocking(False)
        conn.held = len(conn.sock.left)
        self.held += conn.held
        if not conn.sock.is_held:
            self._hand_out(conn)
            return
        conn.sock.is_held = False
        conn.timeout = time.monotonic() + HOLD
        self.holding.append(conn)
        if len(self.holding) > self.worker_connections // 4 or not self.alive:
            self._hand_out(self.holding.popleft())

    def _hand_out(self, conn: Connection) -> None:
        conn.timeout = time.monotonic() + TAKING
        self.owing.append(conn)
        self.poller.register(conn.sock, EVENT_WRITE, partial(self._on_owing_socket_writable, conn))
        if self.held > ALL or len(self.owing) > self.worker_connections // 4:
            self._give_up(self.owing[0])

    def _on_owing_socket_writable(self, conn: Connection, client: BufferedSocket) -> None:
        if conn not in self.owing:  # given up since the loop was told of this
            return
        try:
            taken = client.flush()
        except OSError:
            self._give_up(conn)
            return
        conn.held -= taken
        self.held -= taken
        self.owing.remove(conn)
        if client.left:
            conn.timeout = time.monotonic() + TAKING
            self.owing.append(conn)
        else:
            self.poller.unregister(client)
            self._go_on(conn, conn.answered)

    def _give_up(self, conn: Connection) -> None:
        self.owing.remove(conn)
        self.poller.unregister(conn.sock)
        self._release(conn)
        self._close(conn)

    def _go_on(self, conn: Connection, fs: Any) -> None:
        """Keep the connection or part with it; what has arrived of a next request waits for the rest of it."""
        kept = conn.parser is not None and not fs.cancelled() and fs.exception() is None and fs.result()
        if not kept:
            self._part(conn)
            return
        next_one = conn.parser.unreader.take_buffered()
        super().finish_request(conn, fs)
        if next_one and conn in self.keepalived_conns:
            self.poller.unregister(conn.sock)
            self.keepalived_conns.remove(conn)
            self._wait(conn)
            self._collect(conn, next_one)

    def _part(self, conn: Connection) -> None:
        """Close a connection whose client may still send: closed at once, it could lose the end of its answer.

        gunicorn waits for that here, in the loop, and all other clients with it.
        """
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        if len(self.leaving) >= self.worker_connections // 4:
            self._let_go(self.leaving[0])
        conn.timeout = time.monotonic() + LINGER
        self.leaving.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_leaving_socket_readable, conn))

    def _on_leaving_socket_readable(self, conn: Connection, client: Any) -> None:
        if conn not in self.leaving:
            return
        received = _received(client)
        if received is None:
            return
        conn.held += len(received)  # of no account any more but here
        if not received or conn.held > BODY:
            self._let_go(conn)

    def _let_go(self, conn: Connection) -> None:
        self.leaving.remove(conn)
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """Close connections whose request has not arrived in time, or whose answer is not taken; tell what is held."""
        now = time.monotonic()
        while self.holding and self.holding[0].timeout <= now:
            self._hand_out(self.holding.popleft())
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            self._drop(self.pending_conns[0])
        while self.owing and self.owing[0].timeout <= now:
            self._give_up(self.owing[0])
        while self.leaving and self.leaving[0].timeout <= now:
            self._let_go(self.leaving[0])

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in (*self.pending_conns, *self.holding):
            conn.timeout = min(conn.timeout, deadline)

    def _wait(self, conn: Connection) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + ARRIVAL
        conn.waits = True
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _stop_waiting(self, conn: Connection) -> None:
        conn.waits = False
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)

    def _release(self, conn: Connection) -> None:
        self.held -= conn.held
        conn.held = 0

    def _drop(self, conn: Connection, word: bytes = b"") -> None:
        self._stop_waiting(conn)
        self._release(conn)
        with contextlib.suppress(OSError):
            conn.sock.send(word)
        self._close(conn)


def _holding_refusals(application: Any) -> Any:
    """Return the application, of which a refusal for too many requests is kept back in the connection."""

    def answering(environ: Any, start_response: Any) -> Any:
        def start(status: str, *more: Any) -> Any:
            if status.startswith("429 "):
                environ["gunicorn.socket"].is_held = True
            return start_response(status, *more)

        return application(environ, start)

    return answering


def _received(client: Any) -> bytes | None:
    """Return what has arrived, nothing at the end; None if there is nothing yet."""
    try:
        return bytes(client.recv(RECEIVE))
    except BlockingIOError:
        return None
    except OSError:
        return b""
