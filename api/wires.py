"""The end of a connection on which a stream is sent: taken from the server that accepted it, written without waiting.

A stream lasts for hours, and a server of threads has a few of them: so the thread that has answered the request's head
hands the connection over and is free for others.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any, Final

_AT_ONCE: Final = 64 * 1024  # bytes


class Wire:
    """A connection to one client. What cannot be sent yet is kept; who calls sees to it that that is little."""

    def __init__(self, connection: socket.socket, *, chunked: bool) -> None:
        self._socket = connection
        self._chunked = chunked
        self._waiting = bytearray()
        self.moved_at = time.monotonic()
        """When the client last took something, or there was nothing to take."""
        connection.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def waiting(self) -> int:
        """Return how many bytes wait for the client."""
        return len(self._waiting)

    def send(self, data: bytes) -> None:
        """Send some of it now and the rest when the client takes it.

        :raises OSError: the client is gone.
        """
        if not self._waiting:
            self.moved_at = time.monotonic()
        self._waiting += b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        self.flush()

    def flush(self) -> None:
        """Send what the client takes.

        :raises OSError: the client is gone.
        """
        try:
            while self._waiting:
                sent = self._socket.send(self._waiting[:_AT_ONCE])
                del self._waiting[:sent]
                self.moved_at = time.monotonic()
        except BlockingIOError:
            pass

    def is_left(self) -> bool:
        """Tell whether the client has closed its end; what it may say is not listened to."""
        try:
            return not self._socket.recv(_AT_ONCE)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def end(self) -> None:
        """Say that this was all, if the client takes it at once, and close."""
        try:
            if self._chunked:
                self._waiting += b"0\r\n\r\n"
            self.flush()
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self._socket.close()


def taken_over(environ: Mapping[str, Any]) -> Wire | None:
    """Return the connection of a request whose head is answered; None where the server does not let go of it.

    The server is left with a socket whose other end is closed, as if its client had gone.
    """
    held = environ.get("gunicorn.socket")
    protocol = environ.get("SERVER_PROTOCOL")
    if held is None or isinstance(held, ssl.SSLSocket) or protocol not in {"HTTP/1.0", "HTTP/1.1"}:
        return None
    connection = held.dup()
    left, gone = socket.socketpair()
    with left, gone:
        os.dup2(left.fileno(), held.fileno(), inheritable=False)
    return Wire(connection, chunked=protocol == "HTTP/1.1")


def pipe() -> tuple[Wire, socket.socket]:
    """Return a wire, and the end of it from which a thread may read what is to be sent."""
    here, there = socket.socketpair()
    return Wire(here, chunked=False), there
