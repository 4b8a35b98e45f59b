"""Whole lives of volumes while workers are killed and frozen at random moments: every byte is where it belongs."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from lifecycle.models import Leased
from tests.faults.blows import Blows
from tests.faults.storage_ground import scribble
from tests.faults.volume_base import LEASE, MODELS, ROUNDS, VolumeFaultCase
from tests.faults.whole import say
from volumes.models import Volume


class BlowTests(VolumeFaultCase):
    def held(self) -> list[Leased]:
        return [row for model in MODELS for row in model._default_manager.filter(holder__isnull=False)]

    def blows(self, *ways: str, pause: float) -> Blows:
        longest = 2 * LEASE
        return Blows(self.nodes, self.held, self.rng, ways=ways, pause=pause, longest=longest)

    def say(self, blows: Blows) -> None:
        taken = Counter(event.from_status for event in self.events("take_over"))
        say(
            f"struck {dict(blows.struck)}, taken over {dict(taken)}, doubles prevented {self.stale_refused()}"
        )

    def test_lives_with_long_copies_keep_every_byte(self) -> None:
        with self.blows("child", "child", "child", "freeze", "worker", pause=0.8) as blows:
            for _ in range(ROUNDS):
                self.side_by_side("slow", "slow", "slow", "fast", "fast")
        self.say(blows)
        self.assertTrue(self.events("take_over"))
        self.assert_all_is_well()

    def side_by_side(self, *kinds: str) -> None:
        with ThreadPoolExecutor(len(kinds)) as pool:
            stories = [pool.submit(self.life, kind, random.Random(self.rng.random())) for kind in kinds]
            for story in stories:
                story.result()

    def life(self, kind: str, rng: random.Random) -> None:
        """Live one volume's life, by way of every verb."""
        try:
            volume = self.create(kind, node=rng.randrange(3))
            self.await_status("available", volume)
            old = scribble(self.path(volume), rng)
            snapshot = self.snap(volume)
            self.await_status("available", snapshot)
            new = scribble(self.path(volume), rng)
            of_snapshot, of_volume = self.clone(snapshot), self.clone(volume, size=2)
            self.await_status("available", of_snapshot, of_volume)
            found = [self.content(thing) for thing in (snapshot, of_snapshot, volume, of_volume)]
            self.assertEqual(found, [old, old, new, new])
            self.revert(volume, snapshot)
            self.await_status("available", volume)
            self.assertEqual(self.content(volume), old)
            self.extend(of_volume, 3)
            self.await_status("available", of_volume)
            self.assertEqual((self.content(of_volume), self.path(of_volume).stat().st_size), (new, 3 << 30))
            self.detach(self.attach(of_volume))
            self.delete(volume, cascade=True)
            self.delete(of_snapshot)
            self.delete(of_volume)
            self.await_gone(volume, snapshot, of_snapshot, of_volume)
        finally:
            connection.close()

    def test_short_verbs_are_hit_in_the_middle_and_end_once(self) -> None:
        """A step of theirs lasts for milliseconds, so it takes many of them and many blows."""
        with self.blows("child", pause=0.05) as blows:
            for _ in range(ROUNDS):
                volumes = [self.create(self.rng.choice(["fast", "slow"])) for _ in range(12)]
                self.await_status("available", *volumes)
                snapshots = [self.snap(volume) for volume in volumes]
                self.await_status("available", *snapshots)
                for volume in volumes:
                    self.extend(volume, 2)
                self.await_status("available", *volumes)
                for volume in volumes:
                    self.delete(volume, cascade=True)
                self.await_gone(*volumes)
        self.say(blows)
        self.assertTrue(self.events("take_over"))
        self.assertFalse(Volume.objects.exists())
        self.assert_all_is_well()
