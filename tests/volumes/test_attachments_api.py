"""Attachments as records: reserved, listed, shown, removed; and what the table and the lock refuse.

What needs a worker and a storage is in test_connections_api.
"""

from __future__ import annotations

import uuid
from typing import Any

from lifecycle.models import Event, Operation
from tests.volumes.base import VolumesCase
from volumes.models import Attachment, Connection, Quota, Volume

SERVER = "0bdf6ea3-4a27-43e3-8e8f-7c1d7f6c2f11"
OTHER = "5d4b6f1c-53f1-4d0e-93d2-1f0bb6e0a3c2"
LONG = "x" * 256


class AttachmentsCase(VolumesCase):
    def reserve(self, volume, server=SERVER, *, by="bob", version="3.71", **more):
        body = {"volume_uuid": str(volume.pk), "instance_uuid": server, **more}
        return self.ask("POST", "/attachments", {"attachment": body}, by=by, version=version)

    def reserved(self, volume, server=SERVER, **more):
        return self.ok(self.reserve(volume, server, **more))["attachment"]

    def status(self, volume):
        return Volume.objects.get(pk=volume.pk).status


class CreateTests(AttachmentsCase):
    def test_it_reserves_a_volume_for_a_server(self):
        volume = self.a_volume()
        shown = self.reserved(volume)
        expected = {
            "id": shown["id"],
            "status": "reserved",
            "instance": SERVER,
            "volume_id": str(volume.pk),
            "attached_at": "",
            "detached_at": "",
            "attach_mode": "null",
            "connection_info": {},
        }
        self.assertEqual(shown, expected)
        self.assertEqual(self.status(volume), "reserved")
        row = Attachment.objects.get()
        self.assertEqual((row.project_id, row.user_id), (self.blue.pk, self.bob.pk))
        operation = Operation.objects.get(action="reserve_attachment")
        self.assertEqual((operation.state, operation.user_id), ("COMPLETE", self.bob.pk))
        event = Event.objects.get(event="reserve_attachment")
        self.assertEqual((event.from_status, event.to_status), ("available", "reserved"))

    def test_an_empty_connector_and_a_null_are_none(self):
        nothing: Any
        for nothing in ({}, None):
            shown = self.reserved(self.a_volume(), connector=nothing)
            self.assertEqual((shown["status"], shown["connection_info"]), ("reserved", {}))
        self.assertFalse(Connection.objects.exists())

    def test_a_volume_has_one_user_unless_it_is_multiattach(self):
        volume = self.a_volume()
        mine = self.reserved(volume)["id"]
        before = self.rows()
        self.refused(self.reserve(volume, OTHER), 400, mine, "only one may")
        self.refused(self.reserve(volume, None), 400, mine)
        self.assertEqual(self.rows(), before)
        shared = self.a_volume(multiattach=True)
        for server in (SERVER, OTHER, None):
            self.reserved(shared, server)
        self.assertEqual((shared.attachments.count(), self.status(shared)), (3, "reserved"))

    def test_the_same_server_may_have_it_twice_since_it_may_be_migrating(self):
        volume = self.a_volume()
        first, second = self.reserved(volume), self.reserved(volume)
        self.assertNotEqual(first["id"], second["id"])
        Attachment.objects.filter(pk=first["id"]).update(status="attached")
        self.reserved(self.a_volume(), SERVER.replace("-", "").upper())
        self.reserved(volume, SERVER.upper())

    def test_the_status_of_the_volume_must_allow_it(self):
        self.a_volume()
        Quota.objects.update(volumes_limit=-1)
        for status in set(Volume.machine.statuses) - {"available"}:
            for multiattach in (False, True):
                volume = self.a_volume(status, multiattach=multiattach)
                before = self.rows()
                self.refused(self.reserve(volume), 400, status.removeprefix("set-"))
                self.assertEqual(self.rows(), before)

    def test_who_reads_it_keeps_writers_away_and_lets_readers_in(self):
        volume = self.a_volume()
        clone = self.a_volume("creating", reads_volume=volume)
        before = self.rows()
        self.refused(self.reserve(volume), 409, clone.pk)
        self.refused(self.reserve(volume, mode="rw"), 409, clone.pk)
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.reserved(volume, mode="ro")["attach_mode"], "ro")

    def test_a_volume_for_reading_is_attached_for_reading(self):
        volume = self.a_volume(readonly=True)
        self.refused(self.reserve(volume, mode="rw"), 400, "reading only")
        self.assertEqual(self.reserved(volume)["attach_mode"], "ro")

    def test_a_mode_is_heeded_from_its_version_on(self):
        self.assertEqual(self.reserved(self.a_volume(), mode="ro", version="3.54")["attach_mode"], "ro")
        self.assertEqual(self.reserved(self.a_volume(), mode="ro", version="3.53")["attach_mode"], "null")

    def test_bad_bodies_are_refused_and_change_nothing(self):
        volume = self.a_volume()
        good = {"volume_uuid": str(volume.pk), "instance_uuid": SERVER}
        host = {"host": "h1"}
        before = self.rows()
        wrong: Any
        for wrong in (
            {"volume_uuid": None},
            {"volume_uuid": ""},
            {"volume_uuid": 5},
            {"volume_uuid": LONG},
            {"instance_uuid": "server"},
            {"instance_uuid": 2**40},
            {"instance_uuid": []},
            {"mode": "rx"},
            {"mode": {}},
            {"connector": "h1"},
            {"connector": ["h1"]},
            {"connector": {"ip": "10.0.0.1"}},
            {"connector": {"host": ""}},
            {"connector": {"host": None}},
            {"connector": {"host": LONG}},
            {"connector": {"host": "h\x011"}},
            {"connector": {"host": {"host": "h1"}}},
            {"connector": {**host, "mode": "w"}},
            {"connector": {**host, "mountpoint": 5}},
            {"connector": {**host, "mountpoint": LONG}},
            {"connector": {**host, "wwpns": ["x" * 100] * 200}},
        ):
            with self.subTest(wrong):
                self.refused(self.post("/attachments", {"attachment": {**good, **wrong}}), 400)
        body: Any
        for body in (None, [], {}, {"attachment": []}, {"attachment": None}, b"{", b"\xff", b"[" * 9999, 7):
            with self.subTest(body):
                self.refused(self.post("/attachments", body), 400)
        self.refused(self.post("/attachments", {"attachment": {"x": "y" * 2**21}}), 413)
        self.assertEqual(self.rows(), before)

    def test_unknown_keys_are_passed_over(self):
        self.reserved(self.a_volume(), attach_mode="rw", instance="x")

    def test_what_is_anothers_is_not_there(self):
        volume = self.a_volume()
        theirs = self.refused(self.reserve(volume, by="eve"), 404)
        volume_id = uuid.uuid4()
        body = {"attachment": {"volume_uuid": str(volume_id), "instance_uuid": SERVER}}
        none = self.refused(self.post("/attachments", body), 404)
        self.assertEqual(theirs.replace(str(volume.pk), ""), none.replace(str(volume_id), ""))
        self.assertEqual(self.status(volume), "available")


