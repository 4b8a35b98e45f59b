"""Volume types, their extra specs, encryption and access on the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from django.core.validators import RegexValidator
from rest_framework import serializers

from api.fields import Integer, Text
from volumes.models import DefaultType, Encryption, TypeAccess, VolumeType
from volumes.serializers.fields import moment

USER_VISIBLE: Final = ("RESKEY:availability_zones", "multiattach", "replication_enabled")
MAX_SPECS: Final = 256
_TRUE: Final = frozenset({"true", "1", "on", "yes", "y", "t"})
_FALSE: Final = frozenset({"false", "0", "off", "no", "n", "f"})


class Truth(serializers.BooleanField):
    """true or false, or one of the words for them."""

    schema: Final = {"anyOf": [{"type": "boolean"}, {"type": "string", "maxLength": 5}]}

    def to_internal_value(self, data: Any) -> bool:
        """Return the truth value."""
        word = data.lower() if isinstance(data, str) else data
        if not isinstance(word, bool) and not (isinstance(word, str) and word in _TRUE | _FALSE):
            self.fail("invalid", input=str(data)[:64])
        return word is True or word in _TRUE


class Specs(serializers.Field[dict[str, str], Any, dict[str, str], Any]):
    """A flat object of text by key. A key without a value (null) says nothing and is left out."""

    schema: Final = {
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "null"]},
        "propertyNames": {"pattern": r"^[a-zA-Z0-9_:. /-]{1,255}$"},
        "maxProperties": MAX_SPECS,
    }

    default_error_messages = {
        "invalid": "Expected an object whose values are text.",
        "key": "A key is not allowed: letters, digits and {allowed} only, 255 at most.",
        "long": "A value is longer than 255 characters.",
        "many": f"More than {MAX_SPECS} keys.",
    }

    def __init__(self, *, spaces: bool = True, numbers: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._allowed = "-_:. /" if spaces else "-_:."
        self._values = (str, int, float) if numbers else (str,)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the specs, all text."""
        if not isinstance(data, Mapping):
            self.fail("invalid")
        if len(data) > MAX_SPECS:
            self.fail("many")
        key_of = re.compile(f"[a-zA-Z0-9{re.escape(self._allowed)}]{{1,255}}", re.ASCII)
        specs = {}
        for key, value in data.items():
            if not key_of.fullmatch(key):
                self.fail("key", allowed=self._allowed)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, self._values):
                self.fail("invalid")
            if len(str(value)) > 255:  # noqa: PLR2004
                self.fail("long")
            specs[key] = str(value)
        return specs

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        """Return the specs."""
        return value


class TypeName(Text):
    """A name that is more than blanks."""

    default_error_messages = {"blanks": "A name cannot be blank."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=255, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the name."""
        name = super().to_internal_value(data)
        if not name.strip():
            self.fail("blanks")
        return name


class TypeInput(serializers.Serializer[Any]):
    """A type that is asked for."""

    name = TypeName()
    description = Text(max_length=255, allow_blank=True, allow_null=True, required=False)
    extra_specs = Specs(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields, with the one whose name is no identifier."""
        public = Truth(required=False, source="is_public")
        return {**super().get_fields(), "os-volume-type-access:is_public": public}


class TypeChanges(serializers.Serializer[Any]):
    """What changes of a type; null leaves it as it is."""

    name = TypeName(required=False, allow_null=True)
    description = Text(max_length=255, allow_blank=True, allow_null=True, required=False)
    is_public = Truth(required=False, allow_null=True)


class AccessInput(serializers.Serializer[Any]):
    """Whose access to a type is given or taken."""

    project = Text(max_length=64, validators=[RegexValidator(r"^[a-zA-Z0-9_-]+\Z")])


class EncryptionInput(serializers.Serializer[Any]):
    """How volumes of a type are to be encrypted."""

    provider = Text(max_length=255, allow_blank=True)
    control_location = serializers.ChoiceField(["front-end", "back-end"])
    cipher = Text(max_length=255, allow_blank=True, allow_null=True, required=False)
    key_size = Integer(min_value=0, max_value=2**31 - 1, allow_null=True, required=False)


class DefaultTypeInput(serializers.Serializer[Any]):
    """The type that a project's volumes are to have for which none is asked."""

    volume_type = TypeName()


def visible_specs(kind: VolumeType, *, all_specs: bool) -> dict[str, Any]:
    """Return the type's extra specs; without `all_specs`, those that say nothing of what the back-ends are."""
    specs: dict[str, Any] = kind.extra_specs
    return specs if all_specs else {key: specs[key] for key in USER_VISIBLE if key in specs}


def brief_type(kind: VolumeType, *, all_specs: bool) -> dict[str, Any]:
    """Return a type as the answer to a change shows it."""
    return {
        "id": str(kind.pk),
        "name": kind.name,
        "is_public": kind.is_public,
        "description": kind.description,
        "extra_specs": visible_specs(kind, all_specs=all_specs),
    }


def type_document(kind: VolumeType, *, all_specs: bool) -> dict[str, Any]:
    """Return a type as it is shown and listed. What only admins see: all extra specs, and the QoS specs."""
    document = brief_type(kind, all_specs=all_specs) | {"os-volume-type-access:is_public": kind.is_public}
    return document | {"qos_specs_id": kind.qos_id and str(kind.qos_id)} if all_specs else document


def access_document(access: TypeAccess) -> dict[str, str]:
    """Return who may use which type."""
    return {"volume_type_id": str(access.type_id), "project_id": access.project_id}


def default_type_document(default: DefaultType) -> dict[str, str]:
    """Return a project's default type."""
    return {"project_id": default.project_id, "volume_type_id": str(default.type_id)}


def encryption_document(encryption: Encryption) -> dict[str, Any]:
    """Return how a type's volumes are to be encrypted."""
    return {
        "volume_type_id": str(encryption.type_id),
        "encryption_id": str(encryption.pk),
        "provider": encryption.provider,
        "control_location": encryption.control_location,
        "cipher": encryption.cipher,
        "key_size": encryption.key_size,
        "deleted": False,
        "created_at": moment(encryption.created_at),
        "updated_at": moment(encryption.updated_at),
        "deleted_at": None,
    }
