"""Streams of events: one thread of a process reads for all its streams, and writes to all their connections.

It asks the database for what is new once a tick, however many streams there are, and nothing while there is none. A
stream that is behind, because it goes on from where another connection broke off or because its client reads slowly,
is given pages of its own until it has caught up: the database is the buffer. No stream holds a session, a transaction
or a thread of the server.
"""

from __future__ import annotations

import json
import os
import selectors
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from api import cursors
from api.problems import Problem, Unavailable
from api.stream import Stream, message, place_in, wire_of
from lifecycle import feed, local
from lifecycle.feed import Lost, Place, Unordered, Wanted, place_of
from lifecycle.models import Event

log = structlog.get_logger(__name__)

PAGE: Final = 200  # events that are read at once
BEAT: Final = 15.0  # seconds after which something is sent in any case
STALL: Final = 30.0  # seconds after which a client that takes nothing is given up
PATIENCE: Final = 2.0  # seconds for which the end of the process waits for that of its streams
STATEMENT_TIMEOUT: Final = 5000  # milliseconds
AGAIN: Final = {"Retry-After": "10"}
HELD_UP: Final = 1.0  # seconds between two attempts to read while that fails
NEVER: Final = -1


class TooManyStreams(Problem):
    """The project has as many streams open as one may have in this process."""

    status = 429
    code = "too-many-streams"
    headers = AGAIN


class NoRoom(Unavailable):
    """As many streams are open as a process may have."""

    code = "too-many-streams"
    headers = AGAIN


