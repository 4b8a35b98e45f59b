"""What a back-end says of itself: connections, room, and all that lies there."""

from __future__ import annotations

import json
import os

from tests.backends.storage import SIZE, BackendCase, never
from volumes.backends.base import Finished, NotThere, Refused

DATA = os.urandom(SIZE)


class ReportPromises(BackendCase):
    def test_connect_describes_the_volume_in_what_json_can_say(self) -> None:
        volume = self.volume(DATA)
        for read_only, mode in ((False, "rw"), (True, "ro")):
            info = self.backend.connect(volume, self.connector(), epoch=1, read_only=read_only)
            self.assertEqual(json.loads(json.dumps(info)), info)
            self.assertEqual(set(info), {"driver_volume_type", "data"})
            self.assertEqual(info["data"]["access_mode"], mode)
            self.assertEqual(info["data"]["volume_id"], str(volume.id))
            self.assertIs(info["data"]["encrypted"], False)
        self.assertEqual(self.content(volume), DATA)

    def test_what_is_no_connector_is_refused(self) -> None:
        volume = self.volume()
        fine = self.connector()
        bad: list[object] = [None, [], "host", 7, {}, {"host": None}, {"host": 7}, {"host": ["a"]}]
        names: list[object] = ["", "../x", "a/b", "a\0", "a\n", "x" * 10**6, "stranger", {}]
        bad += [{**fine, "host": name} for name in names]
        for connector in bad:
            with self.assertRaises(Refused, msg=repr(connector)[:80]):
                self.backend.connect(volume, connector, epoch=1, read_only=False)  # type: ignore[arg-type]

    def test_a_missing_volume_cannot_be_connected_but_be_disconnected(self) -> None:
        with self.assertRaises(NotThere):
            self.backend.connect(self.ref(), self.connector(), epoch=1, read_only=False)
        for connector in (self.connector(), {}):
            self.backend.disconnect(self.ref(), connector, epoch=1)

    def test_stats_count_what_was_promised(self) -> None:
        self.volume()
        before = {pool.name: pool for pool in self.backend.stats()}
        self.backend.extend(self.volume(), 3 * SIZE, epoch=2)
        after = {pool.name: pool for pool in self.backend.stats()}
        self.assertEqual(list(after), self.pools)
        first = self.pools[0]
        self.assertEqual(after[first].provisioned - before[first].provisioned, 3 * SIZE)
        self.assertTrue(0 <= after[first].free <= after[first].total)
        for key in (
            "volume_backend_name",
            "storage_protocol",
            "vendor_name",
            "driver_version",
            "multiattach",
        ):
            self.assertIn(key, after[first].capabilities)
        self.assertEqual(json.loads(json.dumps(after[first].capabilities)), after[first].capabilities)

    def test_the_inventory_shows_the_finished_and_the_unfinished(self) -> None:
        source, target = self.volume(DATA), self.ref(1)
        done = self.backend.copy(source, target, SIZE, epoch=1, go_on=never)
        found = {one.id: one for one in self.backend.inventory()}
        self.assertEqual((found[source.id].partial, found[source.id].size), (False, SIZE))
        self.assertEqual((found[target.id].partial, found[target.id].pool), (done != Finished(), target.pool))
