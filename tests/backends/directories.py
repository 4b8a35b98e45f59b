"""Directories as the storage behind a back-end under test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.backends import filesystems
from tests.backends.conformance import BackendConformance
from tests.backends.storage import CHUNK
from volumes.backends.base import Backend, Ref
from volumes.backends.directory.connect import Access
from volumes.backends.directory.copying import Pace
from volumes.backends.directory.driver import DirectoryBackend
from volumes.backends.directory.pool import Pool, prepare


class OnDirectories(BackendConformance):
    """How the suite reaches into directories."""

    base: Path
    paths: dict[str, Path]
    instant = False

    @classmethod
    def file_system(cls) -> AbstractContextManager[Path]:
        return filesystems.directory()

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.base = cls.enterClassContext(cls.file_system())

    def setUp(self) -> None:
        self.paths = {name: self.base / name for name in ("a", "b")}
        for path in self.paths.values():
            prepare(str(path))
            self.addCleanup(shutil.rmtree, path)
        super().setUp()

    def make_backend(self) -> DirectoryBackend:
        pools = [Pool(name, str(path)) for name, path in self.paths.items()]
        access = Access("local", frozenset({"here"}))
        return DirectoryBackend("one", pools, access=access, pace=Pace(CHUNK), patience=0.01)

    def tidy(self) -> None:
        self.make_backend().prune(-60)

    def connector(self) -> dict[str, object]:
        return {"host": "here", "ip": "192.0.2.1", "initiator": "iqn.1993-08.org.debian:01:1"}

    def file(self, thing: Ref) -> Path:
        return self.paths[thing.pool] / "volumes" / str(thing.id)

    def read(self, thing: Ref) -> bytes:
        return self.file(thing).read_bytes()

    def write(self, thing: Ref, offset: int, data: bytes) -> None:
        with self.file(thing).open("r+b") as file:
            file.seek(offset)
            file.write(data)

    @contextmanager
    def gone(self) -> Iterator[None]:
        for path in self.paths.values():
            path.rename(f"{path}.away")
            path.mkdir()
        yield
        for path in self.paths.values():
            path.rmdir()  # it is empty
            Path(f"{path}.away").rename(path)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        path = str(self.base)
        with filesystems.mounted("--bind", "-o", "ro", path, path):
            yield

    @contextmanager
    def small(self) -> Iterator[tuple[Backend, str]]:
        path = self.base / "small"
        path.mkdir()
        self.addCleanup(shutil.rmtree, path)
        with filesystems.mounted("-t", "tmpfs", "-o", "size=8m", "none", str(path)):
            prepare(str(path))
            self.paths = {"small": path}
            yield self.make_backend(), "small"

    def test_reports_whether_copies_are_instant(self) -> None:
        for pool in self.backend.stats():
            self.assertIs(pool.capabilities["instant_copies"], self.instant)
            self.assertIs(pool.capabilities["snapshot_in_use"], self.instant)


class DirectoryCase(OnDirectories):
    """With OnDirectories' reach into the pools, but none of the suite's tests."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in dir(OnDirectories):
            if name.startswith("test_") and name not in vars(cls):
                setattr(cls, name, None)

    backend: DirectoryBackend

    def part(self, thing: Ref) -> Path:
        (found,) = (self.paths[thing.pool] / "fences" / str(thing.id)).glob("*/part.*")
        return found

    def fence(self, thing: Ref) -> Path:
        (found,) = (self.paths[thing.pool] / "fences" / str(thing.id)).glob("*/fence")
        return found
