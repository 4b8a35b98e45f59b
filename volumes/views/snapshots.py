"""/snapshots: list, create, show, change, delete, and the actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, sorted_pages, wrapped
from api.pages import paginate_by_sort
from api.preconditions import Conditional
from api.problems import BadRequest
from identity import policy
from volumes.actions import snapshots as actions
from volumes.actions.guarding import find_snapshot, find_volume
from volumes.documents import counted, one
from volumes.documents.stored import ALL_TENANTS, SNAPSHOT_DOCUMENT, SNAPSHOT_SUMMARY, WITH_COUNT
from volumes.models import Snapshot
from volumes.serializers.snapshots import (
    FORCE_ENDS,
    SnapshotInput,
    SnapshotResetInput,
    SnapshotStatusInput,
    snapshot_document,
    snapshot_summary,
)
from volumes.serializers.volumes import Reader, VolumeChange
from volumes.states import SNAPSHOT
from volumes.views import filtering
from volumes.views.acting import Action, ActionView, Values, described, not_offered
from volumes.views.base import VolumeView, truth, unwrapped, validated
from volumes.views.filtering import Filter
from volumes.views.volumes import listed, reader_of

SORT_KEYS: Final = {
    "id": "pk",
    "name": "name",
    "display_name": "name",
    "description": "description",
    "status": "status",
    "volume_id": "volume_id",
    "volume_size": "size",
    "size": "size",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "user_id": "user_id",
    "project_id": "project_id",
}
FILTERS: Final = {
    "id": Filter(filtering.identity("pk")),
    "name": Filter(filtering.equal("name")),
    "name~": Filter(filtering.contains("name"), since=34),
    "description": Filter(filtering.equal("description")),
    "status": Filter(filtering.status(SNAPSHOT)),
    "volume_id": Filter(filtering.identity("volume_id")),
    "metadata": Filter(filtering.metadata, since=22),
    "availability_zone": Filter(filtering.equal("volume__availability_zone")),
    "project_id": Filter(filtering.equal("project_id")),
    "user_id": Filter(filtering.equal("user_id")),
    "size": Filter(filtering.number("size")),
    "consumes_quota": Filter(filtering.always(truth=True), since=65),
}
LISTED: Final = (*sorted_pages(SORT_KEYS), *filtering.parameters(FILTERS), *ALL_TENANTS, *WITH_COUNT)
ONE: Final = one("snapshot", SNAPSHOT_DOCUMENT)


Show = Callable[[Snapshot, Reader], dict[str, Any]]


def visible(view: VolumeView) -> QuerySet[Snapshot]:
    """Return the project's snapshots, or everybody's, for admins who ask so."""
    if truth(view.request, "all_tenants") and policy.allows(view.caller, "volume:all_projects"):
        return Snapshot.objects.all()
    return Snapshot.objects.of_project(view.caller.project)


class SnapshotsInDetail(VolumeView):
    policy = {"GET": "snapshot:list"}
    described = {"GET": Does({200: counted("snapshots", SNAPSHOT_DOCUMENT)}, query=LISTED)}
    show: Show = staticmethod(snapshot_document)

    def get(self, request: Request) -> Response:
        """List the snapshots."""
        there = visible(self)
        found = filtering.narrow(self, there, FILTERS)
        page = paginate_by_sort(request, found, sort_keys=SORT_KEYS, markers=there)
        reader = reader_of(self)
        shown = [self.show(snapshot, reader) for snapshot in page.rows]
        return Response(listed(self, "snapshots", shown, page.links, found))


class Snapshots(SnapshotsInDetail):
    policy = {"GET": "snapshot:list", "POST": "snapshot:create"}
    described = {
        "GET": Does({200: counted("snapshots", SNAPSHOT_SUMMARY)}, query=LISTED),
        "POST": Does({202: ONE}, takes=wrapped("snapshot", SnapshotInput), refuses=(404,)),
    }
    dry_runs = frozenset({"POST"})
    show: Show = staticmethod(snapshot_summary)

    def post(self, request: Request) -> Response:
        """Accept a new snapshot."""
        body = validated(SnapshotInput(data=unwrapped(request, "snapshot")))
        volume = find_volume(self.caller, body.pop("volume_id"))
        in_use = self._of_volume_in_use(body.pop("force", None))
        snapshot = actions.create(self.caller, self.request_id, volume, **body, in_use=in_use)
        document = snapshot_document(snapshot, reader_of(self), extended=False)
        return Response({"snapshot": document}, status=202)

    def _of_volume_in_use(self, force: bool | None) -> bool:
        """Tell whether the volume may be in use; `force` says so until versions in which it may always.

        :raises BadRequest: it says no in such a version.
        """
        if not self.at_least(FORCE_ENDS):
            return bool(force)
        if force is False:
            raise BadRequest(f"force cannot be false from version 3.{FORCE_ENDS} on: leave it out.")
        return True


class SnapshotDetail(Conditional, VolumeView):
    policy = {"GET": "snapshot:get", "PUT": "snapshot:update", "DELETE": "snapshot:delete"}
    described = {
        "GET": Does({200: ONE}),
        "PUT": Does({200: ONE}, takes=wrapped("snapshot", VolumeChange)),
        "DELETE": Does({202: None}),
    }
    dry_runs = frozenset({"DELETE"})

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show a snapshot, by id alone."""
        snapshot = find_snapshot(self.caller, ident)
        return self.show(snapshot, {"snapshot": snapshot_document(snapshot, reader_of(self))})

    def put(self, request: Request, ident: str) -> Response:
        """Change what the snapshot is called."""
        body = validated(VolumeChange(data=unwrapped(request, "snapshot")))
        snapshot = actions.update(find_snapshot(self.caller, ident), body, expected=self.expected)
        document = snapshot_document(snapshot, reader_of(self), extended=False)
        return self.show(snapshot, {"snapshot": document})

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Accept the snapshot's end."""
        snapshot = find_snapshot(self.caller, ident)
        actions.delete(self.caller, self.request_id, snapshot, expected=self.expected)
        return Response(status=202)


View = ActionView[Snapshot]


def _reset(view: View, snapshot: Snapshot, values: Values) -> None:
    actions.reset(view.caller, view.request_id, snapshot, values["status"], values.get("reason", ""))


def _force_delete(view: View, snapshot: Snapshot, values: Values) -> None:
    del values
    actions.delete(view.caller, view.request_id, snapshot, force=True)


def _tell(view: View, snapshot: Snapshot, values: Values) -> None:
    actions.tell(view.caller, view.request_id, snapshot, values["status"], values.get("progress"))


ACTIONS: Final[Mapping[str, Action[Snapshot]]] = {
    "os-reset_status": Action("snapshot:reset", _reset, SnapshotResetInput),
    "os-force_delete": Action("snapshot:force_delete", _force_delete, dry_run=True),
    "os-update_snapshot_status": Action("snapshot:update", _tell, SnapshotStatusInput),
    "os-unmanage": not_offered("Snapshots cannot be left to themselves here.", "snapshot:manage"),
}


class SnapshotActions(ActionView[Snapshot]):
    policy = {"POST": "snapshot:get"}
    described = {"POST": described(ACTIONS)}
    actions = ACTIONS

    def find(self, ident: str) -> Snapshot:
        return find_snapshot(self.caller, ident)
