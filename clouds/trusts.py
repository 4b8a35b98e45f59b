"""Our service user as the one who is trusted: typed answers of Keystone, and the errors of `clouds.errors` only.

A delegation is a trust: a user (the trustor) lets our service user (the trustee) act for them in one project, with
these roles and no other. Its id is all that we keep of it, and worth nothing to anybody but our service user; it is
shown in no log and no error all the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from keystoneauth1 import session as keystone_session
from keystoneauth1.identity.base import BaseIdentityPlugin

from clouds import answers
from clouds.answers import MARK, Trust
from clouds.delegated import ByTrust, versioned
from clouds.errors import (
    CloudError,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Unauthenticated,
    Unavailable,
    Undelegated,
)
from clouds.heat import Heat
from clouds.session import CloudSession, open_session
from clouds.translate import translated

__all__ = ["Trust", "Trustee"]

KEPT = 1000  # delegations whose tokens one process keeps
HEAT_MAY = 1  # Heat makes a trust of its own from ours (deferred_auth_method=trusts), and none from that one

_AGAIN = frozenset({408, 425, 429})


class Trustee:
    """Our service user in one Keystone; safe to share between threads and across forks."""

    def __init__(
        self, variables: Mapping[str, str], guard: Callable[[], None] | None = None, timeout: float = 10
    ) -> None:
        """Take who and where we are, what to call before each request of its own, and the seconds that one may take."""
        self._variables = dict(variables)
        self._guard = guard
        self._timeout = timeout
        self.logins = 0  # by trust, of this process
        self._cloud = lru_cache(maxsize=2)(self._open)
        self._by_trust = lru_cache(maxsize=KEPT)(self._a_login)
        self._heats = lru_cache(maxsize=KEPT)(self._a_heat)

    def delegate(self, token: str, *, trustor: str, project_id: str, roles: Sequence[str], mark: str) -> str:
        """Have the bearer of the token let us act for them in the project, and return the trust's id.

        It is for those of the roles that the token has, the first of which it must have.

        :raises Unauthenticated: the token is not good any more.
        :raises Rejected: they may not, or not with this token.
        :raises Unavailable: nothing was done.
        :raises OutcomeUnknown: there may be such a trust now.
        """
        held = self._roles(token, trustor, project_id)
        if roles[0] not in held:
            raise Rejected(f"It takes the role {roles[0]} in the project.")
        with translated(effect=False):
            trustee = self._service.get_user_id(self._session)
        body = {
            "trust": {
                "trustor_user_id": trustor,
                "trustee_user_id": trustee,
                "project_id": project_id,
                "impersonation": True,
                "roles": [{"name": role} for role in roles if role in held],
                "allow_redelegation": True,
                "redelegation_count": HEAT_MAY,
                MARK: mark,
            }
        }
        answer = self._ask("POST", "/OS-TRUST/trusts", token, body)
        with translated(effect=True):
            made = answers.made_trust(answer.json())
            if (made.trustor, made.trustee, made.project_id) != (trustor, trustee, project_id):
                raise ValueError("it is about another trust")
        return made.id

    def _roles(self, token: str, user_id: str, project_id: str) -> frozenset[str]:
        """Return the roles that a token has, which must be this user's in this project."""
        answer = self._ask("GET", "/auth/tokens?nocatalog", token, headers={"X-Subject-Token": token})
        with translated(effect=False):
            held = answers.token(answer.json())
        if (held.user_id, held.project_id) != (user_id, project_id):
            raise Rejected("The token is another user's, or for another project.")
        return held.roles

    def check(self, trust_id: str) -> None:
        """Log in by the trust anew, whatever is kept of it.

        :raises Undelegated: it does not work, or no longer.
        :raises Unavailable: Keystone does not answer.
        """
        self._ask_the_guard()
        login = self._login(trust_id)
        login.invalidate()
        with translated(effect=False):
            login.get_access(self._session)

    def was_refused_lately(self, trust_id: str) -> bool:
        """Tell whether Keystone refused a login by this trust within a minute."""
        return self._login(trust_id).was_refused_lately

    def remove(self, trust_id: str) -> bool:
        """Remove the trust, and with it the tokens and the trusts made from it; False if there is none any more.

        The trustor may, and so may we as far as the trust goes. Of one that does not work any more only an admin may.

        :raises Rejected: we may not.
        """
        token = self._token_by(trust_id)
        try:
            self._ask("DELETE", f"/OS-TRUST/trusts/{trust_id}", token)
        except NotFound:
            return False
        except CloudError as error:
            raise type(error)(error.reason.replace(trust_id, "the trust")) from None
        self._login(trust_id).invalidate()
        return True

    def trusts(self) -> list[Trust]:
        """Return all delegations to our service user, whoever made them and whatever for, in one call."""
        with translated(effect=False):
            trustee = self._service.get_user_id(self._session)
        answer = self._ask("GET", f"/OS-TRUST/trusts?trustee_user_id={trustee}", self._own_token())
        with translated(effect=False):
            return [one for one in answers.trusts(answer.json()) if one.trustee == trustee]

    def heat(self, trust_id: str, guard: Callable[[], None] | None = None) -> Heat:
        """Return Heat as the trustor of this trust meets it; nothing is sent before the first call."""
        return self._heats(trust_id, guard)

    def _a_heat(self, trust_id: str, guard: Callable[[], None] | None) -> Heat:
        return Heat(partial(self._session_by, trust_id), guard)

    def _session_by(self, trust_id: str) -> CloudSession:
        cloud = self._cloud(os.getpid())
        own = cloud.session
        # The connections are shared: what differs from trust to trust is the token.
        session = keystone_session.Session(
            auth=self._login(trust_id), session=own.session, verify=own.verify, cert=own.cert
        )
        return CloudSession(session=session, region=cloud.region, interface=cloud.interface)

    def _ask(
        self,
        method: str,
        path: str,
        token: str,
        body: object = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Any:
        self._ask_the_guard()
        session = self._session
        url = f"{self._root}{path}"
        with translated(effect=method != "GET"):
            answer = session.request(
                url,
                method,
                json=body,
                headers={"X-Auth-Token": token, **headers},
                authenticated=False,
                raise_exc=False,
                log=False,
            )
        if answer.status_code < 400:  # noqa: PLR2004 - a refusal
            return answer
        raise _refusal(answer, lost=Unavailable if method == "GET" else OutcomeUnknown)

    def _token_by(self, trust_id: str) -> str:
        """Return a token by the trust or, where it does not work any more, our own."""
        self._ask_the_guard()
        try:
            with translated(effect=False):
                return str(self._login(trust_id).get_access(self._session).auth_token)
        except Undelegated:
            return self._own_token()

    def _own_token(self) -> str:
        with translated(effect=False):
            return str(self._service.get_token(self._session))

    def _login(self, trust_id: str) -> ByTrust:
        return self._by_trust(os.getpid(), trust_id)

    def _a_login(self, pid: int, trust_id: str) -> ByTrust:
        del pid  # what a parent keeps is not its child's
        return ByTrust(self._root, trust_id, self._service, self._count)

    def _count(self) -> None:
        self.logins += 1

    @property
    def _session(self) -> keystone_session.Session:
        return self._cloud(os.getpid()).session

    @property
    def _service(self) -> BaseIdentityPlugin:
        service = self._session.auth
        if not isinstance(service, BaseIdentityPlugin):
            raise Undelegated("The OS_* variables name no Keystone: there are no delegations without one.")
        return service

    @property
    def _root(self) -> str:
        return versioned(self._service.auth_url or "")

    def _open(self, pid: int) -> CloudSession:
        del pid
        return open_session(self._variables, self._timeout)

    def _ask_the_guard(self) -> None:
        if self._guard is not None:
            self._guard()


def _refusal(answer: Any, *, lost: type[CloudError]) -> CloudError:
    """Return what Keystone's error says."""
    try:
        why = str(answer.json()["error"]["message"])
    except (ValueError, TypeError, LookupError):
        why = answer.text[:200]
    status = answer.status_code
    if status >= 500:  # noqa: PLR2004
        return (Unavailable if status == 503 else lost)(f"Keystone failed (HTTP {status}): {why}")  # noqa: PLR2004
    if status in _AGAIN:
        return Unavailable(f"Keystone asks to be asked later (HTTP {status}): {why}")
    kinds: dict[int, type[CloudError]] = {401: Unauthenticated, 404: NotFound}
    return kinds.get(status, Rejected)(why)
