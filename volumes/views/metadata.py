"""/volumes/{id}/metadata and /snapshots/{id}/metadata, as a whole and item by item."""

from __future__ import annotations

from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does
from api.preconditions import Conditional
from api.problems import BadRequest, NotFound
from volumes.actions import metadata
from volumes.actions.guarding import find_snapshot, find_volume
from volumes.documents.stored import ITEM, ITEMS, metadata_in
from volumes.models import Snapshot, Volume
from volumes.serializers.fields import MetadataInput
from volumes.views.base import VolumeView, unwrapped, validated

OF_VOLUMES: Final = {
    "GET": "volume:get",
    "POST": "volume:update",
    "PUT": "volume:update",
    "DELETE": "volume:update",
}
OF_SNAPSHOTS: Final = {
    "GET": "snapshot:get",
    "POST": "snapshot:update",
    "PUT": "snapshot:update",
    "DELETE": "snapshot:update",
}


class MetadataView(Conditional, VolumeView):
    """The metadata of what the route's view finds."""

    snapshots = False

    def find(self, ident: str) -> Any:
        return (find_snapshot if self.snapshots else find_volume)(self.caller, ident)

    def answer(self, row: Volume | Snapshot) -> Response:
        return self.show(row, {"metadata": row.metadata})


class AllMetadata(MetadataView):
    policy = {method: rule for method, rule in OF_VOLUMES.items() if method != "DELETE"}
    described = {
        "GET": Does({200: ITEMS}),
        **dict.fromkeys(("POST", "PUT"), Does({200: ITEMS}, takes=metadata_in("metadata"))),
    }

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show the metadata."""
        return self.answer(self.find(ident))

    def post(self, request: Request, ident: str) -> Response:
        """Add to the metadata, or change some."""
        items = _items(request, "metadata")
        row = self.find(ident)
        return self.answer(metadata.change(row, lambda there: there | items, expected=self.expected))

    def put(self, request: Request, ident: str) -> Response:
        """Replace the metadata."""
        items = _items(request, "metadata")
        row = self.find(ident)
        return self.answer(metadata.change(row, lambda _: items, expected=self.expected))


class OneMetadatum(MetadataView):
    policy = {method: rule for method, rule in OF_VOLUMES.items() if method != "POST"}
    described = {
        "GET": Does({200: ITEM}),
        "PUT": Does({200: ITEM}, takes=metadata_in("meta")),
        "DELETE": Does({200: None}),
    }

    def get(self, request: Request, ident: str, key: str) -> Response:  # noqa: ARG002
        """Show one item."""
        row = self.find(ident)
        if key not in row.metadata:
            raise NotFound(f"There is no metadata item {key[:255]}.")
        return self.show(row, {"meta": {key: row.metadata[key]}})

    def put(self, request: Request, ident: str, key: str) -> Response:
        """Add or change one item."""
        items = _items(request, "meta")
        if list(items) != [key]:
            raise BadRequest("The body must name the item that the path names, and no other.")
        row = metadata.change(self.find(ident), lambda there: there | items, expected=self.expected)
        return self.show(row, {"meta": items})

    def delete(self, request: Request, ident: str, key: str) -> Response:  # noqa: ARG002
        """Take one item away."""
        metadata.change(self.find(ident), metadata.without(key), expected=self.expected)
        return Response(status=200)


class AllSnapshotMetadata(AllMetadata):
    policy = {method: OF_SNAPSHOTS[method] for method in AllMetadata.policy}
    snapshots = True


class OneSnapshotMetadatum(OneMetadatum):
    policy = {method: OF_SNAPSHOTS[method] for method in OneMetadatum.policy}
    snapshots = True


def _items(request: Request, wrapped_in: str) -> dict[str, str]:
    """Return the items that the body wraps in this key."""
    body = {"metadata": unwrapped(request, wrapped_in)}
    items: dict[str, str] = validated(MetadataInput(data=body))["metadata"]
    return items
