"""/operations: what became of each request, attempt by attempt."""

from __future__ import annotations

from typing import Final

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from api.operations import OperationView, list_document, lists, shows
from lifecycle.models import Operation
from volumes.models import Snapshot, Volume
from volumes.reasons import understood
from volumes.states import CONNECTION, SNAPSHOT, VOLUME
from volumes.views.base import VolumeView

KINDS: Final = (VOLUME.name, SNAPSHOT.name, CONNECTION.name)


class Operations(VolumeView):
    policy = {"GET": "operation:list"}
    described = {"GET": lists()}

    def get(self, request: Request) -> Response:
        """List the project's operations on volumes, snapshots and connections."""
        operations = Operation.objects.filter(project_id=self.caller.project, resource_type__in=KINDS)
        return Response(list_document(request, operations, understood))


class OperationDetail(OperationView, VolumeView):
    policy = {"GET": "operation:get"}
    described = {"GET": shows()}
    kinds = KINDS
    understood = staticmethod(understood)

    def progress(self, operation: Operation) -> dict[str, int | None] | None:
        """Return how many bytes of all are copied; None where nothing is, or not yet."""
        rows: QuerySet[Volume] | QuerySet[Snapshot] = Volume.objects.all()
        if operation.resource_type != VOLUME.name:
            rows = Snapshot.objects.all()
        row = rows.filter(operation=operation, to_copy__isnull=False).only("copied", "to_copy").first()
        return None if row is None else {"bytes_done": row.copied, "bytes": row.to_copy}
