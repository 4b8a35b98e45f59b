"""The services behind this door, the microversions of each, and how a request picks one.

`Service.history` is the only table of versions: headers, discovery documents and checks all read it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from api import problems

HEADER: Final = "OpenStack-API-Version"
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,4})\.(0|[1-9][0-9]{0,4})", re.ASCII)


class Version(NamedTuple):
    """A microversion; compares by number, prints as `1.7`."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True)
class Service:
    """One API: its OpenStack type, the path it lives under, and what each microversion added, in order."""

    type: str
    prefix: str
    aliases: frozenset[str] = frozenset()
    history: tuple[tuple[Version, str], ...] = ()

    @property
    def minimum(self) -> Version:
        return self.history[0][0]

    @property
    def maximum(self) -> Version:
        return self.history[-1][0]

    def negotiate(self, header: str | None) -> Version:
        """Return the version that the header asks for: none is the oldest, `latest` the newest.

        The header may name several services, separated by commas; those that are not this one are passed
        over.

        :raises VersionNotAcceptable: it is malformed, names no version of this service, or one that it has
            not.
        """
        if header is None:
            return self.minimum
        for item in header.split(","):
            words = item.split()
            if len(words) == 2 and words[0].lower() in {self.type, *self.aliases}:  # noqa: PLR2004 (service, version)
                return self._known(words[1])
        raise problems.VersionNotAcceptable(
            f"Invalid value for {HEADER} header: it names no version of {self.type}.",
            str(self.minimum),
            str(self.maximum),
        )

    def _known(self, text: str) -> Version:
        if text.lower() == "latest":
            return self.maximum
        match = _NUMBER.fullmatch(text)
        version = Version(int(match[1]), int(match[2])) if match else None
        for known, _ in self.history:
            if known == version:
                return known
        raise problems.VersionNotAcceptable(
            f"Version {text[:32]} was requested but the supported API versions are from {self.minimum} to "
            f"{self.maximum}.",
            str(self.minimum),
            str(self.maximum),
        )


IDENTITY: Final = Service(type="identity", prefix="/identity")
CONTAINER_INFRA: Final = Service(
    type="container-infra",
    prefix="/container-infra",
    aliases=frozenset({"container-infrastructure-management", "container-infrastructure"}),
    history=(
        (Version(1, 1), "The first version: bays and baymodels, clusters and cluster templates."),
        (Version(1, 2), "Creating, updating and deleting answer 202 with the uuid alone."),
        (Version(1, 3), "An update takes `rollback`."),
        (Version(1, 4), "Statistics."),
        (Version(1, 5), "Rotation of a cluster's certificate authority."),
        (Version(1, 6), "Quotas."),
        (Version(1, 7), "A cluster can be resized."),
        (Version(1, 8), "A cluster can be upgraded."),
        (Version(1, 9), "Node groups."),
        (Version(1, 10), "A cluster may have no nodes."),
    ),
)
SERVICES: Final = (IDENTITY, CONTAINER_INFRA)


def service_of(path: str) -> Service | None:
    """Return the service that a path belongs to, if it is one of ours."""
    for service in SERVICES:
        if path == service.prefix or path.startswith(service.prefix + "/"):
            return service
    return None
