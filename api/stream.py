"""A stream of events: what one client is told, how far it has come, and the messages that it is told it in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from api import cursors
from api.wires import Wire
from lifecycle.feed import Place, Wanted
from lifecycle.models import Event

FULL: Final = 256 * 1024  # bytes that wait for a client before it is told no more


@dataclass(eq=False)
class Stream:
    """What one client is told, and how far it has come."""

    wanted: Wanted
    scope: tuple[str, ...]
    owner: str  # the project that it counts for
    place: Place | None  # None: before the first event that is kept
    from_now: bool
    may_read: Callable[[], bool]
    wire: Wire | None = None
    live: bool = False
    gone: bool = False
    checked_at: float = field(default_factory=time.monotonic)
    found_good_at: float = field(default_factory=time.monotonic)
    told_at: float = field(default_factory=time.monotonic)

    @property
    def has_room(self) -> bool:
        return wire_of(self).waiting < FULL

    @property
    def is_ready(self) -> bool:
        """Tell whether it is behind, and has been told all that was read for it."""
        return not self.live and not wire_of(self).waiting

    def tell(self, event: Event, place: Place, data: bytes, cursor: bytes) -> None:
        self.place = place
        self.send(b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor, event.resource_type.encode(), data))

    def tell_place(self, event: str = "", about: str = "") -> None:
        """Tell the place that it has come to; without an event it makes none at the client."""
        assert self.place is not None  # noqa: S101 - who calls has read a page
        head = f": \nid: {cursors.seal_afresh(self.place, *self.scope)}\n"
        self.send((head + (message(event, about) if event else "\n")).encode())

    def reset(self, end: Place) -> None:
        """Tell that there is a gap, before which and after which nothing is missing."""
        self.place = end
        self.tell_place(
            "reset", "What came after this place is not kept any more. Read anew what you follow."
        )

    def send(self, data: bytes) -> None:
        self.told_at = time.monotonic()
        try:
            wire_of(self).send(data)
        except OSError:
            self.gone = True

    def flush(self) -> None:
        try:
            wire_of(self).flush()
        except OSError:
            self.gone = True


def message(event: str, reason: str) -> str:
    """Return what is told besides the events themselves."""
    return f"event: {event}\ndata: {json.dumps({'reason': reason})}\n\n"


def wire_of(stream: Stream) -> Wire:
    """Return the wire of a stream that has joined."""
    assert stream.wire is not None  # noqa: S101 - it had one when it joined
    return stream.wire


def place_in(stream: Stream) -> Place:
    """Return the place of a stream that has been read for."""
    assert stream.place is not None  # noqa: S101 - it has been behind before
    return stream.place
