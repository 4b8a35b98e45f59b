"""Tokens: signed, not stored; they say who and until when. What the user may do is looked up, never carried.

A check is the signature, the expiry, and one SELECT that tells whether the user is active with the same
password, the project enabled, a role still held and the token not revoked; of a token that was had by an application
credential, whether that is still good, whatever the password. Its answer is kept in this process for a few seconds:
so long a revocation made elsewhere may take to be felt here, and no longer.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.core.signing import BadSignature, Signer
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Now

from identity.callers import Caller, Through
from identity.models import ApplicationCredential, Assignment, Project, RevokedToken, Role, User

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH: Final = 1024  # ours have about 300 characters

_signer = Signer(salt="identity.tokens", sep=".", algorithm="sha256")


@dataclass(frozen=True)
class Token:
    """What a token says."""

    user_id: str
    project_id: str | None
    methods: tuple[str, ...]
    audit_ids: tuple[str, ...]  # its own; and that of the first of its line, if it was had for another token
    issued: int  # seconds since the epoch
    expires: int
    fingerprint: str  # of the password that it was issued under; empty where it was had by a credential
    system: bool = False  # its scope is the whole system; it has no project then
    credential: str | None = None  # the id of the application credential that it was had by

    @property
    def is_scoped(self) -> bool:
        return self.system or self.project_id is not None

    @property
    def issued_at(self) -> datetime:
        return datetime.fromtimestamp(self.issued, UTC)

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.expires, UTC)


@dataclass(frozen=True)
class Checked:
    """A good token and whom it speaks for."""

    token: Token
    caller: Caller


def issue(user: User, project_id: str | None, *, system: bool = False) -> str:
    """Return a new token for a user who gave the password; whether they hold a role there, `check` tells."""
    now = int(time.time())
    return _sign(
        Token(
            user_id=user.pk,
            project_id=project_id,
            methods=("password",),
            audit_ids=(_audit_id(),),
            issued=now,
            expires=now + settings.TOKEN_LIFETIME,
            fingerprint=_fingerprint(user),
            system=system,
        )
    )


def issue_through(credential: ApplicationCredential) -> str:
    """Return a new token for a program that gave a credential's secret; it lives no longer than the credential."""
    now = int(time.time())
    end = credential.expires_at.timestamp() if credential.expires_at else float("inf")
    return _sign(
        Token(
            user_id=credential.user_id,
            project_id=credential.project_id,
            methods=("application_credential",),
            audit_ids=(_audit_id(),),
            issued=now,
            expires=int(min(now + settings.TOKEN_LIFETIME, end)),
            fingerprint="",
            credential=credential.pk,
        )
    )


def reissue(parent: Token, project_id: str | None, *, system: bool = False) -> str:
    """Return a new token for the bearer of another, with another scope; it lives no longer than that one."""
    return _sign(
        Token(
            user_id=parent.user_id,
            project_id=project_id,
            methods=("token", *(method for method in parent.methods if method != "token")),
            audit_ids=(_audit_id(), parent.audit_ids[-1]),
            issued=int(time.time()),
            expires=parent.expires,
            fingerprint=parent.fingerprint,
            system=system,
            credential=parent.credential,
        )
    )


def check(text: str) -> Checked | None:
    """Return what a token is good for; None where it is not, or no longer, good."""
    if len(text) > MAX_LENGTH:
        return None
    checked = _cache.get(text)
    if checked is None:
        era = _cache.era
        token = _read(text)
        caller = _look_up(token) if token else None
        if not token or not caller:
            return None
        checked = Checked(token, caller)
        _cache.put(text, checked, era)
    return checked if time.time() < checked.token.expires else None


def revoke(text: str, token: Token) -> None:
    """Take a token back, here at once and elsewhere within the cache's few seconds.

    Revocations that outlived their token are dropped on the way: the table stays as short as a token's life.
    """
    RevokedToken.objects.filter(expires_at__lt=Now()).delete()
    RevokedToken.objects.bulk_create(
        [RevokedToken(audit_id=token.audit_ids[0], expires_at=token.expires_at)], ignore_conflicts=True
    )
    _cache.drop(text)


def forget(about: str | None = None) -> None:
    """Drop all that this process remembers of tokens, or what it does of one user, project or credential.

    Call it after the commit that changed them: a check that looked before keeps nothing of what it saw.
    """
    _cache.drop_about(about)


