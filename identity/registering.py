"""Our place in a Keystone: services, endpoints, and our own user with its roles.

Keystone lets there be two services of one name, and two endpoints of one service in one place. Every node may register
at once, without a lock that could be lost: each looks again after it has added something, keeps the one whose id sorts
first and removes the others; and begins anew where what it was working on was removed by another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from clouds.errors import Conflict, Forbidden, NotFound, Rejected
from clouds.keystone import DEFAULT_DOMAIN, Found, Keystone

NAME: Final = "roadstead"
DESCRIPTIONS: Final = {
    "container-infra": "Container bays on Heat stacks",
    "block-storage": "Block volumes",
}
INTERFACES: Final = ("public", "internal", "admin")
ROLES: Final = (
    "service",
    "member",
)  # to have tokens checked; to have stacks in the project that it logs in to
TRIES: Final = 10


class Stranger(Exception):
    """Our user is not there, and cannot be made without a password."""


class Taken(Exception):
    """Another service of the same type is in the catalog already: clients would not know which to take."""


@dataclass(frozen=True)
class Plan:
    """What shall be there."""

    region: str
    services: Mapping[str, Mapping[str, str]]  # URLs by interface, by the service's type
    user: str | None = None
    project: str = "service"
    password: str | None = None  # of a user who is not there yet

    def carry_out(self, there: Keystone, tell: Callable[[str], object], *, dry_run: bool = False) -> None:
        """Make sure of all of it; say what is done, or would be.

        :raises Taken: somebody else's service has endpoints in the region.
        :raises Stranger: our user is not there, and there is no password to make them with.
        :raises CloudError: Keystone refuses or does not answer.
        """
        for left in reversed(range(TRIES)):
            hand = _Hand(there, tell, dry_run=dry_run)
            try:
                self._look_out(there)
                self._settle(hand)
            except Forbidden:
                raise
            except (NotFound, Conflict, Rejected):  # others are at it too
                if not left:
                    raise
            else:
                return

    def _look_out(self, there: Keystone) -> None:
        for kind in self.services:
            for service in there.find("services", type=kind):
                if service.get("name") == NAME or service.get("enabled") is False:
                    continue
                if any(_in_use(there.find("endpoints", service_id=service["id"], region_id=self.region))):
                    raise Taken(
                        f"The catalog has a service {kind} already, {service.get('name')} ({service['id']}), with "
                        f"endpoints in {self.region}. Disable it first: openstack service set --disable {service['id']}"
                    )

    def _settle(self, hand: _Hand) -> None:
        if self.user:
            self._settle_user(hand, self.user)
        hand.one("regions", {"id": self.region}, {})
        for kind, urls in self.services.items():
            more = {"description": DESCRIPTIONS.get(kind, ""), "enabled": True}
            service = hand.one("services", {"type": kind, "name": NAME}, more)
            for interface in INTERFACES:
                where = {"interface": interface, "region_id": self.region}
                if service:
                    where["service_id"] = service["id"]
                hand.one(
                    "endpoints", where, {"url": urls[interface], "enabled": True}, of=kind, unmade=not service
                )

    def _settle_user(self, hand: _Hand, name: str) -> None:
        domain = {"domain_id": DEFAULT_DOMAIN}
        project = hand.one("projects", {"name": self.project, **domain}, {})
        users = hand.there.find("users", name=name, **domain)
        if not users and not self.password:
            raise Stranger(f"There is no user {name}, and no password is given for a new one.")
        user = users[0] if users else hand.one("users", {"name": name, **domain}, {"password": self.password})
        for role in ROLES:
            hand.grant(role, user, project, f"{name} in project {self.project}")


@dataclass(frozen=True)
class _Hand:
    """What changes Keystone, and says so; or only says it."""

    there: Keystone
    tell: Callable[[str], object]
    dry_run: bool

    def one(
        self,
        kind: str,
        by: Mapping[str, str],
        more: Mapping[str, object],
        *,
        of: str = "",
        unmade: bool = False,
    ) -> Found | None:
        """Return the one of a kind, as it is wanted; None where it would have to be made."""
        found = [] if unmade else self._found(kind, by)
        named = (of, *(by.get(key) for key in ("type", "name", "id", "interface")))
        label = " ".join([kind[:-1], *filter(None, named)])
        if not found:
            self.tell(f"add {label}{_with(more)}")
            if self.dry_run:
                return None
            self.there.make(kind, **by, **more)
            found = self._found(kind, by)  # others may have made theirs
        if not found:
            raise NotFound(f"{label} was removed at once.")
        first, *others = sorted(found, key=lambda one: str(one["id"]))
        for other in others:
            self.tell(f"remove {label}: there is another ({other['id']})")
            if not self.dry_run:
                self.there.remove(kind, other["id"])
        stale = {key: value for key, value in more.items() if key in first and first[key] != value}
        if stale and kind != "users":
            self.tell(f"change {label}{_with(stale)}")
            if not self.dry_run:
                first = self.there.change(kind, first["id"], **stale)
        return first

    def grant(self, role: str, user: Found | None, project: Found | None, label: str) -> None:
        """Have the user have the role; it is given once more where they have it, which changes nothing."""
        if (
            user is None
            or project is None
            or not self.there.has(role, user["id"], f"projects/{project['id']}")
        ):
            self.tell(f"give role {role} to {label}")
            if not self.dry_run and user and project:
                self.there.grant(role, user["id"], f"projects/{project['id']}")

    def _found(self, kind: str, by: Mapping[str, str]) -> list[Found]:
        if kind == "regions":
            return [one for one in self.there.find(kind) if one["id"] == by["id"]]
        return self.there.find(kind, **by)


def _in_use(endpoints: Iterable[Found]) -> list[bool]:
    return [endpoint.get("enabled") is not False for endpoint in endpoints]


def _with(fields: Mapping[str, object]) -> str:
    told = [str(value) for key, value in fields.items() if key in {"url", "enabled"} and value is not True]
    return f": {', '.join(told)}" if told else ""
