from __future__ import annotations

import os
import signal
import threading
import time
import unittest
from contextlib import suppress
from functools import partial
from ipaddress import ip_network

from tests.backends.directories import DirectoryCase
from tests.backends.interruption import FENCED, FINISHED, interrupt
from tests.backends.storage import CHUNK, SIZE, always, never
from volumes.backends.base import Finished, Ref, Refused, Underway
from volumes.backends.directory.connect import Access
from volumes.backends.directory.copying import Pace
from volumes.backends.directory.driver import DirectoryBackend
from volumes.backends.directory.fence import places
from volumes.backends.directory.pool import DIRECTORY, Pool

DATA = os.urandom(SIZE)


class UnfinishedTests(DirectoryCase, unittest.TestCase):
    def copied(self, source: Ref, target: Ref, epoch: int) -> int:
        done = self.backend.copy(source, target, SIZE, epoch=epoch, go_on=never)
        return done.copied if isinstance(done, Underway) else SIZE

    def test_it_goes_on_in_the_same_file_after_a_dead_writer(self) -> None:
        source, target = self.volume(DATA), self.ref()
        self.copied(source, target, 1)
        inode = self.part(target).stat().st_ino
        interrupt(lambda: self.copied(source, target, 2), before=25, by=signal.SIGKILL)
        self.assertEqual(self.part(target).stat().st_ino, inode)
        self.assertEqual(self.copied(source, target, 3), 2 * CHUNK)
        self.assertEqual(self.part(target).stat().st_ino, inode)

    def test_it_never_touches_the_file_of_a_writer_that_is_still_there(self) -> None:
        source, target = self.volume(DATA), self.ref()
        self.copied(source, target, 1)
        held = self.part(target).open("rb")
        self.addCleanup(held.close)
        frozen = interrupt(lambda: self.copied(source, target, 2), before=25, by=signal.SIGSTOP)
        self.addCleanup(frozen.thaw)
        self.assertEqual(self.copied(source, target, 3), CHUNK)
        self.assertEqual(os.fstat(held.fileno()).st_nlink, 0)

    def test_a_writer_that_is_overtaken_leaves_and_its_work_is_gone_on_with(self) -> None:
        source, target = self.volume(DATA), self.ref()
        backend = DirectoryBackend(
            "one",
            [Pool("a", str(self.paths["a"]))],
            access=self.backend._access,
            pace=Pace(CHUNK),
            patience=5,
        )
        inside, errors, end = threading.Event(), [], time.monotonic() + 60

        def slow() -> bool:
            inside.set()
            with suppress(ValueError):  # it is being replaced
                while self.fence(target).parent.name.partition(".")[0] == "1" and time.monotonic() < end:
                    time.sleep(0.01)
            return True

        def first() -> None:
            try:
                backend.copy(source, target, SIZE, epoch=1, go_on=slow)
            except Exception as error:  # noqa: BLE001 (it is looked at below)
                errors.append(type(error).__name__)

        thread = threading.Thread(target=first)
        thread.start()
        self.assertTrue(inside.wait(60))
        self.assertEqual(backend.copy(source, target, SIZE, epoch=2, go_on=always), Finished())
        thread.join()
        self.assertEqual(errors, ["Fenced"])
        self.assertEqual(self.content(target), DATA)

    def test_a_torn_record_is_not_believed(self) -> None:
        source, target = self.volume(DATA), self.ref()
        self.copied(source, target, 1)
        whole = self.fence(target).read_bytes()
        self.copied(source, target, 2)
        self.fence(target).write_bytes(self.fence(target).read_bytes()[:-20])
        self.assertEqual(self.copied(source, target, 3), 2 * CHUNK)
        self.fence(target).write_bytes(whole.replace(b'"copied": 65536', b'"copied": 99999'))
        self.assertEqual(self.copied(source, target, 4), CHUNK)

    def test_what_is_published_is_never_taken_for_unfinished(self) -> None:
        """A worker dies between the link and the unlink: part and volume are one file."""
        volume = self.volume(DATA)
        snapshot, target = self.snapshot(volume), self.ref()
        self.copied(snapshot, target, 1)
        for before in range(1, 200):
            child = interrupt(
                lambda: self.backend.copy(snapshot, target, SIZE, epoch=2, go_on=always),
                before=before,
                by=signal.SIGSTOP,
            )
            if self.file(target).exists():
                child.kill()
                break
            child.kill()
        self.assertEqual(self.file(target).stat().st_nlink, 2)
        self.write(target, 0, bytes(SIZE))
        self.assertEqual(self.backend.revert(target, snapshot, epoch=3, go_on=always), Finished())
        self.assertEqual(self.content(target), DATA)
        self.assert_no_stray()

    def test_it_publishes_over_no_file_of_another(self) -> None:
        source, target = self.volume(DATA), self.ref()

        def somebody_else() -> bool:
            self.file(target).write_bytes(b"not ours")
            return True

        with self.assertRaises(Refused):
            self.backend.copy(source, target, SIZE, epoch=1, go_on=somebody_else)
        self.assertEqual(self.content(target), b"not ours")


