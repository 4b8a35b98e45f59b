"""One row of the matrix: a request, the least role that may send it, and what everybody else is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from identity.models import Role

ANYONE: Final = "anyone"  # without a token
TOKEN: Final = "token"  # any good one
SCOPED: Final = "scoped"  # one for a project or the system
SAME: Final = 0  # abroad as at home


@dataclass(frozen=True, slots=True)
class Row:
    """A request and its answers.

    `path` and `body` name things of the project blue in braces. `status` is the answer to whoever has the role in blue,
    and to admins of anywhere; `abroad` to those who have it in another project: by default that there is no such thing.
    `admins` is what admins are told where that is another thing.
    """

    method: str
    path: str
    body: Any
    role: str
    status: int
    abroad: int = 404
    admins: int = 0
    subject: bool = False  # whether it asks about the caller's own token

    @property
    def name(self) -> str:
        return f"{self.method} {self.path} {self.body or ''}".strip()


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: what they are, in which of the projects; in none and in the system those of the last two."""

    role: Role | None
    place: str

    def __str__(self) -> str:
        return f"{self.role or 'nobody'} of {self.place}"

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    def has(self, role: str) -> bool:
        """Tell whether the person has a role that needs no token, or the least of those that do."""
        if role == ANYONE or self.place == "no token":
            return role == ANYONE
        if role in (TOKEN, SCOPED):
            return role == TOKEN or self.place != "no project"
        assert self.role is not None or self.place == "no project"
        if self.role is None or (self.place == "the system" and not self.is_admin):
            return False
        return role in self.role.implied


def expected(row: Row, person: Person) -> int:
    """Return the status that a person is to be answered with."""
    if not person.has(row.role):
        return 401 if person.place == "no token" else 403
    if person.is_admin and row.admins:
        return row.admins
    home = person.place in ("blue", "no token") or person.is_admin
    return row.status if home or row.abroad == SAME else row.abroad


PEOPLE: Final = (
    Person(None, "no token"),
    Person(None, "no project"),
    Person(Role.READER, "the system"),
    *(Person(role, "blue") for role in reversed(Role)),
    *(Person(role, "red") for role in reversed(Role)),
)
SYSTEM_ADMIN: Final = Person(Role.ADMIN, "the system")  # asked for where no project is needed
