"""Operations on the wire: what became of each request, attempt by attempt. Alike for every service."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from api.openapi.methods import Does, pages, texts
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
    paged,
)
from api.pages import paginate
from api.problems import BadRequest
from lifecycle.models import Event, Operation

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

SORT_KEYS = {"created_at": "created_at", "finished_at": "finished_at", "state": "state", "action": "action"}
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
        }
    ),
)


def lists(operation: Schema = OPERATION) -> Does:
    """Return how a list of operations is described."""
    return Does(
        {200: paged("operations", operation)}, query=(*pages(SORT_KEYS), *texts("resource_id", "state"))
    )


def shows(operation: Schema = OPERATION, **more: Schema) -> Does:
    """Return how an operation is described that is shown by itself."""
    return Does({200: Named("OperationDetail", extended(operation, {"events": array(EVENT), **more}))})


def list_document(request: Request, operations: QuerySet[Operation]) -> dict[str, Any]:
    """Return the page of operations that the request asks for; `resource_id` and `state` narrow the list.

    :raises BadRequest: a parameter is none of the allowed ones.
    :raises NotFound: the marker is none of these operations.
    """
    if "resource_id" in request.query_params:
        operations = operations.filter(resource_id=id_of(request.query_params["resource_id"]))
    if "state" in request.query_params:
        operations = operations.filter(state=request.query_params["state"])
    page = paginate(request, operations, sort_keys=SORT_KEYS, default="created_at")
    document: dict[str, Any] = {"operations": [operation_document(row) for row in page.rows]}
    if page.next:
        document["next"] = page.next
    return document


def detail_document(operation: Operation) -> dict[str, Any]:
    """Return an operation with everything that happened on its way."""
    events = Event.objects.filter(resource_id=operation.resource_id, operation_id=operation.pk)
    happened = [event_document(event) for event in events.order_by("pk")]
    return operation_document(operation) | {"events": happened}


def operation_document(operation: Operation) -> dict[str, Any]:
    """Return an operation as lists show it."""
    return {
        "id": str(operation.pk),
        "resource_type": operation.resource_type,
        "resource_id": str(operation.resource_id),
        "resource_name": operation.resource_name,
        "action": operation.action,
        "params": operation.params,
        "state": operation.state,
        "reason": operation.reason or None,
        "attempts": operation.attempts if operation.finished_at else None,
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
