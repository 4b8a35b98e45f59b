"""Fields and forms that the bodies of /volume share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rest_framework import serializers

from api.fields import Text
from volumes.actions.guarding import as_id

MAX_ITEMS: Final = 128
MAX_TEXT: Final = 255


def moment(value: datetime | None) -> str | None:
    """Return a time as Cinder writes it: UTC, to the microsecond, without a zone."""
    return None if value is None else f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"


class Words(Text):
    """A name or a description: null is empty text."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{"allow_blank": True, "allow_null": True, "required": False, "max_length": MAX_TEXT, **kwargs}
        )

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Return the text."""
        value = super().run_validation(data)
        return "" if value is None else value


class Ident(Text):
    """An id, as text."""

    default_error_messages = {"no_id": "Expected an id."}

    def to_internal_value(self, data: Any) -> str:
        """Return the id."""
        text = super().to_internal_value(data)
        if as_id(text) is None:
            self.fail("no_id")
        return text


class Metadata(serializers.Field[dict[str, str], Any, dict[str, str], Any]):
    """A flat object of text by text; null is empty."""

    schema: Final = {
        "type": ["object", "null"],
        "additionalProperties": {"type": "string", "maxLength": MAX_TEXT},
        "propertyNames": {"minLength": 1, "maxLength": MAX_TEXT},
        "maxProperties": MAX_ITEMS,
    }

    default_error_messages = {
        "invalid": f"Expected an object of text by text: keys of 1 to {MAX_TEXT} characters, values of no more.",
        "many": f"More than {MAX_ITEMS} items.",
    }

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Return the metadata."""
        return super().run_validation({} if data is None else data)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the metadata."""
        if not isinstance(data, Mapping):
            self.fail("invalid")
        for key, value in data.items():
            fits = isinstance(key, str) and isinstance(value, str)
            if not fits or not 1 <= len(key) <= MAX_TEXT or len(value) > MAX_TEXT:
                self.fail("invalid")
        if len(data) > MAX_ITEMS:
            self.fail("many")
        return dict(data)

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        """Return the metadata."""
        return value


class MetadataInput(serializers.Serializer[Any]):
    """Metadata alone."""

    metadata = Metadata()


class NotOffered(serializers.Field[None, Any, None, Any]):
    """What Cinder would take here and we do not: only null (or empty text) is accepted."""

    schema: Final = {"enum": [False, ""]}

    def __init__(self, why: str) -> None:
        super().__init__(required=False, allow_null=True, error_messages={"invalid": why})

    def to_internal_value(self, data: Any) -> None:
        """Refuse what asks for it."""
        if data is not False and data != "":
            self.fail("invalid")
