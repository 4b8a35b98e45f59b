"""/types, with extra_specs, os-volume-type-access and the actions of a type."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, sorted_pages, texts, wrapped
from api.pages import paginate_by_sort
from api.preconditions import Conditional
from api.problems import BadRequest
from identity import policy
from volumes.actions import types, typing
from volumes.documents import one
from volumes.documents.catalog import ACCESS, BRIEF_TYPE, SPECS, TYPE, TYPES
from volumes.models import VolumeType
from volumes.models.types import TypeQuerySet
from volumes.serializers.types import (
    USER_VISIBLE,
    AccessInput,
    Specs,
    TypeChanges,
    TypeInput,
    access_document,
    brief_type,
    type_document,
    visible_specs,
)
from volumes.views.acting import Action, ActionView, described
from volumes.views.base import VolumeView, unwrapped, validated
from volumes.views.filtering import NOTHING, truth_of

SORT_KEYS = {
    "id": "pk",
    "name": "name",
    "description": "description",
    "is_public": "is_public",
    "created_at": "created_at",
    "updated_at": "updated_at",
}
FILTERED_BY_SPECS = 52  # since this minor version
LONGEST = 2048  # characters of extra specs in a query


class TypeView(VolumeView):
    @property
    def sees_all(self) -> bool:
        return policy.allows(self.caller, "type:get_all")

    def find(self, ident: str) -> VolumeType:
        """Return the type with this id.

        :raises NotFound: there is none that the caller may see.
        """
        return types.find(self.caller, ident)


class Types(TypeView):
    policy = {"GET": "type:list", "POST": "type:change"}
    described = {
        "GET": Does(
            {200: TYPES},
            query=(
                *sorted_pages(SORT_KEYS),
                *texts("is_public"),
                *texts("extra_specs", since=f"3.{FILTERED_BY_SPECS}"),
            ),
        ),
        "POST": Does({200: one("volume_type", TYPE)}, takes=wrapped("volume_type", TypeInput)),
    }

    def get(self, request: Request) -> Response:
        """List the types that the caller may use; admins see others by `is_public=false`, all by `is_public=none`."""
        visible = types.visible(self.caller)
        page = paginate_by_sort(request, self._narrowed(visible), sort_keys=SORT_KEYS, markers=visible)
        rows = [type_document(kind, all_specs=self.sees_all) for kind in page.rows]
        document: dict[str, object] = {"volume_types": rows}
        if page.links:
            document["volume_type_links"] = page.links
        return Response(document)

    def post(self, request: Request) -> Response:
        """Make a type."""
        kind = types.create(**validated(TypeInput(data=unwrapped(request, "volume_type"))))
        document = type_document(kind, all_specs=True)
        del document["qos_specs_id"]  # as in Cinder: shown, but not told to who makes one
        return Response({"volume_type": document})

    def _narrowed(self, kinds: TypeQuerySet) -> TypeQuerySet:
        query = self.request.query_params
        public = query.get("is_public", "true")
        if self.sees_all and public.strip().lower() not in ("none", ""):
            wanted = truth_of(public)
            project = self.caller.project_id
            own = kinds.visible_to(project) if wanted and project else kinds.filter(is_public=wanted)
            kinds = own
        if "extra_specs" in query and self.at_least(FILTERED_BY_SPECS):
            kinds = kinds.filter(self._having(_specs_of(query["extra_specs"])))
        return kinds

    def _having(self, specs: dict[str, str]) -> Q:
        """Return the condition that types have these specs; who may not see one finds nothing by it."""
        if not self.sees_all and not specs.keys() <= set(USER_VISIBLE):
            return NOTHING
        return Q(extra_specs__contains=specs)


class TypeDetail(TypeView, Conditional):
    policy = {"GET": "type:get", "PUT": "type:change", "DELETE": "type:change"}
    described = {
        "GET": Does({200: one("volume_type", TYPE)}),
        "PUT": Does({200: one("volume_type", BRIEF_TYPE)}, takes=wrapped("volume_type", TypeChanges)),
        "DELETE": Does({202: None}),
    }

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show a type."""
        kind = self.find(ident)
        return self.show(kind, {"volume_type": type_document(kind, all_specs=self.sees_all)})

    def put(self, request: Request, ident: str) -> Response:
        """Change a type's name, description or publicity."""
        body = validated(TypeChanges(data=unwrapped(request, "volume_type")))
        changes = {name: value for name, value in body.items() if value is not None}
        if not changes:
            raise BadRequest("Specify volume type name, description, is_public or a combination thereof.")
        kind = types.update(self.find(ident), changes, self.expected)
        return self.show(kind, {"volume_type": brief_type(kind, all_specs=True)})

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Delete a type that nothing is of."""
        types.delete(self.find(ident), self.expected)
        return Response(status=202)


class ProjectsDefaultType(TypeView):
    policy = {"GET": "type:get"}
    described = {"GET": Does({200: one("volume_type", TYPE)}, refuses=(404,))}

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """Show the type of the project's volumes for which none is asked."""
        kind = typing.default_type(self.caller.project_id or "")
        return Response({"volume_type": type_document(kind, all_specs=self.sees_all)})


