"""The description of a service: OpenAPI 3.1, the same bytes for the same code."""

from __future__ import annotations

import http
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from api.openapi import texts
from api.openapi.methods import Body, Parameter
from api.openapi.operations import Operation, operations
from api.openapi.routes import Route, routes
from api.openapi.schemas import OPTIONAL, Named, Schema
from api.versions import Service

OPENAPI: Final = "3.1.0"
TOKEN: Final = "X-Auth-Token"  # noqa: S105 - a header's name
PATCH_TYPE: Final = "application/json-patch+json"


@cache
def document_of(service: Service) -> bytes:
    """Return the description of a service, as JSON. It is made once in a process."""
    return json.dumps(describe(service), separators=(",", ":"), ensure_ascii=False).encode()


def describe(service: Service) -> dict[str, Any]:
    """Return the description of a service.

    :raises NotDescribedError: a view does not say what one of its methods takes and answers.
    :raises ValueError: two different schemas have one name.
    """
    return _Description(service).document()


class _Description:
    """A description while it is made: what has a name is put among the components as it is met."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.schemas: dict[str, Any] = {}
        self.parameters: dict[str, Any] = {}
        self.statuses: set[int] = set()

    def document(self) -> dict[str, Any]:
        paths = {route.path: self.path(route) for route in routes(self.service)}
        error = texts.error_schema(self.service)
        self.schemas["Error"] = self.emit(error)
        return {
            "openapi": OPENAPI,
            "info": texts.info(self.service),
            "security": [{"token": []}],
            "tags": [{"name": name} for name in sorted({tag_of(path, self.service) for path in paths})],
            "paths": paths,
            "components": {
                "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": TOKEN}},
                "parameters": dict(sorted(self.parameters.items())),
                "responses": {str(status): texts.refusal(status) for status in sorted(self.statuses)},
                "schemas": dict(sorted(self.schemas.items())),
            },
        }

    def path(self, route: Route) -> dict[str, Any]:
        item: dict[str, Any] = {}
        if route.parameters:
            item["parameters"] = [
                {
                    "name": name,
                    "in": "path",
                    "required": True,
                    "description": texts.PATH.get(name, "An id."),
                    "schema": {"type": "string", "pattern": "^[^/\\x00]+$"},
                }
                for name in route.parameters
            ]
        for operation in operations(route.view):
            item[operation.method.lower()] = self.operation(route, operation)
        return item

    def operation(self, route: Route, operation: Operation) -> dict[str, Any]:
        view, method = operation.view, operation.method
        told: dict[str, Any] = {
            "tags": [tag_of(route.path, self.service)],
            "operationId": f"{method.lower()}{re.sub('[^a-zA-Z0-9]+', '_', route.path).rstrip('_')}",
            "summary": texts.summary(view, method),
            "description": texts.needs(operation),
        }
        if view.since is not None:
            told["x-openstack"] = {"min-ver": str(view.since)}
        if operation.is_open:
            told["security"] = []
        if operation.parameters:
            told["parameters"] = [self.parameter(each) for each in operation.parameters]
        if operation.body is not None:
            told["requestBody"] = self.body(operation.body)
        told["responses"] = {
            str(status): self.answer(status, schema, operation.does.media)
            for status, schema in operation.answers.items()
        }
        for status in operation.refusals(addressed=bool(route.parameters)):
            self.statuses.add(status)
            told["responses"].setdefault(str(status), {"$ref": f"#/components/responses/{status}"})
        told["responses"] = dict(sorted(told["responses"].items()))
        return told

    def parameter(self, parameter: Parameter) -> dict[str, Any]:
        """Return a parameter of the query, or the reference to a header, which are the same everywhere."""
        whole = {**parameter.document, "schema": self.emit(parameter.schema)}
        if parameter.where != "header":
            return whole
        self.parameters[parameter.name] = whole
        return {"$ref": f"#/components/parameters/{parameter.name}"}

    def body(self, body: Body) -> dict[str, Any]:
        content = {"schema": self.emit(body.schema)}
        kinds = (PATCH_TYPE, "application/json") if body.patch else ("application/json",)
        return {"required": body.required, "content": dict.fromkeys(kinds, content)}

    def answer(self, status: int, schema: Schema | None, media: str) -> dict[str, Any]:
        told: dict[str, Any] = {"description": http.HTTPStatus(status).phrase}
        if schema is not None:
            told["content"] = {media: {"schema": self.emit(schema)}}
        return told

    def emit(self, schema: Any) -> Any:
        """Return a schema as it stands in the description: what has a name is referred to."""
        if isinstance(schema, Named):
            inner = self.emit(dict(schema))
            if self.schemas.setdefault(schema.name, inner) != inner:
                raise ValueError(f"Two different schemas are called {schema.name}.")
            return {"$ref": f"#/components/schemas/{schema.name}"}
        if isinstance(schema, Mapping):
            return {key: self.emit(value) for key, value in schema.items() if key != OPTIONAL}
        return [self.emit(each) for each in schema] if isinstance(schema, list | tuple) else schema


def tag_of(path: str, service: Service) -> str:
    """Return the word under which a path is found: its collection."""
    words = [word for word in path.removeprefix(service.prefix).split("/") if word]
    return words[1] if len(words) > 1 else "discovery"
