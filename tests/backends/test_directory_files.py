from __future__ import annotations

import os
import signal
import stat
import time
import unittest
import uuid

from tests.backends import filesystems
from tests.backends.directories import DirectoryCase
from tests.backends.interruption import FINISHED, interrupt
from tests.backends.storage import CHUNK, SIZE, always
from volumes.backends.base import Finished, Ref, Refused, Unavailable
from volumes.backends.directory.attempt import Attempt
from volumes.backends.directory.connect import Access
from volumes.backends.directory.copying import Pace
from volumes.backends.directory.driver import DirectoryBackend
from volumes.backends.directory.pool import DIRECTORY, MARKER, Pool, prepare

DATA = os.urandom(SIZE)


class FileTests(DirectoryCase, unittest.TestCase):
    def test_copies_keep_holes(self) -> None:
        source, target = self.ref(), self.ref(1)
        self.backend.create(source, 2**40, epoch=1)
        self.write(source, 2**39, b"far out")
        self.assertEqual(self.backend.copy(source, target, 2**40, epoch=1, go_on=always), Finished())
        self.assertLess(self.file(target).stat().st_blocks * 512, 2**20)
        with self.file(target).open("rb") as file:
            file.seek(2**39)
            self.assertEqual(file.read(7), b"far out")

    def test_nobody_else_may_look_inside(self) -> None:
        volume = self.volume()
        for path in self.paths["a"].rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            self.assertEqual(mode, 0o700 if path.is_dir() else 0o600, path)
        self.assertTrue(self.file(volume).exists())

    def test_it_follows_no_link_that_was_laid_for_it(self) -> None:
        secret = self.base / "secret"
        secret.write_bytes(DATA)
        self.addCleanup(secret.unlink)
        link = self.ref()
        self.file(link).symlink_to(secret)
        for verb in (
            lambda: self.backend.create(link, SIZE, epoch=1),
            lambda: self.backend.extend(link, 2 * SIZE, epoch=1),
            lambda: self.backend.copy(link, self.ref(), SIZE, epoch=1, go_on=always),
            lambda: self.backend.connect(link, self.connector(), epoch=1, read_only=False),
            lambda: self.backend.delete(link, epoch=1),
        ):
            with self.assertRaises(Refused):
                verb()
        self.assertEqual(secret.read_bytes(), DATA)
        (found,) = self.backend.inventory()
        self.assertEqual((found.name, found.id), (str(link.id), None))

    def test_the_inventory_shows_what_is_none_of_ours(self) -> None:
        volumes = self.paths["a"] / "volumes"
        names = {"letters", str(uuid.uuid4()).upper(), f"{uuid.uuid4()}.bak"}
        for name in names:
            (volumes / name).write_bytes(b"12345")
        found = list(self.backend.inventory())
        self.assertEqual({one.name for one in found}, names)
        self.assertEqual({(one.id, one.size, one.partial) for one in found}, {(None, 5, False)})

    def test_a_copy_rate_is_kept(self) -> None:
        source, target = self.volume(DATA), self.ref()
        pools = [Pool("a", str(self.paths["a"]))]
        slow = DirectoryBackend("one", pools, access=self.backend._access, pace=Pace(CHUNK, rate=4 * SIZE))
        began = time.monotonic()
        slow.copy(source, target, SIZE, epoch=1, go_on=always)
        self.assertGreater(time.monotonic() - began, 0.2)

    @unittest.skipUnless(os.geteuid() == 0, "Only root can become nobody.")
    def test_without_permission_it_is_unavailable(self) -> None:
        volume = self.volume()

        def work() -> None:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            for verb in (
                lambda: self.backend.extend(volume, 2 * SIZE, epoch=2),
                lambda: self.backend.create(self.ref(), SIZE, epoch=2),
                self.backend.stats,
                lambda: list(self.backend.inventory()),
            ):
                try:
                    verb()
                except Unavailable:
                    continue
                raise AssertionError("It did what it must not.")

        child = interrupt(work, before=10**9, by=signal.SIGKILL)
        self.assertEqual(os.waitstatus_to_exitcode(child.status), FINISHED)

    def test_a_pool_without_its_marker_is_none(self) -> None:
        volume = self.volume()
        (self.paths["a"] / MARKER).unlink()
        with self.assertRaises(Unavailable):
            self.backend.delete(volume, epoch=2)
        self.assertTrue(self.file(volume).exists())
        (self.paths["a"] / MARKER).touch()
        self.backend.delete(volume, epoch=2)


class GrowTests(unittest.TestCase):
    def test_a_grow_that_comes_late_takes_nothing_away(self) -> None:
        """Its stat was before its successor's grow and the user's write, its fallocate is after them."""
        path = self.enterContext(filesystems.directory())
        prepare(str(path))
        root = os.open(path, DIRECTORY)
        self.addCleanup(os.close, root)
        thing = uuid.uuid4()
        volume = path / "volumes" / str(thing)
        volume.write_bytes(DATA)

        class Late(Attempt):
            def verify(self) -> None:
                volume.write_bytes(DATA * 4)

        self.assertTrue(Late(root, thing, 1, 1).grow(2 * SIZE))
        self.assertEqual(volume.read_bytes(), DATA * 4)

    def test_without_fallocate_extend_is_refused_and_all_else_works(self) -> None:
        path = self.enterContext(filesystems.loop_mounted("ext3")) / "pool"
        prepare(str(path))
        access = Access("local", frozenset({"here"}))
        backend = DirectoryBackend("old", [Pool("a", str(path))], access=access, pace=Pace())
        volume, copy = Ref("a", uuid.uuid4()), Ref("a", uuid.uuid4())
        backend.create(volume, SIZE, epoch=1)
        with self.assertRaises(Refused):
            backend.extend(volume, 2 * SIZE, epoch=2)
        self.assertEqual(backend.copy(volume, copy, 2 * SIZE, epoch=1, go_on=always), Finished())
        self.assertEqual((path / "volumes" / str(copy.id)).stat().st_size, 2 * SIZE)
