"""What a bay driver is: a bay's wishes in, a Heat template out, and the stack's outputs read back.

A driver owns nothing and does nothing: it is asked by the API (`check`) and by the steps (`template`, `outputs`)
and must answer the same for the same input, since a step may be taken twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class InvalidSpec(Exception):
    """The bay asks for something that its driver cannot give."""

    def __init__(self, reason: str, field: str) -> None:
        """Take a reason fit for users and the name of the field of `BaySpec` that is wrong."""
        super().__init__(f"{field}: {reason}")
        self.reason = reason
        self.field = field


class InvalidOutputs(Exception):
    """The stack's outputs are missing or not what the driver's template promises."""

    def __init__(self, reason: str) -> None:
        """Take a reason fit for users."""
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """What a further node group of a bay should be."""

    id: uuid.UUID
    name: str
    node_count: int
    role: str = "worker"
    labels: Mapping[str, str] = field(default_factory=dict)
    image_id: str | None = None
    flavor_id: str | None = None
    docker_volume_size: int | None = None


@dataclass(frozen=True, slots=True)
class BaySpec:
    """What a bay should be, as its row, its node groups and its baymodel say.

    `remove` and `max_batch_size` are about the way there: the names of nodes that must go, by node group, and how many
    nodes may be changed at a time. A node that was to be removed may be gone already: the step may be taken twice.
    """

    id: uuid.UUID
    name: str
    coe: str
    server_type: str
    node_count: int
    master_count: int
    labels: Mapping[str, str] = field(default_factory=dict)
    keypair: str | None = None
    image_id: str | None = None
    flavor_id: str | None = None
    master_flavor_id: str | None = None
    docker_volume_size: int | None = None
    discovery_url: str | None = None
    create_timeout: int = 60  # minutes
    groups: tuple[GroupSpec, ...] = ()
    remove: Mapping[str, Sequence[str]] = field(default_factory=dict)
    max_batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class StackTemplate:
    """What Heat needs beside a name and tags: HOT, the files it names, its parameters."""

    template: str | Mapping[str, object]
    files: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MadeNode:
    """A node that there is: its name in the stack, what users call it (a server's id), where it is."""

    name: str
    id: str
    address: str


@dataclass(frozen=True, slots=True)
class BayOutputs:
    """What a finished stack says about its bay."""

    api_address: str
    node_addresses: list[str]
    master_addresses: list[str]
    coe_version: str | None = None
    container_version: str | None = None
    nodes: Mapping[str, Sequence[MadeNode]] = field(default_factory=dict)
    """The workers, by node group; a group that is not told of has unknown ones."""


class Driver(Protocol):
    """Turns one kind of bay into one Heat stack."""

    @property
    def name(self) -> str: ...

    @property
    def serves(self) -> frozenset[tuple[str, str]]:
        """Return the pairs of (coe, server type) that this driver is for."""

    @property
    def node_types(self) -> frozenset[str]:
        """Return the types of the resources of which there is one for each node, for counting those that are done."""

    def check(self, spec: BaySpec) -> None:
        """Refuse what the driver cannot give, before the request is accepted.

        :raises InvalidSpec: a field is wrong for this driver.
        """

    def check_upgrade(self, now: BaySpec, then: BaySpec) -> None:
        """Refuse a bay's way from one spec to that of another baymodel. Both are of the coe that the driver serves.

        :raises InvalidSpec: there is no way, such as back to an older version.
        """

    def template(self, spec: BaySpec) -> StackTemplate:
        """Return the stack that is this bay; the same spec always gives the same stack.

        :raises InvalidSpec: a field is wrong for this driver.
        """

    def outputs(self, outputs: Mapping[str, object]) -> BayOutputs:
        """Read the outputs of a finished stack; they come from a cloud and are not trusted.

        :raises InvalidOutputs: one is missing or of the wrong form.
        """