def _sign(token: Token) -> str:
    fields = list(vars(token).values())
    if token.credential is None:
        fields.pop()  # as they were before there were credentials: nodes of both releases read it
    return _signer.sign_object(fields)


def _audit_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()


def _read(text: str) -> Token | None:
    """Return what a token of ours says that has not expired."""
    try:
        fields: Any = _signer.unsign_object(text)
    except BadSignature:
        return None
    if len(Token.__dataclass_fields__) - len(fields) not in (0, 1):
        return None  # of another release of ours: its bearer logs in again
    user_id, project_id, methods, audit_ids, *others = fields
    token = Token(user_id, project_id, tuple(methods), tuple(audit_ids), *others)
    return token if time.time() < token.expires else None


def _look_up(token: Token) -> Caller | None:
    """Return the caller as the database has it now: one statement."""
    return _look_up_user(token) if token.credential is None else _look_up_credential(token)


def _look_up_user(token: Token) -> Caller | None:
    user = (
        User.objects.filter(pk=token.user_id, is_active=True)
        .only("username", "password")
        .annotate(
            scope_name=Subquery(Project.objects.filter(pk=token.project_id, enabled=True).values("name")[:1]),
            scope_roles=ArraySubquery(  # a role in the system is one in no project
                Assignment.objects.filter(user_id=OuterRef("pk"), project_id=token.project_id).values("role")
            ),
            is_revoked=Exists(RevokedToken.objects.filter(pk=token.audit_ids[0])),
        )
        .first()
    )
    if user is None or user.is_revoked or not secrets.compare_digest(_fingerprint(user), token.fingerprint):
        return None
    if not token.is_scoped:
        return Caller(user.pk, user.username, None, None, frozenset())
    roles = with_implied(user.scope_roles)
    if not roles or (user.scope_name is None and not token.system):
        return None
    return Caller(user.pk, user.username, token.project_id, user.scope_name, roles, system=token.system)


def _look_up_credential(token: Token) -> Caller | None:
    """Return the owner of a good credential, with no more roles than it has and no fewer."""
    credential = (
        ApplicationCredential.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=Now()),
            pk=token.credential,
            user__is_active=True,
            project=token.project_id,
            project__enabled=True,
        )
        .select_related("user", "project")
        .annotate(
            held=ArraySubquery(
                Assignment.objects.filter(
                    user_id=OuterRef("user_id"), project_id=OuterRef("project_id")
                ).values("role")
            ),
            is_revoked=Exists(RevokedToken.objects.filter(pk=token.audit_ids[0])),
        )
        .first()
    )
    if (
        credential is None
        or credential.is_revoked
        or not set(credential.roles) <= with_implied(credential.held)
    ):
        return None
    return Caller(
        credential.user_id,
        credential.user.username,
        credential.project_id,
        credential.project.name,
        frozenset(credential.roles),
        through=Through(credential.pk, credential.name, restricted=not credential.unrestricted),
    )


def with_implied(roles: Iterable[str]) -> frozenset[str]:
    """Return the words of these roles, and of those that they imply."""
    return frozenset(implied.value for role in roles for implied in Role(role).implied)


def _fingerprint(user: User) -> str:
    """Return a keyed digest of the stored password: changing the password ends the tokens had by it."""
    return user.get_session_auth_hash()[:24]


class _Cache:
    """Recent checks: bounded in number and age, the least recently used dropped first."""

    def __init__(self) -> None:
        self.era = 0  # each drop begins a new one: what was looked up in an older one is not kept
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, Checked]] = OrderedDict()

    def get(self, text: str) -> Checked | None:
        with self._lock:
            entry = self._held.get(text)
            if entry is None:
                return None
            put_at, checked = entry
            if time.monotonic() - put_at >= settings.TOKEN_CACHE_SECONDS:
                del self._held[text]
                return None
            self._held.move_to_end(text)
            return checked

    def put(self, text: str, checked: Checked, era: int) -> None:
        with self._lock:
            if era != self.era:
                return
            self._held[text] = (time.monotonic(), checked)
            while len(self._held) > settings.TOKEN_CACHE_SIZE:
                self._held.popitem(last=False)

    def drop(self, text: str) -> None:
        with self._lock:
            self.era += 1
            self._held.pop(text, None)

    def drop_about(self, about: str | None) -> None:
        with self._lock:
            self.era += 1
            for text, (_, checked) in list(self._held.items()):
                token = checked.token
                if about in (None, token.user_id, token.project_id, token.credential):
                    del self._held[text]


_cache = _Cache()
