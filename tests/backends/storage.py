"""What the conformance suite has to know about the storage behind a back-end."""

from __future__ import annotations

import unittest
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from volumes.backends.base import Backend, Finished, Progress, Ref, Stored, Underway

CHUNK = 64 * 1024
SIZE = 4 * CHUNK


def always() -> bool:
    return True


def never() -> bool:
    return False


if TYPE_CHECKING:
    from unittest import TestCase as Case
else:
    Case = object  # a TestCase would be run wherever it is imported


class BackendCase(Case):
    """A test with a back-end on empty storage. A subclass says how to come by one and how to reach its bytes.

    The back-end shall copy in chunks of CHUNK bytes and wait no longer than 0.1 s for a stale writer.
    """

    backend: Backend

    def make_backend(self) -> Backend:
        """Return the back-end anew, as another worker on another node has it; the storage is the same."""
        raise NotImplementedError

    def write(self, thing: Ref, offset: int, data: bytes) -> None:
        """Write as a host does that has the volume connected."""
        raise NotImplementedError

    def read(self, thing: Ref) -> bytes:
        """Return all bytes of a volume or snapshot, past the back-end's verbs."""
        raise NotImplementedError

    def connector(self) -> dict[str, object]:
        """Return a connector that the back-end serves."""
        raise NotImplementedError

    def tidy(self) -> None:
        """Have the storage as empty as at first, fences included: called between scenes, where all is deleted."""

    def gone(self) -> AbstractContextManager[None]:
        """Take the storage away for a while; what is then in its place must stay empty."""
        raise unittest.SkipTest("This back-end does not say how its storage goes away.")

    def read_only(self) -> AbstractContextManager[None]:
        """Make the storage read-only for a while."""
        raise unittest.SkipTest("This back-end does not say how its storage becomes read-only.")

    def small(self) -> AbstractContextManager[tuple[Backend, str]]:
        """Lend a back-end with a pool that has between 4 and 16 MiB of room."""
        raise unittest.SkipTest("This back-end has no small pool to fill.")

    def setUp(self) -> None:
        super().setUp()
        self.backend = self.make_backend()
        self.pools = list(self.backend.pools())
        self.made: list[Ref] = []

    def ref(self, pool: int = 0) -> Ref:
        made = Ref(self.pools[pool % len(self.pools)], uuid.uuid4())
        self.made.append(made)
        return made

    def volume(self, data: bytes | None = None, *, pool: int = 0) -> Ref:
        """Return a new volume with these bytes; the epoch is 1."""
        data = bytes(SIZE) if data is None else data
        volume = self.ref(pool)
        self.backend.create(volume, len(data), epoch=1)
        if data.strip(b"\0"):
            self.write(volume, 0, data)
        return volume

    def snapshot(self, volume: Ref) -> Ref:
        """Return a new snapshot; the epoch is 1."""
        snapshot = self.ref(self.pools.index(volume.pool))
        self.assertEqual(self.backend.snapshot(volume, snapshot, epoch=1, go_on=always), Finished())
        return snapshot

    def stored(self, thing: Ref) -> Iterator[Stored]:
        return (found for found in self.backend.inventory() if found.id == thing.id)

    def content(self, thing: Ref) -> bytes | None:
        """Return the bytes of what is stored under an id, or None."""
        return self.read(thing) if any(not found.partial for found in self.stored(thing)) else None

    def assert_no_stray(self) -> None:
        self.assertEqual(
            [found for found in self.backend.inventory() if found.partial or found.id is None], []
        )

    def to_the_end(self, verb: Callable[[], Progress | None]) -> None:
        """Call a verb until it has finished, as steps do."""
        for _ in range(200):
            if not isinstance(verb(), Underway):
                return
        self.fail("200 calls did not finish it.")
