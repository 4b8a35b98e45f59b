"""The Keystone client: what must be there is looked for, and made where it is missing; asked again, it changes nothing.

Answers are untrusted input. Errors are those of `clouds.errors`: what is refused is `Rejected` with the status, what
cannot be reached or read is `Unavailable`, for all of it may be asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keystoneauth1.adapter
import requests

from clouds.errors import Conflict, Forbidden, NotFound, Rejected, Unavailable, presentable
from clouds.session import open_session
from clouds.translate import translated

DEFAULT_DOMAIN = "default"

Found = Mapping[str, Any]


class Keystone:
    """One Keystone, as whom the `OS_*` variables name; nothing is sent before the first question."""

    def __init__(self, variables: Mapping[str, str], timeout: float = 10) -> None:
        """Take who asks, where, and the seconds that one request may take.

        :raises InvalidCloud: the variables do not say.
        """
        cloud = open_session(variables, timeout)
        self._adapter = keystoneauth1.adapter.Adapter(
            cloud.session,
            service_type="identity",
            region_name=cloud.region,
            interface=cloud.interface,
            version="3",
        )
        self._auth = cloud.session.auth
        self._session = cloud.session

    def whoami(self) -> str:
        """Return the id of the user who asks.

        :raises Unavailable: the login failed.
        """
        with translated(effect=False):
            return str(self._session.get_user_id())

    def project_id(self) -> str | None:
        """Return the id of the project that the login is for.

        :raises Unavailable: the login failed.
        """
        with translated(effect=False):
            found = self._session.get_project_id()
        return str(found) if found else None

    def find(self, kind: str, **by: str) -> list[Found]:
        """Return all of a kind ("users", "services"...) that match.

        :raises CloudError: they cannot be told.
        """
        found = self._ask("GET", f"/{kind}", params=by).get(kind)
        if not isinstance(found, list) or not all(isinstance(one, dict) and "id" in one for one in found):
            raise Unavailable(f"The answer tells of no {kind}.")
        # A filter that Keystone does not know it ignores.
        return [one for one in found if all(one.get(key) == value for key, value in by.items())]

    def make(self, kind: str, **fields: object) -> Found:
        """Make one of a kind and return it.

        :raises Conflict: there is one of that name.
        """
        return self._one(kind, self._ask("POST", f"/{kind}", json={kind[:-1]: fields}))

    def change(self, kind: str, identifier: str, **fields: object) -> Found:
        """Change one of a kind and return it.

        :raises NotFound: it is gone.
        """
        return self._one(kind, self._ask("PATCH", f"/{kind}/{identifier}", json={kind[:-1]: fields}))

    def remove(self, kind: str, identifier: str) -> None:
        """Remove one of a kind, if it is there."""
        try:
            self._ask("DELETE", f"/{kind}/{identifier}")
        except NotFound:
            return

    def ensure(self, kind: str, by: Mapping[str, str], **fields: object) -> Found:
        """Return the one of a kind that matches, made with the other fields if there is none."""
        if found := self.find(kind, **by):
            return found[0]
        try:
            return self.make(kind, **by, **fields)
        except Conflict:  # made by another since we looked
            if found := self.find(kind, **by):
                return found[0]
            raise

    def grant(self, role: str, user_id: str, where: str) -> None:
        """Give a user a role in `projects/ID`, `domains/ID` or `system`; nothing changes where they have it.

        :raises NotFound: there is no role of that name.
        """
        self._ask("PUT", f"/{where}/users/{user_id}/roles/{self._role(role)}")

    def has(self, role: str, user_id: str, where: str) -> bool:
        """Tell whether a user was given a role in `projects/ID`, `domains/ID` or `system`.

        :raises NotFound: there is no role of that name.
        """
        path = f"/{where}/users/{user_id}/roles/{self._role(role)}"
        try:
            self._ask("HEAD", path)
        except NotFound:
            return False
        return True

    def _role(self, name: str) -> str:
        found = [one for one in self.find("roles", name=name) if not one.get("domain_id")]
        if not found:
            raise NotFound(f"There is no role {name!r}.")
        return str(found[0]["id"])

    def _one(self, kind: str, told: Mapping[str, Any]) -> Found:
        found = told.get(kind[:-1])
        if not isinstance(found, dict) or not isinstance(found.get("id"), str):
            raise Unavailable(f"The answer tells of no {kind[:-1]}.")
        return found

    def _ask(self, method: str, path: str, **options: Any) -> Mapping[str, Any]:
        """Send one request and return the object that answers it, empty where there is no body."""
        with translated(effect=False):
            answer: requests.Response = self._adapter.request(path, method, raise_exc=False, **options)
        if answer.status_code >= requests.codes.bad_request:
            raise _error(answer)
        if not answer.content:
            return {}
        with translated(effect=False):
            told = answer.json()
        if not isinstance(told, dict):
            raise Unavailable("The answer is no object.")
        return told


def _error(answer: requests.Response) -> Exception:
    kinds = {403: Forbidden, 404: NotFound, 409: Conflict}
    lost = answer.status_code in {401, 408, 425, 429} or answer.status_code >= requests.codes.server_error
    kind = Unavailable if lost else kinds.get(answer.status_code, Rejected)
    try:
        message = str(answer.json()["error"]["message"])
    except (ValueError, TypeError, LookupError):
        message = presentable(answer.text)
    return kind(f"HTTP {answer.status_code}: {message}")
