"""Events on the wire: a list that is asked again and again, and a stream (Server-Sent Events). Alike for every service.

Both go on from a cursor: each event has one, and so has the end of each page. One who goes on from it is told what came
after it, once, by whichever process of whichever node.
"""

from __future__ import annotations

import random
import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from api import cursors
from api.openapi.methods import Does, Parameter, texts, truths
from api.openapi.schemas import BOOLEAN, ID, TEXT, Named, array, extended, maybe, obj
from api.operations import EVENT, event_document, id_of
from api.problems import BadRequest, Problem, Unavailable
from api.stream import Stream
from api.streams import Hub
from api.versions import Service
from api.wires import pipe, taken_over
from lifecycle import feed
from lifecycle.feed import Lost, Place, Unordered, Wanted, place_of
from lifecycle.models import Event

STREAM: Final = "text/event-stream"
LAST: Final = "Last-Event-ID"
FIRST, NOW = "first", "now"
EVENTS: Final = Named(
    "EventPage",
    obj(
        {
            "events": array(
                Named(
                    "Event",
                    extended(
                        EVENT,
                        {
                            "id": TEXT,
                            "resource_type": TEXT,
                            "resource_id": ID,
                            "project_id": maybe(TEXT),
                            "operation_id": maybe(ID),
                        },
                    ),
                )
            ),
            "cursor": TEXT,
            "more": BOOLEAN,
        }
    ),
)
DESCRIBED: Final = Does(
    {200: EVENTS},
    query=(
        *texts("since", "lastEventId", "resource_type", "resource_id", "operation_id"),
        Parameter("limit", {"type": "integer", "minimum": 1}),
        *truths("all_projects"),
    ),
    headers=(
        Parameter("Last-Event-ID", says="As since, from a browser that connects again.", where="header"),
        Parameter(
            "Accept", says="text/event-stream for a stream of what happens from now on.", where="header"
        ),
    ),
    refuses=(410,),
)
PARAMETERS: Final = frozenset(
    {"since", "lastEventId", "limit", "resource_type", "resource_id", "operation_id", "all_projects"}
)
LIMIT, MOST = 100, 1000
RETRY: Final = (500, 2500)  # milliseconds after which a client connects again: not all at the same moment


class CursorGone(Problem):
    """What came after the cursor cannot be told without a gap any more."""

    status = 410
    code = "cursor-gone"


@dataclass(frozen=True, slots=True)
class Feed:
    """What a caller may follow: the events of some kinds of resources in a service, of a project (None: of all)."""

    service: Service
    kinds: Sequence[str]
    project_id: str | None
    owner: str  # the project whose streams are counted
    may_read: Callable[[], bool]

    @property
    def scope(self) -> tuple[str, ...]:
        project = "all projects" if self.project_id is None else f"project {self.project_id}"
        return (self.service.type, project)


def answer(request: Request, of: Feed) -> HttpResponseBase:
    """Return the page of events, or the stream, that the request asks for.

    :raises BadRequest: a parameter is none of the allowed ones, or a cursor is not one of this feed.
    :raises CursorGone: the cursor is good for nothing any more.
    :raises Unavailable: a restored database is not in order yet.
    """
    query = request.query_params
    if unknown := sorted(set(query) - PARAMETERS):
        raise BadRequest(
            f"{unknown[0][:64]} is no parameter here; there are: {', '.join(sorted(PARAMETERS))}."
        )
    limit = _limit(query.get("limit"))
    kinds = _kinds(query.get("resource_type"), of.kinds)
    wanted = Wanted(kinds, of.project_id, _id(request, "resource_id"), _id(request, "operation_id"))
    streams = request.method == "GET" and STREAM in request.headers.get("Accept", "").lower()
    # A browser that connects again repeats the query, and knows by then of a later event.
    since = request.headers.get(LAST) or query.get("lastEventId") or query.get("since")
    since = since or (NOW if streams else FIRST)
    place = None if since in {FIRST, NOW} else cursors.unseal(since, *of.scope)
    response = (
        _stream(request, of, wanted, place, from_now=since == NOW)
        if streams
        else _page(of, wanted, place, limit, from_now=since == NOW)
    )
    response["Cache-Control"] = "no-store"
    response["Vary"] = "Accept"
    return response


