"""The streams of a process, where the system gives no more."""

from __future__ import annotations

import errno
import selectors
import socket
from typing import Any
from unittest import TestCase, mock

from api.stream import Stream
from api.streams import Hub
from api.wires import pipe
from lifecycle.feed import Wanted


class HubTests(TestCase):
    def setUp(self) -> None:
        self.hub = Hub(lambda event: {"id": event.pk})
        self.hub._selector = selectors.DefaultSelector()
        self.addCleanup(self.hub._selector.close)

    def joining(self) -> tuple[Stream, socket.socket]:
        """Return a stream that is admitted and joins, and its client's end."""
        stream = Stream(Wanted(("bay",), "p"), (), "p", None, from_now=True, may_read=lambda: True)
        stream.wire, client = pipe()
        self.addCleanup(client.close)
        self.hub.admit(stream)
        self.hub._joining.append(stream)
        return stream, client

    def test_a_stream_that_the_system_does_not_watch_ends_and_no_other_does(self) -> None:
        (_, one), (stream, two) = self.joining(), self.joining()
        two.setblocking(False)
        register, full = self.hub._selector.register, iter([OSError(errno.ENOSPC, "no more watches")])

        def refusing(*arguments: Any) -> Any:
            for error in full:
                raise error
            return register(*arguments)

        with mock.patch.object(self.hub._selector, "register", refusing):
            self.hub._take_in()
        self.assertEqual((self.hub._streams, self.hub.count), ({stream}, 1))
        self.assertEqual(one.recv(1), b"")
        with self.assertRaises(BlockingIOError):
            two.recv(1)
        self.hub._part([stream], "It is over.")
        self.assertIn(b"It is over.", two.recv(100))
