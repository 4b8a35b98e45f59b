from __future__ import annotations

import threading
import uuid
from typing import Any
from unittest import TestCase

from bays.models import Bay
from bays.tasks import advance_bay
from volumes.models import Volume
from volumes.tasks import advance_volume
from workers import ringer
from workers.ringer import Ringer


class RingerTests(TestCase):
    """One bell for rows that come fast; the last of them is never left without."""

    def setUp(self) -> None:
        self.rung: list[Any] = []
        self.heard = threading.Semaphore(0)
        self.ringer = Ringer(self.ring)
        self.addCleanup(setattr, ringer, "GAP", ringer.GAP)

    def ring(self, task: Any, row: Any) -> None:
        self.rung.append(row.pk)
        self.heard.release()

    def await_bells(self, count: int) -> None:
        for _ in range(count):
            self.assertTrue(self.heard.acquire(timeout=10))

    def test_the_first_rings_at_once_and_the_others_together_after_the_last(self) -> None:
        ringer.GAP = 0.2
        bays = [Bay(id=uuid.uuid4()) for _ in range(5)]
        for bay in bays:
            self.ringer.ring(advance_bay, bay)
        self.assertEqual(self.rung, [bays[0].pk])
        self.await_bells(2)
        self.assertEqual(self.rung, [bays[0].pk, bays[4].pk])
        self.assertFalse(self.heard.acquire(timeout=0.5))

    def test_queues_are_rung_for_apart(self) -> None:
        ringer.GAP = 60
        rows = [Volume(id=uuid.uuid4(), backend=name, pool="one") for name in ("fast", "slow")]
        for row in rows:
            self.ringer.ring(advance_volume, row)
        self.ringer.ring(advance_bay, bay := Bay(id=uuid.uuid4()))
        self.assertEqual(self.rung, [rows[0].pk, rows[1].pk, bay.pk])

    def test_a_process_that_ends_rings_what_is_left(self) -> None:
        ringer.GAP = 60
        bays = [Bay(id=uuid.uuid4()) for _ in range(3)]
        for bay in bays:
            self.ringer.ring(advance_bay, bay)
        self.ringer.flush()
        self.ringer.flush()
        self.assertEqual(self.rung, [bays[0].pk, bays[2].pk])
