"""What each verb promises, called once, twice, late, out of order and all at once."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from tests.backends.storage import CHUNK, SIZE, BackendCase, always, never
from volumes.backends.base import Fenced, Finished, NotThere, Ref, Refused, Unavailable, Underway

DATA = os.urandom(SIZE)
HOLES = os.urandom(CHUNK) + bytes(CHUNK) + os.urandom(CHUNK // 2) + bytes(SIZE - 2 * CHUNK - CHUNK // 2)


class CreatePromises(BackendCase):
    def test_a_new_volume_is_zeros_of_its_size(self) -> None:
        for size in (1, 4096, SIZE, SIZE + 1):
            volume = self.ref()
            self.backend.create(volume, size, epoch=1)
            self.assertEqual(self.content(volume), bytes(size))
        self.assert_no_stray()

    def test_a_doubled_create_keeps_what_was_written_since(self) -> None:
        volume = self.volume(DATA)
        for epoch in (1, 1, 2):
            self.make_backend().create(volume, SIZE, epoch=epoch)
        self.assertEqual(self.content(volume), DATA)

    def test_old_bytes_are_never_seen_in_a_new_volume(self) -> None:
        old = self.volume(b"secret" * 1000 + bytes(SIZE))
        self.backend.delete(old, epoch=2)
        new = self.volume()
        self.backend.create(old, SIZE, epoch=3)
        self.assertEqual((self.content(new), self.content(old)), (bytes(SIZE), bytes(SIZE)))

    def test_a_size_that_none_can_have_is_refused(self) -> None:
        for size in (0, -1, 2**63, 2**80):
            with self.assertRaises(Refused):
                self.backend.create(self.ref(), size, epoch=1)
        self.assertEqual(list(self.backend.inventory()), [])

    def test_a_pool_that_this_node_does_not_know_is_unavailable(self) -> None:
        with self.assertRaises(Unavailable):
            self.backend.create(Ref("elsewhere", uuid.uuid4()), SIZE, epoch=1)


class CopyPromises(BackendCase):
    def test_a_copy_has_the_bytes_of_its_source_then_zeros(self) -> None:
        for data in (DATA, HOLES, bytes(SIZE), DATA[:-100]):
            for pool in (0, 1):
                source, target = self.volume(data), self.ref(pool)
                done = self.backend.copy(source, target, SIZE + 5000, epoch=1, go_on=always)
                self.assertEqual(done, Finished())
                self.assertEqual(self.content(target), data + bytes(SIZE + 5000 - len(data)))
        self.assert_no_stray()

    def test_copy_and_source_go_their_own_ways(self) -> None:
        source, target = self.volume(DATA), self.ref()
        self.backend.copy(source, target, SIZE, epoch=1, go_on=always)
        self.write(source, 0, b"new source")
        self.write(target, 100, b"new target")
        self.assertEqual(self.content(source), b"new source" + DATA[10:])
        self.assertEqual(self.content(target), DATA[:100] + b"new target" + DATA[110:])

    def test_many_workers_finish_it_in_turns(self) -> None:
        source, target = self.volume(HOLES), self.ref(1)
        copied = []
        for epoch in range(1, 50):
            done = self.make_backend().copy(source, target, SIZE, epoch=epoch, go_on=never)
            if isinstance(done, Finished):
                break
            self.assertIsInstance(done, Underway)
            self.assertIsNone(self.content(target))
            copied.append(done.copied)
        self.assertEqual(copied, sorted(set(copied)))
        self.assertEqual(self.content(target), HOLES)
        self.assert_no_stray()

    def test_a_lost_lease_publishes_nothing_and_the_next_worker_goes_on(self) -> None:
        class LeaseLostError(Exception):
            pass

        def lost() -> bool:
            raise LeaseLostError

        source, target = self.volume(DATA), self.ref(1)
        try:
            self.backend.copy(source, target, SIZE, epoch=1, go_on=lost)
        except LeaseLostError:
            self.assertIsNone(self.content(target))
        self.to_the_end(lambda: self.make_backend().copy(source, target, SIZE, epoch=2, go_on=never))
        self.assertEqual(self.content(target), DATA)
        self.assert_no_stray()

    def test_what_was_copied_of_an_older_source_is_not_taken_over(self) -> None:
        source, target = self.volume(DATA), self.ref(1)
        if not isinstance(self.backend.copy(source, target, SIZE, epoch=1, go_on=never), Underway):
            self.skipTest("Copies are instant here.")
        self.write(source, 0, bytes(CHUNK))
        self.to_the_end(lambda: self.backend.copy(source, target, SIZE, epoch=2, go_on=never))
        self.assertEqual(self.content(target), bytes(CHUNK) + DATA[CHUNK:])

    def test_a_doubled_copy_needs_its_source_no_more(self) -> None:
        source, target = self.volume(DATA), self.ref()
        self.backend.copy(source, target, SIZE, epoch=1, go_on=always)
        self.backend.delete(source, epoch=2)
        self.assertEqual(self.backend.copy(source, target, SIZE, epoch=2, go_on=always), Finished())
        self.assertEqual(self.content(target), DATA)

    def test_it_refuses_what_cannot_be(self) -> None:
        target = self.ref()
        with self.assertRaises(NotThere):
            self.backend.copy(self.ref(), target, SIZE, epoch=1, go_on=always)
        with self.assertRaises(Refused):
            self.backend.copy(self.volume(DATA), target, SIZE - 1, epoch=2, go_on=always)
        self.assertIsNone(self.content(target))
        self.assert_no_stray()


class SnapshotPromises(BackendCase):
    def test_a_snapshot_stays_as_the_volume_was(self) -> None:
        volume = self.volume(DATA)
        snapshot = self.snapshot(volume)
        self.write(volume, 0, b"later")
        self.backend.extend(volume, 2 * SIZE, epoch=2)
        self.assertEqual(self.backend.snapshot(volume, snapshot, epoch=2, go_on=always), Finished())
        self.assertEqual(self.content(snapshot), DATA)
        self.backend.delete(volume, epoch=3)
        self.assertEqual(self.content(snapshot), DATA)

    def test_there_is_none_of_a_volume_that_is_missing(self) -> None:
        with self.assertRaises(NotThere):
            self.backend.snapshot(self.ref(), self.ref(), epoch=1, go_on=always)

    def test_revert_brings_the_bytes_back_and_keeps_the_size(self) -> None:
        volume = self.volume(DATA)
        snapshot = self.snapshot(volume)
        self.write(volume, 0, bytes(SIZE))
        self.backend.extend(volume, SIZE + CHUNK, epoch=2)
        for epoch in (3, 3, 4):
            self.write(volume, CHUNK, b"later")
            self.to_the_end(partial(self.backend.revert, volume, snapshot, epoch=epoch, go_on=never))
            self.assertEqual(self.content(volume), DATA + bytes(CHUNK))
        self.assertEqual(self.content(snapshot), DATA)
        self.assert_no_stray()

    def test_an_unfinished_revert_is_no_start_for_another(self) -> None:
        volume = self.volume(DATA)
        first = self.snapshot(volume)
        self.write(volume, 0, HOLES)
        second = self.snapshot(volume)
        self.backend.revert(volume, first, epoch=2, go_on=never)
        self.to_the_end(lambda: self.backend.revert(volume, second, epoch=3, go_on=never))
        self.assertEqual(self.content(volume), HOLES)
        self.assert_no_stray()

    def test_revert_needs_both(self) -> None:
        volume = self.volume()
        with self.assertRaises(NotThere):
            self.backend.revert(volume, self.ref(), epoch=2, go_on=always)
        with self.assertRaises(NotThere):
            self.backend.revert(self.ref(), volume, epoch=2, go_on=always)
        self.assert_no_stray()


class ExtendAndDeletePromises(BackendCase):
    def test_extend_adds_zeros_and_never_shrinks(self) -> None:
        volume = self.volume(DATA[:-1])
        for size in (SIZE, 3 * SIZE, 3 * SIZE, SIZE, 1):
            self.backend.extend(volume, size, epoch=2)
        self.assertEqual(self.content(volume), DATA[:-1] + bytes(2 * SIZE + 1))

    def test_extend_needs_the_volume(self) -> None:
        with self.assertRaises(NotThere):
            self.backend.extend(self.ref(), SIZE, epoch=1)
        with self.assertRaises(Refused):
            self.backend.extend(self.volume(), 0, epoch=2)

    def test_delete_leaves_nothing_however_often(self) -> None:
        volume, never_made = self.volume(DATA), self.ref()
        for epoch in (2, 2, 3):
            self.backend.delete(volume, epoch=epoch)
            self.backend.delete(never_made, epoch=epoch)
        self.assertEqual(list(self.backend.inventory()), [])

    def test_delete_takes_the_unfinished_along(self) -> None:
        source, target = self.volume(DATA), self.ref(1)
        self.backend.copy(source, target, SIZE, epoch=1, go_on=never)
        self.backend.delete(target, epoch=2)
        self.assertEqual([found.id for found in self.backend.inventory()], [source.id])


class FencePromises(BackendCase):
    def test_a_lower_epoch_does_nothing(self) -> None:
        volume, other = self.volume(DATA), self.volume(HOLES)
        snapshot = self.snapshot(other)
        self.backend.fence(volume, epoch=7)
        stale: list[Callable[[], object]] = [
            lambda: self.backend.create(volume, SIZE, epoch=6),
            lambda: self.backend.copy(other, volume, SIZE, epoch=6, go_on=always),
            lambda: self.backend.snapshot(other, volume, epoch=6, go_on=always),
            lambda: self.backend.revert(volume, snapshot, epoch=6, go_on=always),
            lambda: self.backend.extend(volume, 2 * SIZE, epoch=6),
            lambda: self.backend.delete(volume, epoch=6),
            lambda: self.backend.fence(volume, epoch=6),
        ]
        for verb in stale:
            with self.assertRaises(Fenced):
                verb()
        self.assertEqual(self.content(volume), DATA)
        self.backend.extend(volume, SIZE, epoch=7)

    def test_what_was_deleted_is_not_made_again_by_a_stale_create(self) -> None:
        volume, source = self.volume(), self.volume(DATA)
        self.backend.delete(volume, epoch=5)
        with self.assertRaises(Fenced):
            self.backend.create(volume, SIZE, epoch=4)
        with self.assertRaises(Fenced):
            self.backend.copy(source, volume, SIZE, epoch=4, go_on=always)
        self.assertIsNone(self.content(volume))

    def test_things_are_fenced_each_on_its_own(self) -> None:
        volume = self.volume(DATA)
        self.backend.fence(volume, epoch=50)
        snapshot = self.snapshot(volume)
        self.backend.connect(volume, self.connector(), epoch=1, read_only=False)
        self.assertEqual(self.content(snapshot), DATA)

    def test_of_many_at_once_the_highest_epoch_always_finishes(self) -> None:
        source = self.volume(DATA)
        for round_ in range(5):
            target = self.ref(round_)

            def work(epoch: int, target: Ref = target) -> str:
                try:
                    backend = self.make_backend()
                    self.to_the_end(lambda: backend.copy(source, target, SIZE, epoch=epoch, go_on=never))
                except (Fenced, Unavailable) as error:
                    return type(error).__name__
                return "Finished"

            with ThreadPoolExecutor(8) as threads:
                outcomes = list(threads.map(work, [1, 5, 2, 6, 3, 7, 4, 8]))
            self.assertEqual(outcomes[-1], "Finished")
            self.assertLessEqual(set(outcomes), {"Finished", "Fenced"})
            self.assertEqual(self.content(target), DATA)
            self.assert_no_stray()

    def test_doubled_calls_at_once_do_it_once(self) -> None:
        source = self.volume(DATA)
        for _ in range(5):
            target = self.ref(1)

            def work(_: int, target: Ref = target) -> None:
                with suppress(Fenced):  # another call of the same claim has taken over
                    self.make_backend().copy(source, target, SIZE, epoch=1, go_on=always)

            with ThreadPoolExecutor(4) as threads:
                list(threads.map(work, range(4)))
            self.assertEqual(self.content(target), DATA)
            self.assert_no_stray()