def _give(view: ActionView[VolumeType], kind: VolumeType, values: Mapping[str, Any]) -> None:
    del view
    types.add_access(kind, values["project"])


def _take(view: ActionView[VolumeType], kind: VolumeType, values: Mapping[str, Any]) -> None:
    del view
    types.remove_access(kind, values["project"])


class TypeActions(ActionView[VolumeType]):
    policy = {"POST": "type:change"}
    actions = {
        "addProjectAccess": Action("type:change", _give, AccessInput),
        "removeProjectAccess": Action("type:change", _take, AccessInput),
    }
    described = {"POST": described(actions)}

    def find(self, ident: str) -> VolumeType:
        """Return the type with this id."""
        return types.find(self.caller, ident)


class Access(TypeView):
    policy = {"GET": "type:change"}
    described = {"GET": Does({200: ACCESS})}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """List who may use a private type."""
        access = types.access_of(self.find(ident))
        return Response({"volume_type_access": [access_document(each) for each in access]})


class ExtraSpecs(Conditional, TypeView):
    policy = {"GET": "type:get", "POST": "type:change"}
    described = {
        "GET": Does({200: one("extra_specs", SPECS)}),
        "POST": Does({200: one("extra_specs", SPECS)}, takes=wrapped("extra_specs", Specs.schema)),
    }

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """List a type's extra specs."""
        kind = self.find(ident)
        return self.show(kind, {"extra_specs": visible_specs(kind, all_specs=self.sees_all)})

    def post(self, request: Request, ident: str) -> Response:
        """Set some of a type's extra specs."""
        specs = Specs(spaces=False).run_validation(unwrapped(request, "extra_specs"))
        kind = self.find(ident)
        with self.holding(kind):
            types.set_specs(kind, specs)
        return Response({"extra_specs": specs})


class ExtraSpec(Conditional, TypeView):
    policy = {"GET": "type:get", "PUT": "type:change", "DELETE": "type:change"}
    described = {
        "GET": Does({200: SPECS}),
        "PUT": Does({200: SPECS}, takes=Specs.schema),
        "DELETE": Does({202: None}),
    }

    def get(self, request: Request, ident: str, key: str) -> Response:  # noqa: ARG002
        """Show one extra spec."""
        kind = self.find(ident)
        specs = visible_specs(kind, all_specs=self.sees_all)
        return self.show(kind, {key: types.require_spec(kind, key, specs)})

    def put(self, request: Request, ident: str, key: str) -> Response:
        """Set one extra spec; the body names it as the path does."""
        specs = Specs(spaces=False).run_validation(request.data)
        kind = self.find(ident)
        if set(specs) != {key}:
            raise BadRequest("The body must hold the one extra spec that the path names, and its value.")
        with self.holding(kind):
            types.set_specs(kind, specs)
        return Response(specs)

    def delete(self, request: Request, ident: str, key: str) -> Response:  # noqa: ARG002
        """Delete one extra spec."""
        kind = self.find(ident)
        with self.holding(kind):
            types.delete_spec(kind, key)
        return Response(status=202)


def _specs_of(text: str) -> dict[str, str]:
    """Return the object that a query's text spells; Cinder's clients send their dict as Python prints it.

    :raises BadRequest: it is none.
    """
    try:
        found = ast.literal_eval(text) if len(text) <= LONGEST else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadRequest("Invalid filter: extra_specs must be an object of text by text.")
    return dict(Specs().run_validation(found))
