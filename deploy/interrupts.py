"""Ctrl-C and SIGTERM for a command in the foreground: the first stops in good order, the second at once.

Python runs a signal's handler only between two steps of the main thread, and one that comes just before a
blocking call waits until that returns. So signals are heard through the wake-up descriptor, which loses none.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def heard(tell: Callable[[int], None], handler: Handler = lambda _number, _frame: None) -> Iterator[None]:
    """Call `tell(1)`, `tell(2)`, ... from a thread at the first, second, ... stop signal during the block.

    `handler` is the one that Python runs in the main thread when it gets to it. For the main thread alone.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def listen() -> None:
        count = 0
        while number := reader.recv(1):
            if number[0] in SIGNALS:
                count += 1
                tell(count)

    listener = threading.Thread(target=listen, name="hears signals", daemon=True)
    listener.start()
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, previous in before.items():
            signal.signal(number, previous)
        writer.close()
        listener.join()
        reader.close()


class _Interrupts:
    """What the one main thread knows of its signals."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.quiet = False  # the first signal was seen, or somebody waits for it

    def tell(self, count: int) -> None:
        self.stop.set()
        if count > 1:
            os._exit(1)  # children are tethered to this process: the kernel ends them

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self.quiet:
            self.quiet = True
            raise KeyboardInterrupt


_current = _Interrupts()


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first signal; at the second leave, and all children die with us."""
    _current.stop.clear()
    _current.quiet = False
    with heard(_current.tell, _current.handle):
        yield


def wait_for_interrupt() -> None:
    """Block until the first signal, and return then; inside `interruptible()`."""
    _current.quiet = True
    _current.stop.wait()
