from __future__ import annotations

import uuid
from typing import Any

from tests import make
from tests.volumes.base import BASE, VolumesCase
from volumes.models import QosSpecs, VolumeType


class QosTests(VolumesCase):
    def create(self, **body):
        sent = {"qos_specs": {"name": "slow", **body}}
        return self.ok(self.post("/qos-specs", sent, by="alice"))["qos_specs"]

    def test_they_are_made_shown_and_listed(self):
        made = self.create(consumer="front-end", read_iops_sec="2000", total=5)
        specs = {"read_iops_sec": "2000", "total": "5"}
        self.assertEqual(made, {"id": made["id"], "name": "slow", "consumer": "front-end", "specs": specs})
        shown = self.ok(self.get(f"/qos-specs/{made['id']}", by="alice"))
        self.assertEqual(shown["qos_specs"], made)
        urls = {link["rel"]: link["href"] for link in shown["links"]}
        self.assertEqual(urls["self"], f"http://testserver{BASE}/qos-specs/{made['id']}")
        other = self.create(name="fast")
        self.assertEqual(other["consumer"], "back-end")
        for query, expected in (
            ("", [other, made]),
            ("?sort=name:asc&limit=1", [other]),
            ("?name=slow", [made]),
            ("?consumer=front-end", [made]),
            (f"?id={made['id']}", [made]),
            ("?id=x", []),
        ):
            with self.subTest(query=query):
                self.assertEqual(self.ok(self.get(f"/qos-specs{query}", by="alice"))["qos_specs"], expected)

    def test_keys_are_set_and_deleted(self):
        made = self.create(a="1", b="2")
        path = f"/qos-specs/{made['id']}"
        told = self.ok(self.put(path, {"qos_specs": {"a": "9", "consumer": "both"}}, by="alice"))
        self.assertEqual(told, {"qos_specs": {"a": "9", "consumer": "both"}})
        self.ok(self.put(f"{path}/delete_keys", {"keys": ["b"]}, by="alice"), 202)
        shown = self.ok(self.get(path, by="alice"))["qos_specs"]
        self.assertEqual((shown["specs"], shown["consumer"]), ({"a": "9"}, "both"))
        self.refused(self.put(f"{path}/delete_keys", {"keys": ["a", "b"]}, by="alice"), 404, "b")
        self.assertEqual(QosSpecs.objects.get().specs, {"a": "9"})

    def test_a_name_is_given_once(self):
        self.create()
        self.refused(self.post("/qos-specs", {"qos_specs": {"name": " slow "}}, by="alice"), 409, "slow")

    def test_they_hold_for_types(self):
        made, kind, other = self.create(), make.volume_type("gold"), make.volume_type("silver")
        path = f"/qos-specs/{made['id']}"
        for each in (kind, kind, other):
            self.ok(self.get(f"{path}/associate?vol_type_id={each.pk}", by="alice"), 202)
        listed = self.ok(self.get(f"{path}/associations", by="alice"))["qos_associations"]
        gold = {"association_type": "volume_type", "id": str(kind.pk), "name": "gold"}
        self.assertEqual((listed[0], len(listed)), (gold, 2))
        shown = self.ok(self.get(f"/types/{kind.pk}", by="alice"))["volume_type"]
        self.assertEqual(shown["qos_specs_id"], made["id"])
        self.assertNotIn("qos_specs_id", self.ok(self.get(f"/types/{kind.pk}"))["volume_type"])
        self.ok(self.get(f"{path}/disassociate?vol_type_id={kind.pk}", by="alice"), 202)
        self.ok(self.get(f"{path}/disassociate?vol_type_id={kind.pk}", by="alice"), 202)
        self.assertEqual(VolumeType.objects.filter(qos=made["id"]).count(), 1)
        self.ok(self.get(f"{path}/disassociate_all", by="alice"), 202)
        self.assertFalse(VolumeType.objects.filter(qos__isnull=False).exists())

    def test_a_type_has_one_set_of_them(self):
        first, second = self.create(), self.create(name="fast")
        kind = make.volume_type("gold", qos_id=first["id"])
        query = f"vol_type_id={kind.pk}"
        self.refused(self.get(f"/qos-specs/{second['id']}/associate?{query}", by="alice"), 400, first["id"])
        self.ok(self.get(f"/qos-specs/{second['id']}/disassociate?{query}", by="alice"), 202)
        kind.refresh_from_db()
        self.assertEqual(str(kind.qos_id), first["id"])

    def test_those_in_use_are_deleted_by_force_only(self):
        made = self.create()
        kind = make.volume_type("gold", qos_id=made["id"])
        path = f"/qos-specs/{made['id']}"
        self.refused(self.delete(path, by="alice"), 400, "in use")
        self.refused(self.delete(f"{path}?force=perhaps", by="alice"), 400)
        self.ok(self.delete(f"{path}?force=True", by="alice"), 202)
        kind.refresh_from_db()
        self.assertIsNone(kind.qos_id)
        self.refused(self.delete(path, by="alice"), 404)

    def test_it_refuses_what_is_none(self):
        body: Any
        inner: Any
        for inner in (
            {},
            {"name": ""},
            {"name": "  "},
            {"name": 5},
            {"name": "x" * 256},
            {"name": "x", "consumer": "nobody"},
            {"name": "x", "a": []},
            {"name": "x", "a": True},
            {"name": "x", "a": "1" * 256},
            {"name": "x", "é": "1"},
            [],
        ):
            with self.subTest(inner=str(inner)[:60]):
                self.refused(self.post("/qos-specs", {"qos_specs": inner}, by="alice"), 400)
        made = self.create()
        path = f"/qos-specs/{made['id']}"
        for body in ({"qos_specs": []}, {}, [], {"qos_specs": {"consumer": "x"}}, {"qos_specs": {"a": {}}}):
            self.refused(self.put(path, body, by="alice"), 400)
        for body in ({}, [], {"keys": "a"}, {"keys": [""]}, {"keys": [5]}, {"keys": None}):
            self.refused(self.put(f"{path}/delete_keys", body, by="alice"), 400)
        for verb in ("associate", "disassociate"):
            self.refused(self.get(f"{path}/{verb}", by="alice"), 400, "vol_type_id")
            self.refused(self.get(f"{path}/{verb}?vol_type_id={uuid.uuid4()}", by="alice"), 404)
            self.refused(self.get(f"{path}/{verb}?vol_type_id=x", by="alice"), 404)
        missing = f"/qos-specs/{uuid.uuid4()}"
        for method, path in (
            ("GET", missing),
            ("DELETE", missing),
            ("GET", f"{missing}/associations"),
            ("GET", f"{missing}/disassociate_all"),
        ):
            self.refused(self.ask(method, path, by="alice"), 404)

    def test_a_head_changes_nothing(self):
        made = self.create()
        make.volume_type("gold", qos_id=made["id"])
        answer = self.ask("HEAD", f"/qos-specs/{made['id']}/disassociate_all", by="alice")
        self.assertEqual(answer.status_code, 405)
        self.assertTrue(VolumeType.objects.filter(qos__isnull=False).exists())
