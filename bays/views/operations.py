"""/v1/operations: what became of each request, attempt by attempt."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.operations import OperationView, list_document, lists, shows
from bays.models import Bay
from bays.reasons import understood
from bays.serializers import progress
from bays.states import BAY
from bays.views.base import BayView
from lifecycle.models import Operation


class Operations(BayView):
    policy = {"GET": "operation:list"}
    described = {"GET": lists()}

    def get(self, request: Request) -> Response:
        """List the project's operations on bays; `resource_id` and `state` narrow the list."""
        operations = Operation.objects.filter(project_id=self.caller.project, resource_type=BAY.name)
        return Response(list_document(request, operations, understood))


class OperationDetail(OperationView, BayView):
    policy = {"GET": "operation:get"}
    described = {"GET": shows()}
    kinds = (BAY.name,)
    understood = staticmethod(understood)

    def progress(self, operation: Operation) -> dict[str, int | None] | None:
        """Return how many nodes of all are done."""
        bay = Bay.objects.counted().filter(pk=operation.resource_id, operation=operation).first()
        return None if bay is None else progress(bay)
