"""Metadata of volumes and snapshots, as a whole and item by item, and the summary that tells of them."""

from __future__ import annotations

from functools import partial
from typing import Any

from api.preconditions import Expected, revision
from api.problems import PreconditionFailed
from tests import make
from tests.races.base import RaceTestCase, raised
from tests.volumes.base import VolumesCase
from volumes.actions import metadata, volumes
from volumes.models import Volume

WIDTH = 16


class MetadataTests(VolumesCase):
    def test_items_are_added_changed_replaced_and_taken_away(self):
        volume = self.a_volume(metadata={"a": "1"})
        for row, kind in ((volume, "volumes"), (self.a_snapshot(volume, metadata={"a": "1"}), "snapshots")):
            path = f"/{kind}/{row.pk}/metadata"
            self.assertEqual(self.ok(self.get(path)), {"metadata": {"a": "1"}})
            added = self.post(path, {"metadata": {"b": "2", "c": "3"}})
            self.assertEqual(self.ok(added), {"metadata": {"a": "1", "b": "2", "c": "3"}})
            self.assertEqual(self.ok(self.put(f"{path}/b", {"meta": {"b": "x"}})), {"meta": {"b": "x"}})
            self.assertEqual(self.ok(self.get(f"{path}/b")), {"meta": {"b": "x"}})
            self.assertIsNone(self.ok(self.delete(f"{path}/a")))
            self.refused(self.delete(f"{path}/a"), 404, "no metadata item a")
            self.refused(self.get(f"{path}/a"), 404)
            self.assertEqual(self.ok(self.put(path, {"metadata": {"z": "9"}})), {"metadata": {"z": "9"}})
            self.assertEqual(self.ok(self.put(path, {"metadata": {}})), {"metadata": {}})

    def test_an_item_is_named_alike_in_the_path_and_the_body(self):
        path = f"/volumes/{self.a_volume().pk}/metadata/a"
        bodies: list[Any] = [
            {"meta": {"b": "1"}},
            {"meta": {"a": "1", "b": "1"}},
            {"meta": {}},
            {"metadata": {"a": "1"}},
        ]
        for body in bodies:
            self.refused(self.put(path, body), 400)

    def test_there_are_so_many_items_and_no_more(self):
        path = f"/volumes/{self.a_volume(metadata={'first': ''}).pk}/metadata"
        many = {f"k{number}": "v" for number in range(128)}
        self.refused(self.post(path, {"metadata": many}), 400, "129 items")
        self.ok(self.put(path, {"metadata": many}))

    def test_a_change_heeds_if_match(self):
        volume = self.a_volume()
        path = f"/volumes/{volume.pk}/metadata"
        seen = self.get(path)["ETag"]
        self.ok(self.post(path, {"metadata": {"a": "1"}}, **{"If-Match": seen}))
        self.refused(self.post(path, {"metadata": {"b": "1"}}, **{"If-Match": seen}), 412)
        self.refused(self.delete(f"{path}/a", **{"If-Match": seen}), 412)
        self.assertEqual(Volume.objects.get().metadata, {"a": "1"})

    def test_under_maintenance_nothing_changes(self):
        path = f"/volumes/{self.a_volume('maintenance').pk}/metadata"
        self.refused(self.post(path, {"metadata": {"a": "1"}}), 400, "maintenance")


class SummaryTests(VolumesCase):
    def test_it_sums_up_the_project_or_all_for_admins(self):
        self.assertEqual(
            self.ok(self.get("/volumes/summary"))["volume-summary"],
            {"total_count": 0, "total_size": 0, "metadata": {}},
        )
        self.a_volume(size=2, metadata={"a": "1", "b": "x"})
        self.a_volume(size=3, metadata={"a": "2"})
        make.volume(project_id=self.red.pk, size=4)
        summary = self.ok(self.get("/volumes/summary"))["volume-summary"]
        self.assertEqual((summary["total_count"], summary["total_size"]), (2, 5))
        self.assertEqual(
            {k: sorted(v) for k, v in summary["metadata"].items()}, {"a": ["1", "2"], "b": ["x"]}
        )
        everybody = self.ok(self.get("/volumes/summary?all_tenants=1", by="alice"))["volume-summary"]
        self.assertEqual((everybody["total_count"], everybody["total_size"]), (3, 9))
        self.assertNotIn("metadata", self.ok(self.get("/volumes/summary", version="3.35"))["volume-summary"])
        self.refused(self.get("/volumes/summary", version="3.11"), 404)


class RaceTests(RaceTestCase):
    """Sixteen writers of one volume at the same moment."""

    def test_changes_of_different_items_all_count(self):
        volume = make.volume()
        items = {f"k{number}": "v" for number in range(WIDTH)}

        def add(key: str) -> Volume:
            won: Volume = metadata.change(volume, lambda there: there | {key: "v"})
            return won

        results = self.race(*(partial(add, key) for key in items))
        self.assertEqual(raised(results, Exception), [])
        self.assertEqual(Volume.objects.get().metadata, items)

    def test_of_writers_who_saw_the_same_one_counts(self):
        volume = make.volume()
        seen = Expected(frozenset({revision(volume)}))
        results = self.race(
            *(partial(volumes.update, volume, {"name": f"n{n}"}, expected=seen) for n in range(WIDTH))
        )
        self.assertEqual(len(raised(results, PreconditionFailed)), WIDTH - 1)
        (won,) = (row for row in results if isinstance(row, Volume))
        self.assertEqual(Volume.objects.get().name, won.name)