class ReadTests(AttachmentsCase):
    def ids(self, path, **kwargs):
        return [row["id"] for row in self.ok(self.get(path, **kwargs))["attachments"]]

    def test_it_lists_short_and_in_full(self):
        volume = self.a_volume()
        mine = self.reserved(volume)
        short = {key: mine[key] for key in ("id", "status", "instance", "volume_id")}
        self.assertEqual(self.ok(self.get("/attachments")), {"attachments": [short]})
        self.assertEqual(self.ok(self.get("/attachments/detail")), {"attachments": [mine]})
        self.assertEqual(self.ok(self.get(f"/attachments/{mine['id']}")), {"attachment": mine})

    def test_filters_narrow_and_what_cannot_be_matches_nothing(self):
        one, two = self.a_volume(), self.a_volume()
        first, second = self.reserved(one)["id"], self.reserved(two, OTHER)["id"]
        Attachment.objects.filter(pk=second).update(status="attached")
        for query, expected in (
            (f"volume_id={one.pk}", [first]),
            ("volume_id=nonsense", []),
            ("status=attached", [second]),
            ("attach_status=reserved", [first]),
            ("status=none", []),
            (f"instance_id={OTHER}", [second]),
            (f"instance_uuid={SERVER}&status=attached", []),
            ("colour=red", [second, first]),
        ):
            for path in ("/attachments", "/attachments/detail"):
                with self.subTest(path, query=query):
                    self.assertEqual(self.ids(f"{path}?{query}"), expected)

    def test_pages_follow_each_other(self):
        made = [self.reserved(self.a_volume())["id"] for _ in range(5)]
        seen: list[str] = []
        path = "/attachments?limit=2&sort=created_at:asc"
        while path:
            page = self.ok(self.get(path))
            seen += [row["id"] for row in page["attachments"]]
            path = page.get("attachments_links", [{"href": ""}])[0]["href"].removeprefix("http://testserver")
        self.assertEqual(seen, made)
        self.assertEqual(self.ids(f"/attachments?limit=1&marker={made[3]}&sort_key=created_at"), [made[2]])
        self.refused(self.get("/attachments?limit=-1"), 400)
        self.refused(self.get("/attachments?sort=colour"), 400)
        self.refused(self.get(f"/attachments?marker={uuid.uuid4()}"), 404)

    def test_admins_see_everybodys_if_they_ask_and_others_their_own(self):
        mine = self.reserved(self.a_volume())["id"]
        theirs = self.a_volume(project_id=self.red.pk, user_id=self.eve.pk)
        red = self.reserved(theirs, by="eve")["id"]
        self.assertEqual(self.ids("/attachments", by="alice"), [mine])
        self.assertEqual(set(self.ids("/attachments?all_tenants=1", by="alice")), {mine, red})
        self.assertEqual(self.ids("/attachments?all_tenants=True", by="bob"), [mine])
        self.ok(self.get(f"/attachments/{red}", by="alice"))

    def test_another_projects_attachment_is_not_there(self):
        mine = self.reserved(self.a_volume())["id"]
        before = self.rows()
        for method, path, body in (
            ("GET", mine, None),
            ("PUT", mine, {"attachment": {"connector": {"host": "h1"}}}),
            ("DELETE", mine, None),
            ("POST", f"{mine}/action", {"os-complete": {}}),
        ):
            nobodys = path.replace(mine, str(uuid.uuid4()))
            texts = [
                self.refused(self.ask(method, f"/attachments/{each}", body, by="eve"), 404)
                for each in (path, nobodys)
            ]
            self.assertEqual(texts[0].replace(mine, ""), texts[1].replace(nobodys[:36], ""))
        for nonsense in ("x", "%00", "1' OR '1'='1", "a" * 300, "é"):
            self.refused(self.get(f"/attachments/{nonsense}"), 404)
        self.assertEqual(self.rows(), before)

    def test_the_routes_are_there_from_their_version_on(self):
        mine = self.reserved(self.a_volume())["id"]
        for path in ("/attachments", "/attachments/detail", f"/attachments/{mine}"):
            self.refused(self.get(path, version="3.26"), 404)
            self.ok(self.get(path, version="3.27"))
        self.refused(self.post(f"/attachments/{mine}/action", {"os-complete": {}}, version="3.43"), 404)


class RoleTests(AttachmentsCase):
    def test_each_role_may_what_the_policy_says(self):
        mine = self.reserved(self.a_volume())["id"]
        free = {"attachment": {"volume_uuid": str(self.a_volume().pk)}}
        way = {"attachment": {"connector": {"host": "h1"}}}
        for method, path, body, reader in (
            ("GET", "/attachments", None, 200),
            ("GET", "/attachments/detail", None, 200),
            ("GET", f"/attachments/{mine}", None, 200),
            ("POST", "/attachments", free, 403),
            ("PUT", f"/attachments/{mine}", way, 403),
            ("DELETE", f"/attachments/{mine}", None, 403),
            ("POST", f"/attachments/{mine}/action", {"os-complete": None}, 403),
        ):
            with self.subTest(method, path=path):
                self.assertEqual(self.ask(method, path, body, by=None).status_code, 401)
                self.assertEqual(self.ask(method, path, body, by="carol").status_code, reader)
        self.assertEqual(Attachment.objects.count(), 1)
