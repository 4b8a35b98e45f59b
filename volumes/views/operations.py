"""/operations: what became of each request, attempt by attempt."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request
from rest_framework.response import Response

from api.operations import detail_document, id_of, list_document, lists, shows
from api.problems import NotFound
from lifecycle.models import Operation
from volumes.states import CONNECTION, SNAPSHOT, VOLUME
from volumes.views.base import VolumeView

KINDS: Final = (VOLUME.name, SNAPSHOT.name, CONNECTION.name)


class Operations(VolumeView):
    policy = {"GET": "operation:list"}
    described = {"GET": lists()}

    def get(self, request: Request) -> Response:
        """List the project's operations on volumes, snapshots and connections."""
        operations = Operation.objects.filter(project_id=self.caller.project, resource_type__in=KINDS)
        return Response(list_document(request, operations))


class OperationDetail(VolumeView):
    policy = {"GET": "operation:get"}
    described = {"GET": shows()}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show an operation with everything that happened on its way."""
        operation = Operation.objects.filter(pk=id_of(ident), resource_type__in=KINDS).first()
        if operation is None or not (self.caller.is_admin or operation.project_id == self.caller.project):
            raise NotFound(f"The operation {ident[:255]} could not be found.")
        return Response(detail_document(operation))
