"""What a view says of each of its methods, beside its policy: `described = {"GET": Does(...), ...}`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rest_framework import serializers

from api.openapi.fields import schema_of
from api.openapi.schemas import BOOLEAN, TEXT, Schema, array, obj, optional

Shape = Schema | serializers.BaseSerializer[Any] | type[serializers.BaseSerializer[Any]]
"""A schema, or the serializer that reads such a body."""

TRUTH: Final[Schema] = {"anyOf": [BOOLEAN, {"type": "string", "maxLength": 5}]}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, since a microversion."""

    name: str
    schema: Schema = field(default_factory=lambda: TEXT)
    says: str = ""
    since: str = ""
    required: bool = False
    where: str = "query"

    @property
    def document(self) -> dict[str, Any]:
        said = {"name": self.name, "in": self.where, "required": self.required, "schema": self.schema}
        told = f"{self.says} From {self.since} on." if self.since else self.says
        later = {"x-openstack": {"min-ver": self.since}} if self.since else {}
        return {**said, **({"description": told.strip()} if told else {}), **later}


@dataclass(frozen=True, slots=True)
class Body:
    """A body: its schema, and the serializers that the view has it read by."""

    schema: Schema
    serializers: tuple[type[serializers.BaseSerializer[Any]], ...] = ()
    required: bool = True
    patch: bool = False
    """Whether it may come as a JSON patch under that media type."""


PATCH_ITEM: Final[Schema] = obj(
    {
        "op": {"type": "string", "enum": ["add", "replace", "remove"]},
        "path": {
            "type": "string",
            "pattern": "^/[a-zA-Z0-9_-]{1,255}(/[^/]{1,255})?$",
            "examples": ["/node_count"],
        },
        "value": optional({}, "Not for remove."),
    }
)

Given = Shape | Body
OfView = Callable[[Any], Given]
"""What depends on the view: its dialect, its table of actions."""


@dataclass(frozen=True, slots=True)
class Does:
    """What a method takes and answers.

    `answers` has each status of success and the schema of its document, None where there is none. `refuses` names
    statuses besides those that every such method may answer (see `Operation.refusals`). `media` is what an answer is
    that is not JSON, such as a stream.
    """

    answers: Mapping[int, Schema | Callable[[Any], Schema] | None]
    takes: Given | OfView | None = None
    query: tuple[Parameter, ...] = ()
    refuses: tuple[int, ...] = ()
    headers: tuple[Parameter, ...] = ()
    media: str = "application/json"


def body_of(given: Given | OfView | None, view: Any) -> Body | None:
    """Return what a method takes, as a body."""
    if isinstance(given, type):
        return body_of(given(), view)
    if callable(given):
        return body_of(given(view), view)
    if isinstance(given, serializers.BaseSerializer):
        return Body(schema_of(given), (type(given),))
    if given is None or isinstance(given, Body):
        return given
    return Body(given)


def answer_of(answer: Schema | Callable[[Any], Schema] | None, view: Any) -> Schema | None:
    """Return the schema of an answer."""
    return answer(view) if callable(answer) else answer


def wrapped(key: str, inner: Shape, *, strict: bool = False, partial: bool = False) -> Body:
    """Return a body that holds what a serializer reads under one key; unless `strict`, other keys are passed over."""
    read = inner() if isinstance(inner, type) else inner
    if isinstance(read, serializers.BaseSerializer):
        whole = obj({key: schema_of(read, partial=partial)})
        return Body({**whole, "additionalProperties": not strict}, (type(read),))
    return Body({**obj({key: read}), "additionalProperties": not strict})


def patch_of(*by: type[serializers.BaseSerializer[Any]], empty: bool = False) -> Body:
    """Return a body that is a JSON patch by Magnum's rules; what it changes is read by serializers."""
    return Body(array(PATCH_ITEM, maxItems=1000, **({} if empty else {"minItems": 1})), by, patch=True)


def truths(*names: str, says: str = "", since: str = "") -> tuple[Parameter, ...]:
    """Return parameters that are truth values."""
    return tuple(Parameter(name, TRUTH, says, since) for name in names)


def texts(*names: str, since: str = "") -> tuple[Parameter, ...]:
    """Return parameters that are texts."""
    return tuple(Parameter(name, since=since) for name in names)


def pages(sort_keys: Iterable[str]) -> tuple[Parameter, ...]:
    """Return the parameters of a list that Magnum's clients ask for in pages."""
    return (
        Parameter("limit", {"type": "integer", "minimum": 1}, "The most rows of a page."),
        Parameter("marker", TEXT, "The last row of the page before."),
        Parameter("sort_key", {"type": "string", "enum": sorted(sort_keys)}),
        Parameter("sort_dir", {"type": "string", "enum": ["asc", "desc"]}),
    )


def sorted_pages(sort_keys: Iterable[str]) -> tuple[Parameter, ...]:
    """Return the parameters of a list that Cinder's clients ask for in pages."""
    keys = sorted(sort_keys)
    one = rf"\s*({'|'.join(keys)})\s*(:\s*(asc|desc)?\s*)?"
    return (
        Parameter("limit", {"type": "integer", "minimum": 0}, "The most rows of a page."),
        Parameter("offset", {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}),
        Parameter("marker", TEXT, "The last row of the page before."),
        Parameter(
            "sort",
            {"type": "string", "pattern": f"^{one}(,{one})*$", "examples": [f"{keys[0]}:asc"]},
            f"Keys, each with a direction if it is not to descend: {', '.join(keys)}.",
        ),
        Parameter(
            "sort_key", {"type": "string", "enum": keys}, "An older word, as is sort_dir: not beside sort."
        ),
        Parameter("sort_dir", {"type": "string", "enum": ["asc", "desc"]}),
    )
