"""A user of the REST API, as small as can be: log in with a password, speak JSON, fail loudly."""

from __future__ import annotations

from typing import Any

import requests

from deploy.state import StartError

TIMEOUT = 30.0


class Door:
    """One user's way to one API: that for bays, unless `path` and `version` name another.

    :raises StartError: the login is refused.
    """

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        project: str,
        *,
        path: str = "container-infra/v1",
        version: str = "container-infra latest",
    ) -> None:
        self._base = f"{url}/{path}"
        self._session = requests.Session()
        login = {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": user, "domain": {"id": "default"}, "password": password}},
                },
                "scope": {"project": {"name": project, "domain": {"id": "default"}}},
            }
        }
        answer = self._session.post(f"{url}/identity/v3/auth/tokens", json=login, timeout=TIMEOUT)
        if answer.status_code != requests.codes.created:
            raise StartError(f"{user} could not log in: {answer.status_code} {answer.text[:200]}")
        token = answer.headers["X-Subject-Token"]
        self._session.headers.update({"X-Auth-Token": token, "OpenStack-API-Version": version})

    def get(self, path: str) -> Any:
        """Return the document at a path of the API."""
        return self._ask("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send a document and return the answer's."""
        return self._ask("POST", path, json=body)

    def delete(self, path: str) -> None:
        """Delete what the path names."""
        self._ask("DELETE", path)

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self._session.request(method, f"{self._base}/{path}", timeout=TIMEOUT, **body)
        if not answer.ok:
            raise StartError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None
