"""What clients send about projects and users, read strictly: an attribute that would be dropped is refused.

Clients also send attributes that have but one possible value here (the domain, no tags, no options). Those are
taken with that value, and left out of what is validated.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.fields import SkipField, empty

from api import fields
from api.problems import BadRequest
from identity.logins import MAX_PASSWORD
from identity.models import DOMAIN, Project, Role, User

S = TypeVar("S", bound=serializers.Serializer[Any])
MAX_DESCRIPTION = 4096
MOMENTS: Final = (datetime(1970, 1, 2, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


class _Only(serializers.Field[Any, Any, Any, Any]):
    """An attribute that is taken with one of a few values, which say nothing."""

    default_error_messages = {"other": "Only {possible} is possible here."}

    def __init__(self, *possible: Any) -> None:
        super().__init__(required=False)
        self.possible = possible

    @property
    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.possible)}

    def run_validation(self, data: Any = empty) -> Any:
        """Skip the field.

        :raises ValidationError: the value would say something.
        """
        known = any(type(data) is type(value) and data == value for value in self.possible)
        if data is not empty and not known:
            self.fail("other", possible=json.dumps(self.possible[0]))
        raise SkipField


class _NewPassword(fields.Text):
    """A password to be set; Django's validators say what is good enough."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_PASSWORD, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the password."""
        password = super().to_internal_value(data)
        try:
            validate_password(password)
        except ValidationError as exc:
            raise serializers.ValidationError(exc.messages) from None
        return password


class _Attributes(fields.StrictSerializer):
    domain_id = _Only(DOMAIN["id"])
    options = _Only({})
    enabled = fields.Boolean(required=False)
    description = fields.Text(required=False, allow_null=True, allow_blank=True, max_length=MAX_DESCRIPTION)

    def validate_description(self, value: str | None) -> str:
        return value or ""


class ProjectSerializer(_Attributes):
    """A project."""

    name = fields.Text(max_length=Project._meta.get_field("name").max_length, trim_whitespace=True)  # noqa: SLF001
    parent_id = _Only(DOMAIN["id"], None)
    is_domain = _Only(False, None)
    tags = _Only([])


class UserSerializer(_Attributes):
    """A user; without a password nobody can log in as them."""

    name = fields.Text(max_length=User._meta.get_field("username").max_length, trim_whitespace=True)  # noqa: SLF001
    password = _NewPassword(required=False)
    email = fields.Text(required=False, allow_null=True, allow_blank=True, max_length=254)
    default_project_id = fields.Reference(max_length=32)
    project_id = fields.Text(required=False)  # test suites send it, and Keystone makes nothing of it either

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.pop("project_id", None)
        return attrs

    def validate_email(self, value: str | None) -> str:
        return value or ""


class PasswordSerializer(fields.StrictSerializer):
    """A user's own change of password."""

    original_password = fields.Text(max_length=MAX_PASSWORD, allow_blank=True)
    password = _NewPassword()


class _RoleName(serializers.Field[Role, Any, Any, Any]):
    """A role by its id or its name."""

    schema: Final = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "name": {"type": "string"}, "domain_id": {}},
        "additionalProperties": False,
    }

    default_error_messages = {
        "invalid": "Expected an object with either id or name.",
        "unknown": "There is no such role.",
    }

    def to_internal_value(self, data: Any) -> Role:
        """Return the role."""
        named = [data[key] for key in ("id", "name") if key in data] if isinstance(data, dict) else []
        if len(named) != 1 or not isinstance(named[0], str) or data.keys() - {"id", "name", "domain_id"}:
            self.fail("invalid")
        role = Role.named(named[0])
        if role is None:
            self.fail("unknown")
        return role


class CredentialSerializer(fields.StrictSerializer):
    """An application credential; without a secret it gets one, without roles all of the token's."""

    name = fields.Text(max_length=255, trim_whitespace=True)
    description = fields.Text(required=False, allow_null=True, allow_blank=True, max_length=MAX_DESCRIPTION)
    secret = fields.Text(required=False, allow_null=True, min_length=8, max_length=MAX_PASSWORD)
    expires_at = fields.Text(required=False, allow_null=True, max_length=64)
    roles = serializers.ListField(child=_RoleName(), required=False, max_length=len(Role))
    unrestricted = fields.Boolean(required=False, allow_null=True)
    access_rules = serializers.ListField(required=False, allow_null=True)

    def validate_description(self, value: str | None) -> str:
        return value or ""

    def validate_expires_at(self, value: str | None) -> datetime | None:
        """Return the moment; clients leave out the zone, which is UTC."""
        try:
            moment = value and parse_datetime(value)
        except ValueError:
            moment = None
        if value and not moment:
            raise serializers.ValidationError("Expected a time such as 2027-01-31T12:00:00.000000.")
        if not moment:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not MOMENTS[0] < moment < MOMENTS[1]:
            raise serializers.ValidationError("The time is too far away.")
        return moment

    def validate_access_rules(self, value: list[Any] | None) -> None:
        if value:
            raise serializers.ValidationError(
                "Access rules are not enforced here, so none are taken. Give fewer roles instead."
            )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.pop("access_rules", None)
        return {name: value for name, value in attrs.items() if value is not None}


def read(body: Any, word: str, kind: type[S], *, partial: bool = False) -> dict[str, Any]:
    """Return the validated attributes of a body that holds them under one word.

    :raises BadRequest: it is not such a body, or asks for nothing.
    :raises ValidationError: naming the attributes that are wrong.
    """
    if not isinstance(body, dict) or body.keys() != {word}:
        raise BadRequest(f"The body must be an object with one attribute: {word}.")
    if body[word] == {}:
        raise BadRequest(f"{word}: It is empty.")
    serializer = kind(data=body[word], partial=partial)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
