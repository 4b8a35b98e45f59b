"""Storage that is gone, read-only or full: the right word for it, nothing lost, and all well again afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.backends.storage import SIZE, BackendCase, always
from volumes.backends.base import NoSpace, Ref, Unavailable

MIB = 2**20
DATA = os.urandom(SIZE)


class TroublePromises(BackendCase):
    def writing(self, volume: Ref, snapshot: Ref) -> list[Callable[[], object]]:
        new = self.ref()
        return [
            lambda: self.backend.create(new, SIZE, epoch=9),
            lambda: self.backend.copy(volume, new, SIZE, epoch=9, go_on=always),
            lambda: self.backend.snapshot(volume, new, epoch=9, go_on=always),
            lambda: self.backend.revert(volume, snapshot, epoch=9, go_on=always),
            lambda: self.backend.extend(volume, 2 * SIZE, epoch=9),
            lambda: self.backend.delete(volume, epoch=9),
        ]

    def test_gone_storage_is_unavailable_and_nothing_is_written_in_its_place(self) -> None:
        volume = self.volume(DATA)
        snapshot = self.snapshot(volume)
        reading: list[Callable[[], object]] = [
            lambda: self.backend.connect(volume, self.connector(), epoch=9, read_only=False),
            self.backend.stats,
            lambda: list(self.backend.inventory()),
        ]
        with self.gone():
            for verb in [*self.writing(volume, snapshot), *reading]:
                with self.assertRaises(Unavailable) as raised:
                    verb()
                self.assertTrue(raised.exception.reason)
            self.make_backend().disconnect(volume, self.connector(), epoch=9)
        self.assertEqual(self.content(volume), DATA)
        self.backend.extend(volume, 2 * SIZE, epoch=10)
        self.assertEqual(self.content(volume), DATA + bytes(SIZE))
        self.assert_no_stray()

    def test_read_only_storage_is_unavailable(self) -> None:
        volume = self.volume(DATA)
        snapshot = self.snapshot(volume)
        with self.read_only():
            for verb in [*self.writing(volume, snapshot), self.backend.stats]:
                with self.assertRaises(Unavailable):
                    verb()
            self.assertEqual(self.content(volume), DATA)
        self.backend.delete(volume, epoch=10)
        self.assertIsNone(self.content(volume))
        self.assert_no_stray()

    def test_full_storage_has_no_space_and_can_be_emptied(self) -> None:
        with self.small() as (self.backend, pool):
            self.pools = [pool]
            source = self.volume(os.urandom(3 * MIB))
            copies: list[Ref] = []
            with self.assertRaises((NoSpace, OSError)) as raised:
                for _ in range(16):
                    copies.append(self.ref())
                    self.backend.copy(source, copies[-1], 3 * MIB, epoch=1, go_on=always)
                    self.write(copies[-1], 0, os.urandom(3 * MIB))
            self.assert_no_stray()
            # Where copies are instant it is the host that meets the end.
            self.assertEqual(self.content(copies[-1]) is None, isinstance(raised.exception, NoSpace))
            for copy in copies:
                self.backend.delete(copy, epoch=2)
            target = self.ref()
            self.backend.copy(source, target, 3 * MIB, epoch=1, go_on=always)
            self.assertEqual(self.content(target), self.content(source))

    def test_what_is_quite_full_can_still_be_emptied(self) -> None:
        with self.small() as (self.backend, pool):
            self.pools = [pool]
            volume = self.volume()
            self.backend.extend(volume, 64 * MIB, epoch=2)
            offset = 0
            for piece in (MIB, 4096):
                try:
                    while offset < 64 * MIB:
                        self.write(volume, offset, os.urandom(piece))
                        offset += piece
                except OSError:
                    continue
            self.assertLess(offset, 64 * MIB)
            self.assertLess(next(iter(self.backend.stats())).free, MIB)  # full is not gone
            self.backend.delete(volume, epoch=3)
            self.assertEqual(list(self.backend.inventory()), [])
            self.assertEqual(self.content(self.volume(DATA)), DATA)
