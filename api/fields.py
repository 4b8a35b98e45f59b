"""Serializer fields that take what OpenStack's clients send and nothing that merely resembles it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from api.parsing import INT64

_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
MAX_LABELS: Final = 256
MAX_LABEL: Final = 4096
TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_WORDS: Final = (
    "^("
    + "|".join("".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in w) for w in sorted(TRUE | FALSE))
    + ")$"
)


class Integer(serializers.IntegerField):
    """A whole number, or its digits as text; never a truth value or a fraction."""

    @property
    def schema(self) -> dict[str, Any]:
        limits = {"minimum": self.min_value, "maximum": self.max_value}
        number = {"type": "integer", **{name: limit for name, limit in limits.items() if limit is not None}}
        return {"anyOf": [number, {"type": "string", "pattern": "^-?[0-9]{1,19}$"}]}

    def to_internal_value(self, data: Any) -> int:
        """Return the number."""
        if isinstance(data, str) and _INTEGER.fullmatch(data):
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int) or data not in INT64:
            self.fail("invalid")
        return data


class Boolean(serializers.BooleanField):
    """true or false, or OpenStack's words for it in any case (clients send `"True"`; users type `public=yes`)."""

    numbers = False
    """Whether 0 and 1 are taken as well."""

    @property
    def schema(self) -> dict[str, Any]:
        taken: list[dict[str, Any]] = [{"type": "boolean"}, {"type": "string", "pattern": _WORDS}]
        return {"anyOf": [*taken, *([{"enum": [0, 1]}] if self.numbers else [])]}

    def to_internal_value(self, data: Any) -> bool:
        """Return the truth value."""
        taken = str | int if self.numbers else str | bool
        word = str(data).lower() if isinstance(data, taken) else ""
        if word not in TRUE | FALSE:
            self.fail("invalid", input=str(data)[:64])
        return word in TRUE


class Truth(Boolean):
    """The same, or the numbers 0 and 1: as Magnum takes it."""

    numbers = True


class Text(serializers.CharField):
    """Text as it was sent; a number is not text. Give a `max_length`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Reference(Text):
    """The id or name of something else; empty text means none, as `"keypair_id": ""` does."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{"allow_blank": True, "allow_null": True, "required": False, "max_length": 255, **kwargs}
        )

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Return the reference, or None for empty text."""
        value = super().run_validation(data)
        return None if value == "" else value


class Labels(serializers.Field[dict[str, str], Any, dict[str, str], Any]):
    """A flat object of text by text; numbers and truth values are kept as their text, as in Magnum."""

    schema = {
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean"]},
        "maxProperties": MAX_LABELS,
    }
    default_error_messages = {
        "invalid": "Expected an object whose values are text, numbers or truth values.",
        "many": f"More than {MAX_LABELS} labels.",
        "long": f"A label's key is longer than 255 characters or its value longer than {MAX_LABEL}.",
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the labels, all text."""
        if not isinstance(data, Mapping) or not all(
            isinstance(key, str) and isinstance(value, str | int | float) for key, value in data.items()
        ):
            self.fail("invalid")
        if len(data) > MAX_LABELS:
            self.fail("many")
        labels = {key: str(value) for key, value in data.items()}
        if any(len(key) > 255 or len(value) > MAX_LABEL for key, value in labels.items()):  # noqa: PLR2004
            self.fail("long")
        return labels

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        """Return the labels."""
        return value


class Input(serializers.Serializer[Any]):
    """A body. Its fields are made once for all requests: DRF would copy each of them for each."""

    @property
    def alike(self) -> object:
        """What tells serializers of this class apart whose fields are not the same."""
        return None

    @property
    def fields(self) -> Any:
        """Return the fields; a partial body has its own, since they ask the serializer that they belong to."""
        if self.partial:
            return self.__dict__.get("fields") or super().fields
        made = _made.get((type(self), self.alike))
        if made is None:
            made = _made[type(self), self.alike] = super().fields
        return made

    @property
    def _writable_fields(self) -> Any:
        """Return the fields that there is something to do for: those that may be left out, and are, cost nothing."""
        data = getattr(self, "initial_data", {})
        return [
            field
            for name, field in self.fields.items()
            if not field.read_only
            and (name in data or field.required or field.default is not serializers.empty)
        ]


_made: dict[tuple[type, object], Any] = {}


class StrictSerializer(Input):
    """A serializer that refuses what it does not know, by name, instead of dropping it."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values.

        :raises ValidationError: a key is no writable field of this serializer, or a value is wrong.
        """
        if isinstance(data, Mapping):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(str(key)[:64] for key in data if key not in writable)
            if unknown:
                names = ", ".join(unknown[:10])
                raise serializers.ValidationError({"non_field_errors": [f"Unknown attribute: {names}."]})
        return super().to_internal_value(data)
