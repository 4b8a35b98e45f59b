"""Acting for somebody who let us: a login as our service user, scoped to a trust, kept for as long as it is fresh.

What keystoneauth's own plug-in would do, and besides: the service user's token serves for it, so that no password is
hashed for each trust; nothing of it is logged, for the answer names the trust; and a refusal that is about the trust
is told apart from one that is about us.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keystoneauth1.exceptions
from keystoneauth1 import access
from keystoneauth1.identity.base import BaseIdentityPlugin

from clouds.errors import Undelegated

REST = 60.0  # seconds for which a trust that was refused is not tried again by who has the choice

_REFUSALS = (
    keystoneauth1.exceptions.BadRequest,
    keystoneauth1.exceptions.Unauthorized,
    keystoneauth1.exceptions.Forbidden,
    keystoneauth1.exceptions.NotFound,
)


def is_stale(found: access.AccessInfo) -> bool:
    """Tell whether half of a token's life is over: what Heat is asked for with it may take the other half."""
    issued, until = found.issued, found.expires
    return (
        issued is None or until is None or found.will_expire_soon(int((until - issued).total_seconds() / 2))
    )


def versioned(auth_url: str) -> str:
    """Return the URL of Keystone's version 3, whether or not that is the one that was configured."""
    root = auth_url.rstrip("/")
    return root if root.endswith("/v3") else f"{root}/v3"


class ByTrust(BaseIdentityPlugin):
    """The trustor, as far as one trust goes. Safe to share between threads; it keeps its token."""

    def __init__(
        self, auth_url: str, trust_id: str, service: BaseIdentityPlugin, logged_in: Callable[[], None]
    ) -> None:
        """Take who we are ourselves, and what to call at each login."""
        super().__init__(auth_url=auth_url, reauthenticate=True)
        self.root = versioned(auth_url)
        self._trust_id = trust_id
        self._service = service
        self._logged_in = logged_in
        self._refused_at: float | None = None

    @property
    def was_refused_lately(self) -> bool:
        return self._refused_at is not None and time.monotonic() - self._refused_at < REST

    def get_auth_ref(self, session: Any, **_: Any) -> access.AccessInfo:
        """Log in.

        :raises Undelegated: Keystone takes us for who we are, and refuses the trust.
        """
        for last in (False, True):
            own = self._own_token(session)
            try:
                found = self._log_in(session, own)
            except keystoneauth1.exceptions.Unauthorized as refused:
                if last:
                    raise self._refused(refused) from None
                self._service.invalidate()  # it may be our own token that was revoked
            except _REFUSALS as refused:
                raise self._refused(refused) from None
            else:
                self._refused_at = None
                return found
        raise AssertionError("unreachable")

    def get_cache_id_elements(self) -> dict[str, str | None]:
        """Return nothing: it is not for anybody's cache."""
        return {}

    def _needs_reauthenticate(self) -> bool:
        return self.auth_ref is None or is_stale(self.auth_ref)

    def _own_token(self, session: Any) -> str:
        own = self._service.get_access(session)
        if is_stale(own):  # a token that is had for another lives no longer than that
            self._service.invalidate()
            own = self._service.get_access(session)
        return str(own.auth_token)

    def _log_in(self, session: Any, own: str) -> access.AccessInfo:
        self._logged_in()
        body = {
            "auth": {
                "identity": {"methods": ["token"], "token": {"id": own}},
                "scope": {"OS-TRUST:trust": {"id": self._trust_id}},
            }
        }
        answer = session.post(f"{self.root}/auth/tokens", json=body, authenticated=False, log=False)
        return access.AccessInfoV3(auth_token=answer.headers["X-Subject-Token"], body=answer.json())

    def _refused(self, why: keystoneauth1.exceptions.HttpError) -> Undelegated:
        self._refused_at = time.monotonic()
        return Undelegated(str(why.message or "").replace(self._trust_id, "the trust"))