def _page(of: Feed, wanted: Wanted, place: Place | None, limit: int, *, from_now: bool) -> Response:
    try:
        page = feed.read(wanted, place, 0 if from_now else limit)
    except Lost:
        raise CursorGone(
            "What came after this cursor is not kept any more, or is of another history. Ask with since=now, "
            "read what you follow anew, and go on from the cursor that you were given."
        ) from None
    except Unordered:
        raise Unavailable("The database was restored, and its events are not in order yet.") from None
    going_on = page.end if from_now else page.next
    return Response(
        {
            "events": [_listed(event, of) for event in page.events],
            "cursor": cursors.seal_afresh(going_on, *of.scope),
            "more": page.more and not from_now,
        }
    )


def _stream(
    request: Request, of: Feed, wanted: Wanted, place: Place | None, *, from_now: bool
) -> StreamingHttpResponse:
    stream = Stream(wanted, of.scope, of.owner, place, from_now, of.may_read)
    hub.admit(stream)
    response = StreamingHttpResponse(_Handed(stream, request.META), content_type=STREAM)
    response["X-Accel-Buffering"] = "no"
    return response


class _Handed:
    """The body of a stream's answer: its head in the server's thread, the rest by the hub.

    Where the server does not let go of the connection (a development server, TLS of its own), the thread stays and
    passes on what the hub writes.
    """

    def __init__(self, stream: Stream, environ: dict[str, Any]) -> None:
        self._stream = stream
        self._environ = environ
        self._begun = self._joined = False
        self._read: socket.socket | None = None

    def __iter__(self) -> _Handed:
        return self

    def __next__(self) -> bytes:
        if not self._begun:
            self._begun = True
            return b"retry: %d\n\n" % random.randint(*RETRY)  # noqa: S311 - nobody is to guess it or not to
        if not self._joined:
            wire = taken_over(self._environ)
            if wire is None:
                wire, self._read = pipe()
            self._stream.wire = wire
            self._joined = True
            hub.join(self._stream)
        data = self._read.recv(65536) if self._read else b""
        if not data:
            raise StopIteration
        return data

    def close(self) -> None:
        """Leave: the stream's place is free again, here or as soon as the hub sees it."""
        if self._read is not None:
            self._read.close()
        if not self._joined:
            self._joined = True
            hub.dismiss(self._stream)


def document(event: Event) -> dict[str, Any]:
    """Return an event as the stream tells it."""
    return {
        "resource_type": event.resource_type,
        "resource_id": str(event.resource_id),
        "project_id": event.project_id,
        "operation_id": event.operation_id and str(event.operation_id),
        **event_document(event),
    }


hub = Hub(document)


def _listed(event: Event, of: Feed) -> dict[str, Any]:
    return {"id": cursors.seal(place_of(event), *of.scope), **document(event)}


def _id(request: Request, name: str) -> uuid.UUID | None:
    text = request.query_params.get(name)
    return None if text is None else id_of(text)


def _kinds(text: str | None, all_of_them: Sequence[str]) -> tuple[str, ...]:
    kinds = tuple(sorted(all_of_them))
    asked = kinds if text is None else tuple(sorted(set(text.split(","))))
    if set(asked) - set(kinds):
        raise BadRequest(f"resource_type must be of: {', '.join(kinds)}.")
    return asked


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT
    if not (text.isascii() and text.isdecimal()) or len(text) > 18 or int(text) == 0:  # noqa: PLR2004 (digits)
        raise BadRequest("limit must be a whole number greater than zero.")
    return min(int(text), MOST)
