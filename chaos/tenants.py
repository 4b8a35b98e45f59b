"""The users of a run, made through the API as an operator makes them: a project, a member, limits, a baymodel each.

Some have room for all they may ask; a few run against tight limits, so that the last unit of a quota is fought for.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from deploy.door import Door

ADMIN = "admin"
PASSWORD = "a-password-of-the-chaos-run"  # noqa: S105 - of users that live as long as the run
MEMBER = "member"
ROOMY = {"volumes": 400, "snapshots": 400, "gigabytes": 10_000}
TIGHT = 6  # volumes


@dataclass(frozen=True, slots=True)
class Tenant:
    """One user in one project. `volumes` is the limit of its volumes; `partner` takes over what it offers."""

    name: str
    password: str
    project: str  # its name
    project_id: str = ""
    baymodel: str = ""
    volumes: int = ROOMY["volumes"]
    partner: str = ""

    @property
    def tight(self) -> bool:
        return self.volumes <= TIGHT


class Place(Protocol):
    """Where a run is: a stack of `deploy.stack`, or a ground."""

    @property
    def urls(self) -> list[str]: ...

    @property
    def passwords(self) -> dict[str, str]: ...


def make_tenants(running: Place, *, roomy: int = 4, tight: int = 2) -> list[Tenant]:
    """Create the tenants of a run; the last one returned is the operator.

    Call it before there are faults: nothing here is tried twice.

    :raises StartError: the API refuses.
    """
    url, password = running.urls[0], running.passwords[ADMIN]
    keystone = Door(url, ADMIN, password, "demo", path="identity/v3")
    cinder = Door(url, ADMIN, password, "demo", path="volume/v3", version="volume 3.71")
    role = next(each["id"] for each in keystone.get("roles")["roles"] if each["name"] == MEMBER)
    token = secrets.token_hex(2)  # the state may hold the tenants of an earlier run
    names = [f"chaos-{token}-{number}" for number in range(roomy + tight)]
    tenants = []
    for number, name in enumerate(names):
        is_tight = number >= roomy
        limits = {**ROOMY, "volumes": TIGHT} if is_tight else ROOMY
        project_id = _project(keystone, name, role)
        _ask(cinder, "PUT", f"os-quota-sets/{project_id}", {"quota_set": limits})
        partner = "" if is_tight or roomy < 2 else names[number ^ 1 if (number ^ 1) < roomy else 0]  # noqa: PLR2004
        tenants.append(
            Tenant(
                name,
                PASSWORD,
                name,
                project_id,
                _baymodel(url, name),
                limits["volumes"],
                "" if partner == name else partner,
            )
        )
    return [*tenants, Tenant(ADMIN, password, "demo")]


def _project(keystone: Door, name: str, role: str) -> str:
    project = keystone.post("projects", {"project": {"name": name, "domain_id": "default"}})["project"]["id"]
    body = {"user": {"name": name, "password": PASSWORD, "domain_id": "default"}}
    user = keystone.post("users", body)["user"]["id"]
    _ask(keystone, "PUT", f"projects/{project}/users/{user}/roles/{role}")
    return str(project)


def _baymodel(url: str, name: str) -> str:
    magnum = Door(url, name, PASSWORD, name)
    model = {"name": "chaos", "coe": "demo", "image_id": "none", "labels": {"boot_seconds": "1"}}
    return str(magnum.post("baymodels", model)["uuid"])


def _ask(door: Door, method: str, path: str, body: dict[str, Any] | None = None) -> None:
    door._ask(method, path, **({"json": body} if body else {}))  # noqa: SLF001 - it has no verb for PUT
