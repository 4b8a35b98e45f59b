"""/v1/operations: what became of each request, attempt by attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.operations import detail_document, id_of, list_document, lists, shows
from api.problems import NotFound
from bays.documents import BAYS_OPERATION, PROGRESS
from bays.models import Bay
from bays.reasons import understood
from bays.serializers import progress
from bays.states import BAY
from bays.views.base import BayView
from lifecycle.models import Operation


class Operations(BayView):
    policy = {"GET": "operation:list"}
    described = {"GET": lists(BAYS_OPERATION)}

    def get(self, request: Request) -> Response:
        """List the project's operations on bays; `resource_id` and `state` narrow the list."""
        operations = Operation.objects.filter(project_id=self.caller.project, resource_type=BAY.name)
        document = list_document(request, operations)
        for operation in document["operations"]:
            operation["failure"] = failure_of(operation)
        return Response(document)


class OperationDetail(BayView):
    policy = {"GET": "operation:get"}
    described = {"GET": shows(BAYS_OPERATION, progress=PROGRESS)}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show an operation with everything that happened on its way."""
        operation = Operation.objects.filter(pk=id_of(ident), resource_type=BAY.name).first()
        if operation is None or not (self.caller.is_admin or operation.project_id == self.caller.project):
            raise NotFound(f"The operation {ident[:255]} could not be found.")
        document = detail_document(operation)
        document["failure"] = failure_of(document)
        bay = None
        if operation.finished_at is None:
            bay = Bay.objects.counted().filter(pk=operation.resource_id, operation=operation).first()
        document["progress"] = None if bay is None else progress(bay)
        return Response(document)


def failure_of(document: Mapping[str, Any]) -> dict[str, str | None] | None:
    """Return what an operation that failed says, and what to do next; None of any other."""
    if document["state"] != Operation.State.FAILED:
        return None
    reason = understood(document["reason"] or "")
    return reason.document if reason else None
