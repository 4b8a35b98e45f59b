"""Every route of /identity. The projects are blue, where most are somebody, and red."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.identity.base import PASSWORD, password
from tests.matrix.table import ANYONE, SAME, SCOPED, TOKEN, Row

BASE = "/identity"
CREDENTIALS = "/v3/users/{target}/application_credentials"
OWN = {"user": {"original_password": PASSWORD, "password": "another password"}}


def rows() -> Iterator[Row]:
    """Yield the rows."""
    for method, path, *rest in ROUTES:
        yield Row(method, f"{BASE}{path}", *rest)
    for place in ("/v3/projects/{project}", "/v3/system"):
        for role in (f"{place}/users/{{target}}/roles/reader",):
            yield Row("GET", f"{BASE}{role}", None, "admin", 204)
            yield Row("PUT", f"{BASE}{role}", None, "admin", 204)
            yield Row("DELETE", f"{BASE}{role}", None, "admin", 204)
        yield Row("GET", f"{BASE}{place}/users/{{target}}/roles", None, "admin", 200)
    yield Row("POST", f"{BASE}/v3/auth/tokens", {"auth": password("target")}, ANYONE, 201, SAME)
    yield Row("GET", f"{BASE}/v3/auth/tokens", None, TOKEN, 200, SAME, subject=True)
    yield Row("DELETE", f"{BASE}/v3/auth/tokens", None, TOKEN, 204, SAME, subject=True)


ROUTES: tuple[tuple[Any, ...], ...] = (
    ("GET", "", None, ANYONE, 300, SAME),
    ("GET", "/v3", None, ANYONE, 200, SAME),
    ("GET", "/v3/auth/catalog", None, SCOPED, 200, SAME),
    ("GET", "/v3/auth/projects", None, TOKEN, 200, SAME),
    ("GET", "/v3/domains", None, TOKEN, 200, SAME),
    ("GET", "/v3/domains/default", None, TOKEN, 200, SAME),
    ("GET", "/v3/roles", None, TOKEN, 200, SAME),
    ("GET", "/v3/roles/member", None, TOKEN, 200, SAME),
    ("GET", "/v3/role_assignments", None, TOKEN, 200, SAME),
    ("GET", "/v3/projects", None, TOKEN, 200, SAME),
    ("POST", "/v3/projects", {"project": {"name": "new"}}, "admin", 201),
    ("GET", "/v3/projects/{project}", None, TOKEN, 200),
    ("PATCH", "/v3/projects/{project}", {"project": {"description": "x"}}, "admin", 200),
    ("DELETE", "/v3/projects/{spare}", None, "admin", 204),
    ("GET", "/v3/users", None, TOKEN, 200, SAME),
    ("POST", "/v3/users", {"user": {"name": "new"}}, "admin", 201),
    ("GET", "/v3/users/{target}", None, "admin", 200),
    ("PATCH", "/v3/users/{target}", {"user": {"description": "x"}}, "admin", 200),
    ("DELETE", "/v3/users/{target}", None, "admin", 204),
    ("GET", "/v3/users/{target}/projects", None, "admin", 200),
    ("GET", f"{CREDENTIALS}", None, "admin", 200),
    (
        "POST",
        f"{CREDENTIALS}",
        {"application_credential": {"name": "new"}},
        TOKEN,
        403,
        SAME,
    ),  # only the user
    ("GET", f"{CREDENTIALS}/x", None, "admin", 404),
    ("DELETE", f"{CREDENTIALS}/x", None, "admin", 404),
    ("GET", "/v3/users/{target}/access_rules", None, "admin", 200),
    ("GET", "/v3/users/{target}/access_rules/x", None, "admin", 404),
    ("DELETE", "/v3/users/{target}/access_rules/x", None, "admin", 404),
    ("POST", "/v3/users/{target}/password", OWN, TOKEN, 403, SAME),  # an admin sets it by PATCH
)
