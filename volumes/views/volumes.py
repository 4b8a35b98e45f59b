"""/volumes: list, summary, create, show, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Coalesce
from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.fields import schema_of
from api.openapi.methods import Body, Does, sorted_pages, truths, wrapped
from api.openapi.schemas import NULL, maybe, obj, optional
from api.pages import paginate_by_sort
from api.preconditions import Conditional
from api.versions import Version
from identity import policy
from volumes.actions import volumes as actions
from volumes.actions.guarding import find_volume
from volumes.actions.volumes import Wish
from volumes.documents import counted, one
from volumes.documents.stored import (
    ALL_TENANTS,
    VOLUME_DOCUMENT,
    VOLUME_SUMMARY,
    VOLUMES_SUMMARY,
    WITH_COUNT,
)
from volumes.models import Volume
from volumes.serializers.volumes import (
    Hints,
    HintsInput,
    Reader,
    VolumeChange,
    VolumeInput,
    volume_document,
    volume_summary,
)
from volumes.states import VOLUME
from volumes.views import filtering
from volumes.views.base import VolumeView, truth, unwrapped, validated
from volumes.views.filtering import Filter

HINTS = ("OS-SCH-HNT:scheduler_hints", "scheduler_hints")
SORT_KEYS = {
    "id": "pk",
    "name": "name",
    "display_name": "name",
    "description": "description",
    "status": "status",
    "size": "size",
    "bootable": "bootable",
    "availability_zone": "availability_zone",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "user_id": "user_id",
    "project_id": "project_id",
    "snapshot_id": "snapshot_id",
    "source_volid": "source_volid",
    "multiattach": "multiattach",
    "host": "backend",
}
FILTERS = {
    "id": Filter(filtering.identity("pk")),
    "name": Filter(filtering.equal("name")),
    "name~": Filter(filtering.contains("name"), since=34),
    "description": Filter(filtering.equal("description")),
    "description~": Filter(filtering.contains("description"), since=34),
    "status": Filter(filtering.status(VOLUME)),
    "metadata": Filter(filtering.metadata),
    "availability_zone": Filter(filtering.equal("availability_zone")),
    "availability_zone~": Filter(filtering.contains("availability_zone"), since=34),
    "bootable": Filter(filtering.flag("bootable")),
    "multiattach": Filter(filtering.flag("multiattach")),
    "size": Filter(filtering.number("size")),
    "project_id": Filter(filtering.equal("project_id")),
    "user_id": Filter(filtering.equal("user_id")),
    "volume_type_id": Filter(filtering.identity("type_id")),
    "snapshot_id": Filter(filtering.identity("snapshot_id")),
    "source_volid": Filter(filtering.identity("source_volid")),
    "created_at": Filter(filtering.moments("created_at"), since=60),
    "updated_at": Filter(filtering.moments("updated_at"), since=60),
    "consumes_quota": Filter(filtering.always(truth=True), since=65),
}
NARROWED = (*filtering.parameters(FILTERS), *ALL_TENANTS)
LISTED = (*sorted_pages(SORT_KEYS), *NARROWED, *WITH_COUNT)
ONE = one("volume", VOLUME_DOCUMENT)
WISH = Body(
    {
        **obj(
            {"volume": schema_of(VolumeInput()), **{name: optional(maybe(Hints.schema)) for name in HINTS}}
        ),
        "additionalProperties": True,
    },
    (VolumeInput, HintsInput),
)


def reader_of(view: VolumeView) -> Reader:
    """Return to whom the view shows documents."""
    return Reader(view.base, view.version.minor, policy.allows(view.caller, "volume:hosts"))


def visible(view: VolumeView) -> QuerySet[Volume]:
    """Return the project's volumes, or everybody's, for admins who ask so. Who may not is not refused, as in Cinder."""
    if truth(view.request, "all_tenants") and policy.allows(view.caller, "volume:all_projects"):
        return Volume.objects.all()
    return Volume.objects.of_project(view.caller.project)


class VolumesInDetail(VolumeView):
    policy = {"GET": "volume:list"}
    described = {"GET": Does({200: counted("volumes", VOLUME_DOCUMENT)}, query=LISTED)}
    detail = True

    def get(self, request: Request) -> Response:
        """List the volumes."""
        there = visible(self)
        found = filtering.narrow(self, there, FILTERS)
        reader = reader_of(self)
        if self.detail:
            rows = found.select_related("type").prefetch_related("attachments")
            page = paginate_by_sort(request, rows, sort_keys=SORT_KEYS, markers=there)
            shown = [volume_document(volume, reader) for volume in page.rows]
        else:
            page = paginate_by_sort(request, found, sort_keys=SORT_KEYS, markers=there)
            shown = [volume_summary(volume, reader) for volume in page.rows]
        return Response(listed(self, "volumes", shown, page.links, found))


def listed(
    view: VolumeView,
    name: str,
    shown: list[dict[str, Any]],
    links: list[dict[str, str]],
    found: QuerySet[Any],
) -> dict[str, Any]:
    """Return the document of a list: its page, the link to the next one, and on request how many there are in all."""
    document: dict[str, Any] = {name: shown}
    if links:
        document[f"{name}_links"] = links
    if view.at_least(45) and truth(view.request, "with_count"):
        document["count"] = found.count()
    return document


class Volumes(VolumesInDetail):
    policy = {"GET": "volume:list", "POST": "volume:create"}
    described = {
        "GET": Does({200: counted("volumes", VOLUME_SUMMARY)}, query=LISTED),
        "POST": Does({202: ONE}, takes=WISH, refuses=(404,)),
    }
    dry_runs = frozenset({"POST"})
    detail = False

    def post(self, request: Request) -> Response:
        """Accept a new volume."""
        asked = unwrapped(request, "volume")
        wish = validated(VolumeInput(data=asked))
        found = _hints_of({**asked, **dict(request.data)})
        hints = validated(HintsInput(data={"scheduler_hints": found})) if found is not None else {}
        volume = actions.create(self.caller, self.request_id, Wish(**wish, **hints))
        document = volume_document(volume, reader_of(self), placed=False, new=True)
        return Response({"volume": document}, status=202)


def _hints_of(body: Mapping[str, Any]) -> Any:
    """Return the hints of a body; they stand beside the volume, and with some clients within."""
    return next((body[name] for name in HINTS if body.get(name) is not None), None)


class Summary(VolumeView):
    policy = {"GET": "volume:list"}
    described = {"GET": Does({200: one("volume-summary", VOLUMES_SUMMARY)}, query=NARROWED)}
    since = Version(3, 12)

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """Tell how many volumes there are, how large they are together, and what their metadata say."""
        found = filtering.narrow(self, visible(self), FILTERS)
        summary = found.aggregate(total_count=Count("pk"), total_size=Coalesce(Sum("size"), 0))
        if self.at_least(36):
            summary["metadata"] = metadata_of(found)
        return Response({"volume-summary": summary})


def metadata_of(volumes: QuerySet[Volume]) -> dict[str, list[str]]:
    """Return each key of the volumes' metadata with its values."""
    found: dict[str, list[str]] = {}
    said = volumes.exclude(metadata={}).values_list("metadata", flat=True).distinct()
    for metadata in said.order_by("metadata").iterator():
        for key, value in metadata.items():
            values = found.setdefault(key, [])
            if value not in values:
                values.append(value)
    return found


