"""What documents are described with: JSON Schema, by a few words.

An object is closed and whole: what it may lack is `optional`, what a microversion brought is `since`. So an answer with
a key too many, or one too few in its version, is not as described, and the tests say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from api.versions import Version

Schema = Mapping[str, Any]

SINCE: Final = "x-openstack"  # as OpenStack's own descriptions say which version brought something
OPTIONAL: Final = "x-optional"  # ours, and taken out of what is shown

TEXT: Final[Schema] = {"type": "string"}
INTEGER: Final[Schema] = {"type": "integer"}
NUMBER: Final[Schema] = {"type": "number"}
BOOLEAN: Final[Schema] = {"type": "boolean"}
NULL: Final[Schema] = {"type": "null"}
ANYTHING: Final[Schema] = {}
OBJECT: Final[Schema] = {"type": "object"}
ID: Final[Schema] = {"type": "string", "format": "uuid"}
MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
URL: Final[Schema] = {"type": "string", "format": "uri"}


class Named(dict[str, Any]):
    """A schema that has a name: it stands once in the description, and is referred to."""

    def __init__(self, name: str, schema: Schema) -> None:
        super().__init__(schema)
        self.name = name


def one_of(values: Iterable[object], **more: object) -> Schema:
    """Return the schema of one of a few texts."""
    return {"type": "string", "enum": [str(value) for value in values], **more}


def const(value: object) -> Schema:
    return {"const": value}


def array(items: Schema, **more: object) -> Schema:
    return {"type": "array", "items": items, **more}


def mapping(values: Schema, **more: object) -> Schema:
    """Return the schema of an object whose keys are the user's."""
    return {"type": "object", "additionalProperties": values, **more}


def maybe(schema: Schema) -> Schema:
    """Return the schema of what may also be null."""
    if isinstance(schema.get("type"), str) and "enum" not in schema and not isinstance(schema, Named):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, NULL]}


def optional(schema: Schema, why: str = "") -> Schema:
    """Return the schema of a property that is not always there, and when it is."""
    return _with(schema, {OPTIONAL: True, **({"description": why} if why else {})})


def since(version: str, schema: Schema) -> Schema:
    """Return the schema of a property that a microversion brought."""
    return _with(schema, {SINCE: {"min-ver": version}})


def obj(properties: Mapping[str, Schema], **more: object) -> dict[str, Any]:
    """Return the schema of an object with these properties and no others."""
    needed = [name for name, schema in properties.items() if SINCE not in schema and OPTIONAL not in schema]
    whole: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return whole | ({"required": needed} if needed else {}) | more


def extended(schema: Schema, properties: Mapping[str, Schema]) -> dict[str, Any]:
    """Return an object's schema with further properties."""
    return obj({**schema["properties"], **properties})


def without(schema: Schema, *names: str) -> dict[str, Any]:
    """Return an object's schema without some properties."""
    return obj({name: each for name, each in schema["properties"].items() if name not in names})


LINK: Final = Named("Link", obj({"rel": TEXT, "href": URL}))
LINKS: Final = array(LINK)


def listed(key: str, item: Schema, **more: Schema) -> dict[str, Any]:
    """Return the schema of a list that is whole."""
    return obj({key: array(item), **more})


def paged(key: str, item: Schema) -> dict[str, Any]:
    """Return the schema of a page of a list, as Magnum's clients know it."""
    return listed(key, item, next=optional(URL, "The next page; not there on the last one."))


def as_of(schema: Schema, version: Version | None) -> dict[str, Any]:
    """Return the schema as it holds in a microversion: what a later one brought is not there, all else is needed."""
    told = {key: _as_of(value, version) for key, value in schema.items() if key != OPTIONAL}
    properties: Mapping[str, Schema] = schema.get("properties", {})
    if schema.get("type") != "object" or version is None:
        return told
    arrived = {name: _brought(each) for name, each in properties.items() if isinstance(each, Mapping)}
    late = {name for name, brought in arrived.items() if brought and version < brought}
    if "properties" in told:
        told["properties"] = {name: each for name, each in told["properties"].items() if name not in late}
        now = [
            name
            for name, brought in arrived.items()
            if brought and name not in late and OPTIONAL not in properties[name]
        ]
        told["required"] = [*told.get("required", []), *now]
    return told


def _as_of(value: Any, version: Version | None) -> Any:
    if isinstance(value, Mapping):
        return as_of(value, version)
    return [_as_of(each, version) for each in value] if isinstance(value, list) else value


def _brought(schema: Schema) -> Version | None:
    said = schema.get(SINCE)
    return Version(*map(int, said["min-ver"].split("."))) if isinstance(said, Mapping) else None


def _with(schema: Schema, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with something said beside it; a named one stays one to be referred to."""
    return {"allOf": [schema], **more} if isinstance(schema, Named) else {**schema, **more}
