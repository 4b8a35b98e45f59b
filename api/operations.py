"""Operations on the wire: what became of each request, attempt by attempt. Alike for every service."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.response import Response

from api.expected import estimated_finish, expected_seconds, experience
from api.openapi.documents import EXPECTED_SECONDS
from api.openapi.methods import Does, Parameter, pages, texts
from api.openapi.schemas import (
    ANYTHING,
    ID,
    INTEGER,
    MOMENT,
    TEXT,
    Named,
    Schema,
    array,
    extended,
    mapping,
    maybe,
    obj,
    one_of,
    optional,
    paged,
)
from api.pages import paginate
from api.preconditions import Conditional
from api.problems import BadRequest, NotFound
from api.waiting import wait_for
from lifecycle.durations import Expected, Like
from lifecycle.models import Event, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from lifecycle.reasons import Reason

_DIGITS = re.compile(r"[0-9]{1,4}", re.ASCII)
SORT_KEYS = {"created_at": "created_at", "finished_at": "finished_at", "state": "state", "action": "action"}
FAILURE = maybe(
    Named(
        "Failure",
        obj({"code": TEXT, "resource": maybe(TEXT), "resource_type": maybe(TEXT), "next": TEXT})
        | {"description": "What did not work, and what to do next."},
    )
)
EXPECTATIONS = {"expected_seconds": EXPECTED_SECONDS, "estimated_finish": maybe(MOMENT)}
EVENT = Named(
    "OperationEvent",
    obj(
        {
            "at": MOMENT,
            "event": TEXT,
            "from": maybe(TEXT),
            "to": maybe(TEXT),
            "epoch": INTEGER,
            "node": maybe(ID),
            "reason": maybe(TEXT),
        }
    ),
)
OPERATION = Named(
    "Operation",
    obj(
        {
            "id": ID,
            "resource_type": TEXT,
            "resource_id": ID,
            "resource_name": TEXT,
            "action": TEXT,
            "params": mapping(ANYTHING),
            "state": one_of(Operation.State.values),
            "reason": maybe(TEXT),
            "attempts": maybe(INTEGER),
            "request_id": maybe(TEXT),
            "user_id": TEXT,
            "project_id": TEXT,
            "created_at": MOMENT,
            "finished_at": maybe(MOMENT),
            "failure": FAILURE,
            **EXPECTATIONS,
        }
    ),
)
WAIT = Parameter(
    "wait", {"type": "integer", "minimum": 0}, "Answer when it is over, or after so many seconds."
)


def lists() -> Does:
    """Return how a list of operations is described."""
    return Does(
        {200: paged("operations", OPERATION)}, query=(*pages(SORT_KEYS), *texts("resource_id", "state"))
    )


def shows() -> Does:
    """Return how an operation is described that is shown by itself."""
    more: dict[str, Schema] = {
        "events": array(EVENT),
        "progress": maybe(mapping(maybe(INTEGER))),
        "hint": optional(maybe(TEXT), "With `wait`: why it was not waited for any longer."),
    }
    return Does({200: Named("OperationDetail", extended(OPERATION, more))}, query=(WAIT,))


class OperationView(Conditional):
    """A route to one operation: shown as it is, or with `wait` as it is when it is over."""

    kinds: Collection[str]
    understood: Callable[[str], Reason | None]

    def progress(self, operation: Operation) -> dict[str, int | None] | None:
        """Return how far the work is that is under way; None where that cannot be told."""
        raise NotImplementedError

    def get(self, request: Request, ident: str) -> Response:
        """Show an operation with everything that happened on its way."""
        seconds = _seconds(request)
        caller: Any = request.user
        operation = Operation.objects.filter(pk=id_of(ident), resource_type__in=self.kinds).first()
        if operation is None or not (caller.is_admin or operation.project_id == caller.project):
            raise NotFound(f"The operation {ident[:255]} could not be found.")
        hint = None if seconds is None else wait_for(operation, seconds)
        document = detail_document(operation, type(self).understood)
        document["progress"] = None if operation.finished_at else self.progress(operation)
        if seconds is not None:
            document["hint"] = hint
        response = self.show(operation, document)
        if hint is not None:
            response["Retry-After"] = "1"
        return response


def _seconds(request: Request) -> int | None:
    """Return how long the request would wait; None where it does not say.

    :raises BadRequest: it is no whole number, or more than may be asked for.
    """
    text = request.query_params.get("wait")
    if text is None:
        return None
    most = int(settings.OPERATION_WAIT)
    if not _DIGITS.fullmatch(text) or int(text) > most:
        raise BadRequest(f"wait must be a whole number of seconds from 0 to {most}.")
    return int(text)


def list_document(
    request: Request, operations: QuerySet[Operation], understood: Callable[[str], Reason | None]
) -> dict[str, Any]:
    """Return the page of operations that the request asks for; `resource_id` and `state` narrow the list.

    :raises BadRequest: a parameter is none of the allowed ones.
    :raises NotFound: the marker is none of these operations.
    """
    if "resource_id" in request.query_params:
        operations = operations.filter(resource_id=id_of(request.query_params["resource_id"]))
    if "state" in request.query_params:
        operations = operations.filter(state=request.query_params["state"])
    page = paginate(request, operations, sort_keys=SORT_KEYS, default="created_at")
    known = experience(page.rows)
    document: dict[str, Any] = {
        "operations": [operation_document(row, known, understood) for row in page.rows]
    }
    if page.next:
        document["next"] = page.next
    return document


def detail_document(operation: Operation, understood: Callable[[str], Reason | None]) -> dict[str, Any]:
    """Return an operation with everything that happened on its way."""
    events = Event.objects.filter(resource_id=operation.resource_id, operation_id=operation.pk)
    happened = [event_document(event) for event in events.order_by("pk")]
    return operation_document(operation, experience([operation]), understood) | {"events": happened}


def operation_document(
    operation: Operation,
    known: Mapping[Like, Expected],
    understood: Callable[[str], Reason | None],
) -> dict[str, Any]:
    """Return an operation as lists show it."""
    reason = understood(operation.reason) if operation.state == Operation.State.FAILED else None
    return {
        "id": str(operation.pk),
        "resource_type": operation.resource_type,
        "resource_id": str(operation.resource_id),
        "resource_name": operation.resource_name,
        "action": operation.action,
        "params": operation.params,
        "state": operation.state,
        "reason": operation.reason or None,
        "failure": reason and reason.document,
        "attempts": operation.attempts if operation.finished_at else None,
        "expected_seconds": expected_seconds(operation, known),
        "estimated_finish": estimated_finish(operation, known),
        "request_id": operation.request_id or None,
        "user_id": operation.user_id,
        "project_id": operation.project_id,
        "created_at": operation.created_at.isoformat(),
        "finished_at": operation.finished_at and operation.finished_at.isoformat(),
    }


def event_document(event: Event) -> dict[str, Any]:
    """Return one thing that happened on the way."""
    return {
        "at": event.at.isoformat(),
        "event": event.event,
        "from": event.from_status,
        "to": event.to_status,
        "epoch": event.epoch,
        "node": event.node_id and str(event.node_id),
        "reason": event.reason or None,
    }


def id_of(text: str) -> uuid.UUID:
    """Return the id that the text spells.

    :raises BadRequest: it spells none.
    """
    try:
        return uuid.UUID(text)
    except ValueError:
        raise BadRequest(f"{text[:64]} is not an id.") from None
