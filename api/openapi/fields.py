"""What serializers take, as schemas: read off their fields, so that nothing has to be kept equal by hand.

A field of our own says in `schema` what it takes, beside the code that takes it; a framework's is known here. A schema
takes whatever the field does, and perhaps more: what no schema tells, such as which of two keys must be there, the
serializer refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from api.fields import StrictSerializer
from api.openapi.schemas import Named, Schema, array, maybe

Field = serializers.Field[Any, Any, Any, Any]


def schema_of(serializer: serializers.BaseSerializer[Any], *, partial: bool = False) -> Schema:
    """Return the schema of the bodies that a serializer takes, under its name if it has one."""
    assert isinstance(serializer, serializers.Serializer)  # noqa: S101 - for the types
    fields = {name: field for name, field in serializer.fields.items() if not field.read_only}
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {name: field_schema(field) for name, field in fields.items()}
    needed = [name for name, field in fields.items() if field.required and not partial]
    if needed:
        schema["required"] = needed
    if isinstance(serializer, StrictSerializer):
        schema["additionalProperties"] = False
    told = (type(serializer).__dict__.get("__doc__") or "").strip().partition("\n")[0]
    if told:
        schema["description"] = told
    if type(serializer).__name__.startswith("_"):  # a part of another, and nobody's name
        return schema
    return Named(("Changed" if partial else "") + name_of(serializer), schema)


def name_of(serializer: serializers.BaseSerializer[Any]) -> str:
    """Return the name by which bodies of a serializer are described."""
    alike = getattr(serializer, "alike", None)
    of = "" if alike is None else str(getattr(alike, "bay", alike)).capitalize()
    own = type(serializer).__name__.removesuffix("Serializer").removesuffix("Input")
    return f"{of}{own}Input"


def field_schema(field: Field) -> Schema:
    """Return the schema of what a field takes."""
    said: Schema | None = getattr(field, "schema", None)
    schema = _known(field) if said is None else said
    if field.default is not serializers.empty and not callable(field.default):
        schema = {**schema, "default": field.default}
    return maybe(schema) if field.allow_null else schema


def _known(field: Field) -> Schema:
    """Return the schema of a framework's field."""
    match field:
        case serializers.BaseSerializer():
            return schema_of(field)
        case serializers.ChoiceField():
            return {"type": "string", "enum": [str(choice) for choice in field.choices]}
        case serializers.ListField():
            least = field.min_length if field.allow_empty else max(1, field.min_length or 0)
            child = field.child
            items = {} if type(child).__name__ == "_UnvalidatedField" else field_schema(child)
            return array(items, **_bounds(minItems=least, maxItems=field.max_length))
        case serializers.DictField():
            return {"type": "object"}
        case serializers.CharField():
            least = field.min_length or (0 if field.allow_blank else 1)
            return {
                "type": "string",
                **_bounds(minLength=least or None, maxLength=field.max_length),
                **_pattern(field),
            }
    raise TypeError(f"{type(field).__name__} says in no `schema` what it takes, and is not known here.")


def _pattern(field: Field) -> Schema:
    """Return the pattern that a field's text must match, in JavaScript's form."""
    if not isinstance(field, serializers.RegexField):
        return {}
    regex: Any = next(each.regex for each in field.validators if hasattr(each, "regex"))
    return {"pattern": regex.pattern.replace(r"\Z", "$")}


def _bounds(**limits: int | None) -> Mapping[str, int]:
    return {name: limit for name, limit in limits.items() if limit is not None}
