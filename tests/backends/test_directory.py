from __future__ import annotations

import os
import unittest
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.backends import filesystems
from tests.backends.directories import OnDirectories
from volumes.backends.base import Backend
from volumes.backends.directory.pool import prepare


class PlainDirectoryTests(OnDirectories, unittest.TestCase):
    """Where files cannot share blocks: copies are chunked and sparse."""


class ImageTests(OnDirectories):
    """On a file system of its own kind: at each eighth point, and at others in each run."""

    instant = True
    every = 8
    kind: str

    @classmethod
    def file_system(cls) -> AbstractContextManager[Path]:
        return filesystems.loop_mounted(cls.kind)

    @contextmanager
    def small(self) -> Iterator[tuple[Backend, str]]:
        # Not on the one of the other tests: what was full once may long keep too little room for its own records.
        with filesystems.loop_mounted(self.kind) as base:
            space = os.statvfs(base)
            with (base / "ballast").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - 12 * 2**20)
            path = base / "small"
            prepare(str(path))
            self.paths = {"small": path}
            yield self.make_backend(), "small"


class XfsTests(ImageTests, unittest.TestCase):
    kind = "xfs"


class BtrfsTests(ImageTests, unittest.TestCase):
    kind = "btrfs"
