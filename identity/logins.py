"""What `POST /v3/auth/tokens` asks, read strictly, and the one way to answer it: a token or a plain 401."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog
from django.contrib.auth.hashers import check_password, make_password
from rest_framework import serializers

from api import fields
from api.openapi.fields import schema_of
from api.openapi.schemas import Schema
from api.problems import Unauthorized
from identity import tokens
from identity.models import DOMAIN, ApplicationCredential, Project, User

if TYPE_CHECKING:
    from identity.tokens import Checked

logger = structlog.get_logger(__name__)

REFUSED: Final = "The request you have made requires authentication."
ANOTHER_SCOPE: Final = "An application credential cannot ask for another scope than its own project."
MAX_PASSWORD: Final = 4096  # as Keystone's; hashing a longer one is work for nothing


class _Domain(serializers.Serializer[Any]):
    id = fields.Text(required=False, max_length=255)
    name = fields.Text(required=False, max_length=255)


class _Named(serializers.Serializer[Any]):
    id = fields.Text(required=False, max_length=255)
    name = fields.Text(required=False, max_length=255)
    domain = _Domain(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not {"id", "name"} & attrs.keys():
            raise serializers.ValidationError("Either id or name is required.")
        return attrs


class _User(_Named):
    password = fields.Text(max_length=MAX_PASSWORD, allow_blank=True)


class _Password(serializers.Serializer[Any]):
    user = _User()


class _Token(serializers.Serializer[Any]):
    id = fields.Text(max_length=tokens.MAX_LENGTH)


class _Credential(_Named):
    domain = None  # type: ignore[assignment]  # taken away: its user has one
    user = _Named(required=False)
    secret = fields.Text(max_length=MAX_PASSWORD, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "id" not in attrs and "user" not in super().validate(attrs):
            raise serializers.ValidationError("Beside the name its user is required.")
        return attrs


class _Identity(serializers.Serializer[Any]):
    methods = serializers.ListField(child=fields.Text(max_length=64), min_length=1, max_length=1)
    password = _Password(required=False)
    token = _Token(required=False)
    application_credential = _Credential(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        method = attrs["methods"][0]
        if method in self.fields and method not in attrs:
            raise serializers.ValidationError(f"{method}: This field is required.")
        return attrs


class _System(serializers.Serializer[Any]):
    all = fields.Boolean()

    def validate_all(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError("The system can only be had as a whole: true.")
        return value


class _Scope(serializers.Serializer[Any]):
    project = _Named(required=False)
    domain = serializers.DictField(required=False)
    system = _System(required=False)

    @property
    def schema(self) -> Schema:
        return {"anyOf": [schema_of(self), {"const": "unscoped"}]}

    def to_internal_value(self, data: Any) -> Any:
        return {} if data == "unscoped" else super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) > 1:
            raise serializers.ValidationError(f"Only one of {', '.join(attrs)} can be the scope.")
        return attrs


class _Auth(serializers.Serializer[Any]):
    identity = _Identity()
    scope = _Scope(required=False, allow_null=True)


class LoginSerializer(serializers.Serializer[Any]):
    """The body of a login: exactly one method, password, token or application_credential, and a scope.

    The scope is a project, the system or nothing; an application credential has its own, and may name it: the volume
    client does.
    """

    auth = _Auth()


def log_in(auth: dict[str, Any]) -> tuple[str, Checked]:
    """Return a new token, and what it is good for.

    Where nothing is said of a scope it is the user's default project, if the user is somebody there.

    :raises Unauthorized: for whatever reason; the reason is in the log, not in the answer.
    """
    identity, scope = auth["identity"], auth.get("scope")
    project_id, system = _project_id(scope or {}), "system" in (scope or {})
    match identity["methods"][0]:
        case "password":
            user = _by_password(identity["password"]["user"])
            if scope is None and user.default_project_id:
                text = tokens.issue(user, user.default_project_id)
                if checked := tokens.check(text):
                    return text, checked
            text = tokens.issue(user, project_id, system=system)
        case "token":
            parent = tokens.check(identity["token"]["id"])
            if parent is None:
                _refuse("the token is not good")
            if parent.token.credential is not None:
                project_id = _kept_scope(parent.token, scope, project_id, system=system)
            text = tokens.reissue(parent.token, project_id, system=system)
        case "application_credential":
            credential = _by_credential(identity["application_credential"])
            if scope is not None and (system or project_id != credential.project_id):
                _refuse("a credential with another scope", told=ANOTHER_SCOPE, user_id=credential.user_id)
            text = tokens.issue_through(credential)
        case _:
            _refuse("unsupported method")
    checked = tokens.check(text)
    if checked is None:
        _refuse("disabled, or no role in the scope")
    return text, checked


def who(auth: dict[str, Any]) -> str:
    """Return whom a login says it is: what guesses at a password or a secret are counted under."""
    identity = auth["identity"]
    match identity["methods"][0]:
        case "password":
            return _user_of(identity["password"]["user"])
        case "application_credential":
            named = identity["application_credential"]
            return f"credential {named.get('id') or (named['name'], _user_of(named['user']))}"
    return ""


def _user_of(named: dict[str, Any]) -> str:
    """Return by what the user is looked up, and nothing else that is said: or each guess could say something new."""
    return str(named.get("id") or f"name {named['name']}")


def _by_password(given: dict[str, Any]) -> User:
    """Return the user; the work is the same whether there is one or not."""
    key = {"pk": given["id"]} if "id" in given else {"username": given["name"]}
    user = User.objects.filter(**key).first() if _our_domain(given) else None
    if user is None:
        make_password(given["password"])
        _refuse("no such user")
    if not user.check_password(given["password"]):
        _refuse("wrong password", user_id=user.pk)
    return user


def _by_credential(given: dict[str, Any]) -> ApplicationCredential:
    """Return the credential; the work is the same whether there is one or not."""
    if "id" in given:
        key = {"pk": given["id"]}
        known = True
    else:
        owner = given["user"]
        key = {"name": given["name"]}
        key |= {"user": owner["id"]} if "id" in owner else {"user__username": owner["name"]}
        known = _our_domain(owner)
    credential = ApplicationCredential.objects.filter(**key).first() if known else None
    if credential is None:
        make_password(given["secret"])
        _refuse("no such application credential")
    if not check_password(given["secret"], credential.secret):
        _refuse("wrong secret", user_id=credential.user_id)
    return credential


def _kept_scope(
    parent: tokens.Token, scope: dict[str, Any] | None, project_id: str | None, *, system: bool
) -> str | None:
    """Return the project of a token that was had by a credential: for no other scope is there one to be had."""
    if system or (scope is not None and project_id != parent.project_id):
        _refuse("a credential's token with another scope", user_id=parent.user_id)
    return parent.project_id


def _project_id(scope: dict[str, Any]) -> str | None:
    """Return the id of the project asked for, None for no scope; an unknown one is an id that nobody has."""
    if "domain" in scope:
        _refuse("unsupported scope")
    project = scope.get("project")
    if project is None:
        return None
    if "id" in project:
        return str(project["id"])
    found = Project.objects.filter(name=project["name"]).first() if _our_domain(project) else None
    return found.pk if found else "unknown"


def _our_domain(given: dict[str, Any]) -> bool:
    """Tell whether the domain beside a name is the only one; ids need none."""
    domain = given.get("domain", DOMAIN)
    return bool("id" in given or domain.get("id") == DOMAIN["id"] or domain.get("name") == DOMAIN["name"])


def _refuse(reason: str, *, told: str = REFUSED, **who: str) -> NoReturn:
    logger.info("login refused", reason=reason, **who)
    raise Unauthorized(told)
