"""/v1/operations: what became of each request, attempt by attempt."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.pages import paginate
from api.problems import BadRequest, NotFound
from bays.states import BAY
from bays.views.base import BayView
from lifecycle.models import Event, Operation

SORT_KEYS = {"created_at": "created_at", "finished_at": "finished_at", "state": "state", "action": "action"}


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


class Operations(BayView):
    policy = {"GET": "operation:list"}

    def get(self, request: Request) -> Response:
        """List the project's operations on bays; `resource_id` and `state` narrow the list."""
        operations = Operation.objects.filter(project_id=self.caller.project, resource_type=BAY.name)
        if "resource_id" in request.query_params:
            operations = operations.filter(resource_id=_uuid(request.query_params["resource_id"]))
        if "state" in request.query_params:
            operations = operations.filter(state=request.query_params["state"])
        page = paginate(request, operations, sort_keys=SORT_KEYS, default="created_at")
        document: dict[str, object] = {"operations": [operation_document(row) for row in page.rows]}
        if page.next:
            document["next"] = page.next
        return Response(document)


class OperationDetail(BayView):
    policy = {"GET": "operation:get"}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show an operation with everything that happened on its way."""
        operation = Operation.objects.filter(pk=_uuid(ident), resource_type=BAY.name).first()
        if operation is None or not (self.caller.is_admin or operation.project_id == self.caller.project):
            raise NotFound(f"The operation {ident[:255]} could not be found.")
        events = Event.objects.filter(resource_id=operation.resource_id, operation_id=operation.pk)
        happened = [event_document(event) for event in events.order_by("pk")]
        return Response(operation_document(operation) | {"events": happened})


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise BadRequest(f"{text[:64]} is not an id.") from None
