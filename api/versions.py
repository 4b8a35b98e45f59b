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
    """One API: its OpenStack type, the path it lives under, and what each microversion added, in order.

    `header` is the word that its clients' version header has for it, where it is not the type.
    """

    type: str
    prefix: str
    aliases: frozenset[str] = frozenset()
    history: tuple[tuple[Version, str], ...] = ()
    header: str = ""

    @property
    def word(self) -> str:
        return self.header or self.type

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
            if len(words) == 2 and words[0].lower() in {self.type, self.word, *self.aliases}:  # noqa: PLR2004 (service, version)
                return self._known(words[1])
        raise problems.VersionNotAcceptable(
            f"Invalid value for {HEADER} header: it names no version of {self.word}.",
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


def _history(first: Version, *added: str) -> tuple[tuple[Version, str], ...]:
    """Return one microversion after the other, from the first one on."""
    return tuple((Version(first.major, first.minor + number), what) for number, what in enumerate(added))


IDENTITY: Final = Service(type="identity", prefix="/identity")
CONTAINER_INFRA: Final = Service(
    type="container-infra",
    prefix="/container-infra",
    aliases=frozenset({"container-infrastructure-management", "container-infrastructure"}),
    history=_history(
        Version(1, 1),
        "The first version: bays and baymodels, clusters and cluster templates.",
        "Creating, updating and deleting answer 202 with the uuid alone.",
        "An update takes `rollback`.",
        "Statistics.",
        "Rotation of a cluster's certificate authority.",
        "Quotas.",
        "A cluster can be resized.",
        "A cluster can be upgraded.",
        "Node groups.",
        "A cluster may have no nodes.",
    ),
)
BLOCK_STORAGE: Final = Service(
    type="block-storage",
    prefix="/volume",
    header="volume",
    history=_history(
        Version(3, 0),
        "The first version: volumes, snapshots, types, transfers, quotas, services.",
        "Uploading a volume as an image takes `visibility` and `protected`.",
        "The list filter `bootable` tells true from false.",
        "Messages: why something failed.",
        "Volumes are filtered by `glance_metadata`.",
        "Messages are listed in pages.",
        "A consistency group's name and description may be emptied.",
        "Clusters of services; `cluster_name` in the list of services.",
        "Volumes and snapshots that are there already can be managed.",
        "A backup can be updated.",
        "Volumes are filtered by `group_id`.",
        "Group types and their specs.",
        "The summary of volumes.",
        "Groups; `group_id` of a volume.",
        "Group snapshots, and groups made from them; `group_snapshot_id` of a snapshot.",
        "Metadata have an ETag, and heed If-Match.",
        "A volume can be migrated to a cluster.",
        "What can be managed is listed by cluster as well.",
        "A backup's project.",
        "A group snapshot's status can be reset.",
        "A group's status can be reset.",
        "`provider_id` of a volume, for admins.",
        "Snapshots are filtered by metadata.",
        "Deleting a volume takes `force`.",
        "Clean-up of what a lost service left.",
        "The volumes of a group.",
        "Fail-over of clusters.",
        "Attachments.",
        "Pools are filtered.",
        "Group snapshots are filtered, sorted and listed in pages.",
        "Snapshots are sorted by name.",
        "Which filters a list takes is configured.",
        "A service's log levels can be read and set.",
        "The filters of each list can be asked for.",
        "Filters by a part of a text (`name~`).",
        "Pools are filtered by volume type.",
        "The summary of volumes has their metadata.",
        "Backups are sorted by name.",
        "Replication of groups.",
        "Limits are filtered by project, for admins.",
        "A volume can be reverted to its latest snapshot.",
        "`user_id` of a snapshot.",
        "A volume in use can be extended.",
        "Backups have metadata.",
        "An attachment can be completed.",
        "Lists of volumes, snapshots and backups tell their `count`.",
        "A volume can be made from an image of no size.",
        "A volume can be made from a backup.",
        "`shared_targets` and `service_uuid` of a volume.",
        "A service tells the state of its storage.",
        "Multiattach by volume type.",
        "A backup may go to another availability zone.",
        "A type may name its availability zones; types are filtered by extra specs.",
        "Bodies are checked strictly.",
        "Creating an attachment takes `mode`.",
        "A volume is transferred with its snapshots.",
        "`user_id` of a backup.",
        "A transfer tells both projects, and whether it was accepted.",
        "`project_id` of groups and group snapshots.",
        "Transfers are listed in pages.",
        "Volumes are filtered by when they were made or changed.",
        "`cluster_name` of a volume, for admins.",
        "Default types of projects.",
        "`volume_type_id` of a volume.",
        "`encryption_key_id` of volumes and backups.",
        "`consumes_quota` of volumes and snapshots, and a filter by it.",
        "A snapshot of a volume in use needs no `force`.",
        "URLs need no project.",
        "A volume can be imaged anew.",
        "`shared_targets` may be null.",
        "Encrypted volumes can be transferred.",
        "The end of an extension can be reported from outside.",
    ),
)
SERVICES: Final = (IDENTITY, CONTAINER_INFRA, BLOCK_STORAGE)


def service_of(path: str) -> Service | None:
    """Return the service that a path belongs to, if it is one of ours."""
    for service in SERVICES:
        if path == service.prefix or path.startswith(service.prefix + "/"):
            return service
    return None
