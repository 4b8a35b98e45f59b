"""/default-types: the types that projects have of their own for volumes for which none is asked."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, wrapped
from api.openapi.schemas import listed
from api.preconditions import ANY, Conditional
from api.versions import Version
from volumes.actions import default_types
from volumes.documents import one
from volumes.documents.catalog import DEFAULT_TYPE
from volumes.models import DefaultType
from volumes.serializers.types import DefaultTypeInput, default_type_document
from volumes.views.base import VolumeView, unwrapped, validated


class DefaultTypes(VolumeView):
    since = Version(3, 62)
    policy = {"GET": "default_type:get"}
    described = {"GET": Does({200: listed("default_types", DEFAULT_TYPE)})}

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List the projects that have a default type of their own."""
        rows = DefaultType.objects.order_by("pk")
        return Response({"default_types": [default_type_document(default) for default in rows]})


class DefaultTypeDetail(Conditional, VolumeView):
    since = Version(3, 62)
    policy = {"GET": "default_type:get", "PUT": "default_type:change", "DELETE": "default_type:change"}
    described = {
        "GET": Does({200: one("default_type", DEFAULT_TYPE)}),
        "PUT": Does(
            {200: one("default_type", DEFAULT_TYPE)}, takes=wrapped("default_type", DefaultTypeInput)
        ),
        "DELETE": Does({204: None}),
    }

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show a project's own default type."""
        default = default_types.default_of(ident)
        return self.show(default, {"default_type": default_type_document(default)})

    def put(self, request: Request, ident: str) -> Response:
        """Give a project a default type of its own."""
        body = validated(DefaultTypeInput(data=unwrapped(request, "default_type")))
        with self._held(ident):
            default = default_types.set_default(ident, body["volume_type"])
        return Response({"default_type": default_type_document(default)})

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Take a project's own default type away."""
        with self._held(ident):
            default_types.unset_default(ident)
        return Response(status=204)

    def _held(self, ident: str) -> AbstractContextManager[None]:
        """Return what compares the project's default, if a comparison is asked for: without one there need be none.

        :raises NotFound: there is none to compare.
        """
        return nullcontext() if self.expected == ANY else self.holding(default_types.default_of(ident))