class VolumeDetail(Conditional, VolumeView):
    policy = {"GET": "volume:get", "PUT": "volume:update", "DELETE": "volume:delete"}
    described = {
        "GET": Does({200: ONE}),
        "PUT": Does({200: ONE}, takes=wrapped("volume", VolumeChange)),
        "DELETE": Does({202: None}, query=(*truths("cascade"), *truths("force", since="3.23"))),
    }
    dry_runs = frozenset({"DELETE"})

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show a volume, by id alone."""
        volume = find_volume(self.caller, ident)
        return self.show(volume, {"volume": volume_document(volume, reader_of(self))})

    def put(self, request: Request, ident: str) -> Response:
        """Change what the volume is called."""
        body = validated(VolumeChange(data=unwrapped(request, "volume")))
        volume = find_volume(self.caller, ident)
        volume = actions.update(volume, body, expected=self.expected)
        return self.show(volume, {"volume": volume_document(volume, reader_of(self), placed=False)})

    def delete(self, request: Request, ident: str) -> Response:
        """Accept the volume's end."""
        cascade = truth(request, "cascade")
        force = self.at_least(23) and truth(request, "force")
        if force:
            policy.enforce(self.caller, "volume:force_delete")
        volume = find_volume(self.caller, ident)
        actions.delete(
            self.caller, self.request_id, volume, cascade=cascade, force=force, expected=self.expected
        )
        return Response(status=202)


class EncryptionOfVolume(Conditional, VolumeView):
    policy = {"GET": "volume:get"}
    described = {"GET": Does({200: one("encryption_key_id", NULL)})}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Tell compute, which asks for it of each volume, that this one needs no key."""
        return self.show(find_volume(self.caller, ident), {"encryption_key_id": None})
