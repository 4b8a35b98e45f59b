"""The server's end of a connection, which never waits until its client takes what it is told."""

from __future__ import annotations

import errno
import socket
from typing import Any, Self


class BufferedSocket(socket.socket):
    """A socket whose `sendall` sends what the client takes at once, and keeps the rest for whoever calls `flush`."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.left = bytearray()
        self.is_held = False  # nothing is sent but by `flush`

    @classmethod
    def of(cls, accepted: socket.socket) -> Self:
        """Return the same connection; the one that is given is of no use any more."""
        return cls(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override] # gunicorn sends nothing else
        """Send it, after what was left before.

        :raises OSError: the client is gone.
        """
        sent = 0 if self.left or self.is_held else self._send(data, flags)
        self.left += memoryview(data)[sent:]

    def flush(self) -> int:
        """Send of what is left as much as the client takes now; return how many bytes that was.

        :raises OSError: the client is gone.
        """
        sent = self._send(self.left)
        del self.left[:sent]
        return sent

    def dup(self) -> Self:
        """Return the connection for somebody who takes it over.

        :raises BrokenPipeError: something is left, without which it would begin in the middle.
        """
        if self.left:
            raise BrokenPipeError(errno.EPIPE, "The client has not taken what it was told before.")
        return super().dup()

    def _send(self, data: bytes | bytearray, flags: int = 0) -> int:
        try:
            return self.send(data, flags | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
