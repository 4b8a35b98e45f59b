"""Lists of volumes and snapshots: filters, sort, pages, whose."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Snapshot, Volume

DAY = datetime(2026, 11, 20, tzinfo=UTC)


class ListCase(VolumesCase):
    def names(self, query="", *, kind="volumes", detail=True, **kwargs):
        path = f"/{kind}/detail" if detail else f"/{kind}"
        return [row["name"] for row in self.ok(self.get(f"{path}?{query}", **kwargs))[kind]]


class VolumeListTests(ListCase):
    def setUp(self):
        super().setUp()
        gold = make.volume_type("gold")
        wanted: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("a1", "available", {"size": 1, "metadata": {"k": "v", "z": "1"}, "bootable": True}),
            ("a2", "set-creating", {"size": 3, "metadata": {"k": "v"}}),
            ("b1", "creating", {"size": 2, "type": gold}),
            ("b2", "error", {"size": 2}),
        )
        for hours, (name, status, more) in enumerate(wanted):
            volume = self.a_volume(status, name=name, **more)
            Volume.objects.filter(pk=volume.pk).update(created_at=DAY + timedelta(hours=hours))
        self.gold = gold

    def test_the_newest_come_first_and_the_short_list_is_short(self):
        self.assertEqual(self.names(), ["b2", "b1", "a2", "a1"])
        self.assertEqual(self.names(detail=False), ["b2", "b1", "a2", "a1"])
        (row, *_) = self.ok(self.get("/volumes"))["volumes"]
        self.assertEqual(set(row), {"id", "name", "links"})

    def test_filters(self):
        for query, found in (
            ("name=a1", ["a1"]),
            ("name~=a", ["a2", "a1"]),
            ("status=creating", ["b1", "a2"]),
            ("status=set-creating", []),
            ("status=nonsense", []),
            ("bootable=True", ["a1"]),
            ("bootable=false&status=error", ["b2"]),
            ("size=2", ["b2", "b1"]),
            ("size=x", []),
            ("size=99999999999", []),
            ("availability_zone=nova&name=b1", ["b1"]),
            ("availability_zone=mars", []),
            (f"volume_type_id={self.gold.pk}", ["b1"]),
            ("volume_type_id=gold", []),
            ("metadata=" + quote("{'k': 'v'}"), ["a2", "a1"]),
            ("metadata=" + quote(json.dumps({"k": "v", "z": "1"})), ["a1"]),
            ("metadata=" + quote("{u'z': u'1'}"), ["a1"]),
            ("metadata=" + quote("{'z': 1}"), ["a1"]),
            ("created_at=gte:2026-11-20T01:00:00,lt:2026-11-20T03:00:00", ["b1", "a2"]),
            ("created_at=2026-11-20T00:00:00", ["a1"]),
            ("created_at=neq:2026-11-20", ["b2", "b1", "a2"]),
            ("updated_at=gt:2020-01-01", ["b2", "a2", "a1"]),
            ("consumes_quota=false", []),
            ("consumes_quota=true&name=a1", ["a1"]),
            ("glance_metadata=x&unknown=1&name=a1", ["a1"]),
            (f"user_id={self.bob.pk}&project_id={self.blue.pk}&name=a1", ["a1"]),
            (f"project_id={self.red.pk}", []),
        ):
            with self.subTest(query):
                self.assertEqual(self.names(query), found)

    def test_filters_come_with_their_version(self):
        self.assertEqual(len(self.names("name~=a", version="3.33")), 4)
        self.assertEqual(len(self.names("created_at=gt:2030-01-01", version="3.59")), 4)
        self.assertEqual(len(self.names("consumes_quota=false", version="3.64")), 4)

    def test_what_cannot_be_read_is_refused(self):
        for query in (
            *(
                "metadata=x",
                "metadata=[]",
                "metadata=" + quote("{'a': " * 3000),
                "metadata=" + quote('{"a":"\\u0000"}'),
            ),
            *("metadata=" + quote('{"a":"\\ud800"}'), "metadata=" + "(" * 300, "metadata=" + "-" * 2000),
            *("metadata=" + quote("{[]: 1}"), "metadata=" + quote("{'a': __import__('os')}")),
            *("bootable=perhaps", "created_at=gt:yesterday", "created_at=", "updated_at=gt:2026-13-40"),
            *(
                "limit=-1",
                "limit=x",
                "offset=-1",
                "sort=holder",
                "sort=name:up",
                "sort_key=epoch",
                "with_count=x",
            ),
            *("all_tenants=x", "sort=name&sort_key=name"),
        ):
            with self.subTest(query):
                self.refused(self.get(f"/volumes/detail?{query}"), 400)
        self.refused(self.get("/volumes?marker=x"), 404)

    def test_sort(self):
        for query, found in (
            ("sort=name", ["b2", "b1", "a2", "a1"]),
            ("sort=name:asc", ["a1", "a2", "b1", "b2"]),
            ("sort=size:desc,name:asc", ["a2", "b1", "b2", "a1"]),
            ("sort_key=display_name&sort_dir=asc", ["a1", "a2", "b1", "b2"]),
            ("sort_dir=asc", ["a1", "a2", "b1", "b2"]),
        ):
            with self.subTest(query):
                self.assertEqual(self.names(query), found)

    def test_pages_follow_one_another(self):
        for query in ("limit=3", "limit=1&sort=size:asc,name:desc", "limit=2&name~=b", "limit=3&offset=1"):
            with self.subTest(query):
                seen, path = [], f"/volumes/detail?{query}&with_count=true"
                for _ in range(6):
                    page = self.ok(self.get(path))
                    seen += [row["name"] for row in page["volumes"]]
                    self.assertEqual(page["count"], 2 if "name" in query and "sort" not in query else 4)
                    if "volumes_links" not in page:
                        break
                    (link,) = page["volumes_links"]
                    self.assertEqual(link["rel"], "next")
                    parts = urlsplit(link["href"])
                    path = f"{parts.path}?{parts.query}"
                whole = self.names(query.replace("limit", "x").replace("offset", "y"))
                self.assertEqual(seen, whole[1:] if "offset" in query else whole)
        self.assertEqual(self.names("limit=0"), [])
        self.assertNotIn("count", self.ok(self.get("/volumes?with_count=true", version="3.44")))

    def test_everybodys_are_for_admins_who_ask_so(self):
        make.volume(project_id=self.red.pk, user_id=self.eve.pk, name="theirs")
        self.assertNotIn("theirs", self.names("all_tenants=1"))
        self.assertNotIn("theirs", self.names("", by="alice"))
        self.assertIn("theirs", self.names("all_tenants=True", by="alice"))
        self.assertEqual(self.names(f"all_tenants=1&project_id={self.red.pk}", by="alice"), ["theirs"])
        self.assertEqual(self.names("", by="eve"), ["theirs"])
        mine = Volume.objects.get(name="a1")
        for path in ("/volumes", "/volumes/detail"):
            self.refused(self.get(f"{path}?marker={mine.pk}", by="eve"), 404)


class SnapshotListTests(ListCase):
    def setUp(self):
        super().setUp()
        self.volume = self.a_volume()
        self.a_snapshot(self.volume, name="one", metadata={"k": "v"})
        self.a_snapshot(self.volume, "creating", name="two")
        self.a_snapshot(self.a_volume(), "set-deleting", name="three")

    def test_filters_sort_and_pages(self):
        for query, found in (
            ("sort=name:asc", ["one", "three", "two"]),
            (f"volume_id={self.volume.pk}", ["two", "one"]),
            ("volume_id=x", []),
            ("status=deleting", ["three"]),
            ("name=one", ["one"]),
            ("name~=t", ["three", "two"]),
            ("availability_zone=nova&name=one", ["one"]),
            ("availability_zone=mars", []),
            ("metadata=" + quote("{'k': 'v'}"), ["one"]),
            ("consumes_quota=false", []),
            ("limit=1&offset=1", ["two"]),
        ):
            with self.subTest(query):
                self.assertEqual(self.names(query, kind="snapshots"), found)
        page = self.ok(self.get("/snapshots?limit=2&with_count=1"))
        self.assertEqual((page["count"], len(page["snapshots"]), len(page["snapshots_links"])), (3, 2, 1))
        self.assertEqual(len(self.names("metadata=x", kind="snapshots", version="3.21")), 3)

    def test_everybodys_are_for_admins_who_ask_so(self):
        Snapshot.objects.filter(name="two").update(project_id=self.red.pk)
        self.assertEqual(self.names("", kind="snapshots", by="eve"), ["two"])
        self.assertEqual(len(self.names("all_tenants=1", kind="snapshots", by="alice")), 3)
        self.assertEqual(len(self.names("all_tenants=1", kind="snapshots")), 2)
