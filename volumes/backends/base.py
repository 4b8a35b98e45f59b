"""The protocol that every back-end speaks, and what it may answer.

A back-end is a driver and its configuration. Its verbs are called by workers, never by the API, outside any
transaction, by any node, at any moment, twice, late, and after another worker died in the middle of the same verb.
So each verb is idempotent: it looks at what is there, does what is missing and returns; having been done before is
success. Things are named by uuid alone, never by a user's words.

Every verb that writes carries `epoch`, the fencing token of the claim under which it runs. A back-end remembers, on
the storage itself, the highest epoch that wrote to a thing and refuses a lower one with `Fenced`; what a writer that
was frozen in a single system call still does after its successor has finished must be harmless.

Sizes are bytes. A back-end knows no rows, no tasks and no tenants.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

GIB = 2**30

GoOn = Callable[[], bool]
"""Asked between two chunks of a long verb: False ends the call with `Underway`; it raises if the lease is lost."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A volume or a snapshot, and the pool of the back-end in which it is stored."""

    pool: str
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Finished:
    """The verb has been done; what it promises is durable."""


@dataclass(frozen=True, slots=True)
class Underway:
    """The verb goes on where it stopped when it is called again, by whichever worker."""

    copied: int  # bytes
    total: int  # bytes


Progress = Finished | Underway


@dataclass(frozen=True, slots=True)
class PoolStats:
    """What a pool reports: bytes, and what it can do in the words of extra specs."""

    name: str
    total: int
    free: int
    provisioned: int  # the sum of what was promised: the sizes of all that is stored
    capabilities: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """Something found on the storage. `id` is None where the name is none of ours."""

    pool: str
    name: str
    id: uuid.UUID | None
    size: int
    partial: bool  # an unfinished write: its verb will finish or remove it


class BackendError(Exception):
    """The verb was not done. `reason` may be shown to an operator and names no path inside the storage."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unavailable(BackendError):
    """The storage cannot be reached or written now: gone, read-only, I/O errors, permission. Try again later."""


class NoSpace(BackendError):
    """The pool has no room for it: try another pool."""


class NotThere(BackendError):
    """What the verb needs (a source, a volume to extend) is not stored here: it will not come by waiting."""


class Refused(BackendError):
    """The back-end can never do this: a connector it does not serve, a size it cannot have."""


class Fenced(BackendError):
    """A writer with a newer epoch, or a newer call of the same one, has been here: the caller is stale."""


class Backend(Protocol):
    """A place that stores volumes."""

    name: str

    def pools(self) -> Sequence[str]:
        """Return the names of the configured pools, without touching the storage."""

    def stats(self) -> Sequence[PoolStats]:
        """Return what each pool reports now.

        :raises Unavailable: the storage cannot be reached; what is raised is evidence against the back-end.
        """

    def create(self, volume: Ref, size: int, *, epoch: int) -> None:
        """Have an empty volume of this size: every byte reads as zero."""

    def copy(self, source: Ref, target: Ref, size: int, *, epoch: int, go_on: GoOn) -> Progress:
        """Have `target` hold the bytes of `source` and zeros after them, up to `size`.

        The source (a volume or a snapshot) does not change meanwhile: the caller sees to that.

        :raises NotThere: the source is not stored.
        """

    def snapshot(self, volume: Ref, snapshot: Ref, *, epoch: int, go_on: GoOn) -> Progress:
        """Have `snapshot` hold the bytes of `volume` as they are now. It is never written again.

        The epoch is the snapshot's.

        :raises NotThere: the volume is not stored.
        """

    def revert(self, volume: Ref, snapshot: Ref, *, epoch: int, go_on: GoOn) -> Progress:
        """Have `volume` hold the bytes of `snapshot` again, all at once at the end; a larger size is kept.

        :raises NotThere: one of the two is not stored.
        """

    def extend(self, volume: Ref, size: int, *, epoch: int) -> None:
        """Have the volume at least this large; what is added reads as zero. It never shrinks.

        :raises NotThere: the volume is not stored.
        """

    def delete(self, thing: Ref, *, epoch: int) -> None:
        """Have nothing stored under this name, unfinished writes and fences of lower epochs included."""

    def fence(self, thing: Ref, *, epoch: int) -> None:
        """Have every writer of a lower epoch locked out, and what it left unfinished removed; nothing else changes.

        For when the control plane gives up on a verb without calling another: the verb may still be under way.
        """

    def connect(
        self, volume: Ref, connector: Mapping[str, Any], *, epoch: int, read_only: bool
    ) -> dict[str, Any]:
        """Let the host that the connector describes reach the volume; return Cinder's `connection_info`.

        The epoch is the connection's, not the volume's.

        :raises Refused: the host is none that this back-end serves.
        :raises NotThere: the volume is not stored.
        """

    def disconnect(self, volume: Ref, connector: Mapping[str, Any], *, epoch: int) -> None:
        """Let the host reach the volume no more. A volume that is gone is success."""

    def prune(self, older_than: float) -> int:
        """Forget what only keeps out late writers of things deleted more than so many seconds ago; return how much.

        :raises Unavailable: the storage cannot be reached.
        """

    def inventory(self) -> Iterator[Stored]:
        """Yield all that is stored, finished or not, ours or not, for the two-way sweep.

        :raises Unavailable: the storage cannot be reached.
        """