class ThreeWorkersTests(DirectoryCase, unittest.TestCase):
    def test_a_first_call_that_wakes_late_opens_no_way_past_a_fence(self) -> None:
        """A place made late, where another one has been, could be overtaken by one who then believes to be alone."""
        for function, before in (("mkdir", 1), ("mkdir", 2), ("rename", 1)):
            with self.subTest(function=function, before=before):
                target = self.ref()
                create = partial(self.backend.create, target, SIZE)
                late = interrupt(partial(create, epoch=4), before=before, by=signal.SIGSTOP, of=function)
                delete = partial(self.backend.delete, target, epoch=6)
                overtaking = interrupt(delete, before=2, by=signal.SIGSTOP, of="rename")
                publishing = interrupt(partial(create, epoch=5), before=1, by=signal.SIGSTOP, of="link")
                self.assertTrue(late.interrupted and overtaking.interrupted and publishing.interrupted)
                self.assertEqual(late.thaw(), FENCED)
                self.assertEqual(overtaking.thaw(), FINISHED)
                self.assertEqual(publishing.thaw(), FENCED)
                self.assertIsNone(self.content(target))
                self.assert_no_stray()


class ConnectTests(DirectoryCase, unittest.TestCase):
    def nfs(self) -> DirectoryBackend:
        access = Access(
            "nfs", frozenset(), (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")), "vers=4.2"
        )
        return DirectoryBackend(
            "n", [Pool("a", str(self.paths["a"]), "10.0.0.5:/srv/a")], access=access, pace=Pace()
        )

    def test_a_local_consumer_gets_a_path(self) -> None:
        volume = self.volume()
        info = self.backend.connect(volume, self.connector(), epoch=1, read_only=False)
        self.assertEqual(info["driver_volume_type"], "local")
        self.assertEqual(info["data"]["device_path"], str(self.file(volume)))
        self.assertEqual(info["data"]["format"], "raw")

    def test_an_nfs_client_gets_the_share_of_volumes_alone(self) -> None:
        volume = self.volume()
        for address in ("192.0.2.9", "2001:db8::1"):
            connector = {"host": "anyone", "ip": address}
            info = self.nfs().connect(volume, connector, epoch=1, read_only=True)
            self.assertEqual(info["driver_volume_type"], "nfs")
            data = info["data"]
            self.assertEqual((data["export"], data["name"]), ("10.0.0.5:/srv/a/volumes", str(volume.id)))
            self.assertEqual(
                (data["options"], data["format"], data["access_mode"]), ("-o vers=4.2", "raw", "ro")
            )

    def test_an_nfs_client_from_elsewhere_is_refused(self) -> None:
        volume = self.volume()
        for address in (
            "192.0.3.1",
            "::ffff:192.0.2.1",
            "",
            "x",
            "192.0.2.0/24",
            None,
            3221225985,
            "1" * 10**6,
        ):
            with self.assertRaises(Refused):
                self.nfs().connect(volume, {"host": "anyone", "ip": address}, epoch=1, read_only=False)


class PruneTests(DirectoryCase, unittest.TestCase):
    def test_it_forgets_the_fences_of_what_is_gone_and_of_nothing_else(self) -> None:
        kept, gone, half = self.volume(), self.volume(), self.ref()
        self.backend.copy(kept, half, SIZE, epoch=1, go_on=never)
        self.backend.delete(gone, epoch=2)
        backend = self.make_backend()
        self.assertEqual(backend.prune(3600), 0)
        self.assertEqual(backend.prune(-60), 1)
        root = os.open(self.paths["a"], DIRECTORY)
        self.addCleanup(os.close, root)
        self.assertEqual([bool(places(root, one.id)) for one in (kept, gone, half)], [True, False, True])
        self.assertEqual(self.backend.copy(kept, half, SIZE, epoch=2, go_on=always), Finished())

    def test_it_forgets_no_fence_that_is_held(self) -> None:
        gone = self.volume()
        frozen = interrupt(lambda: self.backend.delete(gone, epoch=2), before=18, by=signal.SIGSTOP)
        self.file(gone).unlink(missing_ok=True)
        self.assertTrue(frozen.interrupted)
        self.make_backend().prune(-60)
        self.assertEqual(frozen.thaw(), FINISHED)