class Hub:
    """All streams of this process."""

    def __init__(self, document: Callable[[Event], dict[str, Any]]) -> None:
        self._document = document
        self._lock = threading.Lock()
        self._owners: Counter[str] = Counter()  # streams, by whom they count for
        self._joining: list[Stream] = []
        self._thread: threading.Thread | None = None
        self._wake = NEVER
        self._ending = False
        # What only the thread touches:
        self._streams: set[Stream] = set()
        self._place: Place | None = None  # up to which all live streams were told
        self._due = 0.0  # when what is new is read again
        self._held_up = False  # nothing can be read
        self._checks_from = 0.0  # when it is looked again who may still read
        self._selector: selectors.BaseSelector

    # --- for the threads of requests ------------------------------------------------------------------------
    def admit(self, stream: Stream) -> None:
        """Count one more stream.

        :raises TooManyStreams: its project has as many as it may have.
        :raises NoRoom: the process has.
        """
        with self._lock:
            if self._owners[stream.owner] >= settings.STREAMS_OF_PROJECT:
                raise TooManyStreams("The project has as many streams of events open as it may have.")
            if self._owners.total() >= settings.STREAMS:
                raise NoRoom("There are as many streams of events as this process serves. Try again.")
            self._owners[stream.owner] += 1

    def dismiss(self, stream: Stream) -> None:
        """Count one less."""
        with self._lock:
            self._owners[stream.owner] -= 1

    def join(self, stream: Stream) -> None:
        """Serve a stream that was admitted and has its wire, until it ends."""
        with self._lock:
            self._joining.append(stream)
            if self._thread is None:
                self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
                self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
                self._thread.start()
        self.look_up()

    def look_up(self) -> None:
        """Have the thread look at once for who joins and whether the process drains. Signal handlers may call it."""
        if self._wake != NEVER:
            os.eventfd_write(self._wake, 1)

    def end(self) -> None:
        """End all streams with the process."""
        self._ending = True
        self.look_up()
        if self._thread is not None:
            self._thread.join(PATIENCE)

    @property
    def count(self) -> int:
        return self._owners.total()

    # --- the thread -----------------------------------------------------------------------------------------
    def _run(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake, selectors.EVENT_READ)
        while not self._ending or self._streams or self._joining:
            try:
                self._take_in()
                if self._ending or local.draining():
                    self._part(self._streams, "This process is being stopped. Connect again.")
                if not self._streams:
                    self._rest()
                    continue
                ready = not self._held_up and any(stream.is_ready for stream in self._streams)
                self._write(0.0 if ready else self._due - time.monotonic())
                self._read()
                if time.monotonic() >= self._due:
                    self._due = time.monotonic() + (settings.STREAM_TICK if not self._held_up else HELD_UP)
                    self._look_after()
            except Exception:
                log.exception("the streams of events broke off")
                self._part(self._streams, "Something went wrong here. Connect again.")
                time.sleep(1)

    def _take_in(self) -> None:
        with self._lock:
            joining, self._joining = self._joining, []
        for stream in joining:
            try:
                self._selector.register(wire_of(stream), selectors.EVENT_READ, stream)
            except OSError as error:  # the system watches no more
                log.warning("a stream of events was refused", error=repr(error))
                wire_of(stream).end()
                self.dismiss(stream)
            else:
                self._streams.add(stream)

    def _rest(self) -> None:
        """Wait, without a session, until there is a stream again."""
        self._place = None
        connection.close()
        if not self._ending:
            self._selector.select()
            self._be_awake()

    def _be_awake(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)

    def _write(self, seconds: float) -> None:
        """Until the next tick send what clients take, and part with those who have gone."""
        for wire in [wire_of(stream) for stream in self._streams]:
            key = self._selector.get_key(wire)
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if wire.waiting else 0)
            if key.events != wanted:
                self._selector.modify(wire, wanted, key.data)
        for key, events in self._selector.select(max(0.0, seconds)):
            if key.data is None:
                self._be_awake()
                continue
            stream: Stream = key.data
            if events & selectors.EVENT_READ:
                stream.gone = stream.gone or wire_of(stream).is_left()
            if events & selectors.EVENT_WRITE:
                stream.flush()
        self._part([stream for stream in self._streams if stream.gone])

    def _read(self) -> None:
        """Tell those that are not behind what is new, if it is time, and give the others a page each."""
        due = time.monotonic() >= self._due
        if self._held_up and not due:
            return
        try:
            if connection.connection is None:
                with connection.cursor() as cursor:
                    cursor.execute("SET statement_timeout = %s", [STATEMENT_TIMEOUT])
            while due and self._tell_live():
                pass
            for stream in [one for one in self._streams if one.is_ready]:
                self._catch_up(stream)
            if due:
                self._check()
            self._held_up = False
        except (DatabaseError, InterfaceError, Unordered) as error:
            if not self._held_up:
                log.warning("streams of events are held up", error=repr(error))
            self._held_up = True
            connection.close()

    def _tell_live(self) -> bool:
        """Tell the streams that are not behind what is new, a page read once for all; return if there is more."""
        live = [stream for stream in self._streams if stream.live]
        if not live or self._place is None:
            return False
        by_project = defaultdict(list)
        for stream in live:
            by_project[stream.wanted.project_id].append(stream)
        kinds = tuple(sorted({kind for stream in live for kind in stream.wanted.kinds}))
        try:
            page = feed.read(Wanted(kinds, None), self._place, PAGE)
        except Lost as lost:
            self._place = lost.end
            for stream in live:
                stream.reset(lost.end)
            return False
        for event in page.events:
            to = by_project[event.project_id] if event.project_id is not None else []
            told = (*to, *by_project[None])
            self._tell(event, [stream for stream in told if stream.live and event in stream.wanted])
        for stream in live:
            if stream.live:
                stream.place = max(place_in(stream), page.next)
        self._place = page.next
        return page.more

    def _tell(self, event: Event, streams: Iterable[Stream]) -> None:
        """Tell an event to those who have not been told it; one whose client is slow is behind from then on."""
        place, data, sealed = place_of(event), b"", dict[tuple[str, ...], bytes]()
        for stream in streams:
            if stream.place is not None and place <= stream.place:
                continue
            if not stream.has_room:
                stream.live = False
                continue
            data = data or json.dumps(self._document(event), separators=(",", ":")).encode()
            if stream.scope not in sealed:
                sealed[stream.scope] = cursors.seal(place, *stream.scope).encode()
            stream.tell(event, place, data, sealed[stream.scope])

    def _catch_up(self, stream: Stream) -> None:
        """Give the stream a page of its own; with the last of them it is behind no more."""
        try:
            if stream.from_now:
                stream.place, stream.from_now = feed.end_of(stream.wanted.kinds), False
            page = feed.read(stream.wanted, stream.place, PAGE)
        except Lost as lost:
            stream.reset(lost.end)
            return
        for event in page.events:
            if not stream.has_room:
                return
            self._tell(event, [stream])
        stream.place = page.next
        if not page.more:
            if self._place is None or not any(one.live for one in self._streams):
                self._place = page.next
            stream.place = max(
                page.next, self._place
            )  # read later than that, so up to there nothing is missing
            stream.live = True
            stream.tell_place()

    def _check(self) -> None:
        """Look whether those who read may still do so."""
        now = time.monotonic()
        due = [one for one in self._streams if now - one.checked_at > settings.STREAM_CHECK]
        for stream in due if now >= self._checks_from else []:
            try:
                may_read = stream.may_read()
            except Unavailable:  # asked for each of them in turn, what does not answer would hold up all
                self._checks_from = time.monotonic() + settings.STREAM_CHECK / 2
                break
            stream.checked_at = now
            if may_read:
                stream.found_good_at = now
            else:
                self._part([stream], "You are not authorized any more.")
        structlog.contextvars.clear_contextvars()

    def _look_after(self) -> None:
        """Say something to those who were told nothing for long; part with who takes nothing, or is not known."""
        now = time.monotonic()
        for stream in list(self._streams):
            if now - stream.found_good_at > 2 * settings.STREAM_CHECK:
                self._part([stream], "It cannot be found out whether you are still authorized.")
            elif wire_of(stream).waiting and now - wire_of(stream).moved_at > STALL:
                stream.gone = True
            elif now - stream.told_at > BEAT:
                if stream.live:
                    stream.tell_place()
                else:
                    stream.send(b": \n\n")
        self._part([stream for stream in self._streams if stream.gone])

    def _part(self, streams: Collection[Stream], reason: str = "") -> None:
        for stream in list(streams):
            self._streams.discard(stream)
            self._selector.unregister(wire_of(stream))
            if reason and not stream.gone:
                stream.send(message("end", reason).encode())
            wire_of(stream).end()
            self.dismiss(stream)
