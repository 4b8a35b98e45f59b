from __future__ import annotations

import os
import subprocess
import unittest
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.backends import filesystems
from tests.backends.directories import OnDirectories
from volumes.backends.base import Backend


class PlainDirectoryTests(OnDirectories, unittest.TestCase):
    """Where files cannot share blocks: copies are chunked and sparse."""


class ImageTests(OnDirectories):
    """On a file system of its own kind. With `every` = 1 these take a minute each."""

    instant = True
    every = 3
    kind: str

    @classmethod
    def file_system(cls) -> AbstractContextManager[Path]:
        return filesystems.loop_mounted(cls.kind)

    @contextmanager
    def small(self) -> Iterator[tuple[Backend, str]]:
        ballast = self.base / "ballast"
        subprocess.run(["sync", "-f", str(self.base)], check=True)  # what was deleted is free only then
        space = os.statvfs(self.base)
        try:
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize - 12 * 2**20)
            yield self.backend, "a"
        finally:
            ballast.unlink()


class XfsTests(ImageTests, unittest.TestCase):
    kind = "xfs"


class BtrfsTests(ImageTests, unittest.TestCase):
    kind = "btrfs"
