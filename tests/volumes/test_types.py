from __future__ import annotations

import uuid

from tests import make
from tests.volumes.base import VolumesCase
from volumes.actions.typing import DEFAULT
from volumes.models import DefaultType, QuotaClass, TypeAccess, VolumeType
from volumes.models.quotas import of_type

SECRET = {"volume_backend_name": "fast", "multiattach": "<is> True", "RESKEY:availability_zones": "nova"}
SHOWN = {"id", "name", "is_public", "description", "extra_specs", "os-volume-type-access:is_public"}


class TypesCase(VolumesCase):
    def create(self, status=200, **body):
        document = self.ok(self.post("/types", {"volume_type": {"name": "gold", **body}}, by="alice"), status)
        return document["volume_type"]

    def names(self, query="", **who):
        return {kind["name"] for kind in self.ok(self.get(f"/types{query}", **who))["volume_types"]}


class CreateTests(TypesCase):
    def test_it_makes_a_type_and_tells_it_as_cinder_does(self):
        body = self.create(
            description="fast", extra_specs={"a": "1"}, **{"os-volume-type-access:is_public": "False"}
        )
        self.assertEqual(set(body), SHOWN)
        kind = VolumeType.objects.get(pk=body["id"])
        self.assertEqual((kind.name, kind.description, kind.is_public), ("gold", "fast", False))
        self.assertEqual(kind.extra_specs, {"a": "1"})
        shown = self.ok(self.get(f"/types/{kind.pk}", by="alice"))["volume_type"]
        self.assertEqual(shown, {**body, "qos_specs_id": None})

    def test_a_spec_without_a_value_says_nothing(self):
        self.assertEqual(self.create(extra_specs={"a": None, "b": "2"})["extra_specs"], {"b": "2"})

    def test_a_name_is_given_once(self):
        self.create()
        self.refused(self.post("/types", {"volume_type": {"name": "gold"}}, by="alice"), 409, "gold")

    def test_it_refuses_names_and_specs_that_are_none(self):
        bad: list[object] = [
            {"name": ""},
            {"name": "   "},
            {"name": None},
            {"name": 5},
            {"name": "x" * 256},
            {"name": "x", "description": "x" * 256},
            {"name": "x", "description": ["x"]},
            {"name": "x", "extra_specs": []},
            {"name": "x", "extra_specs": {"a": 1}},
            {"name": "x", "extra_specs": {"": "1"}},
            {"name": "x", "extra_specs": {"é": "1"}},
            {"name": "x", "extra_specs": {"a" * 256: "1"}},
            {"name": "x", "extra_specs": {"a": "1" * 256}},
            {"name": "x", "extra_specs": {"a": {}}},
            {"name": "x", "extra_specs": {str(n): "1" for n in range(257)}},
            {"name": "x", "os-volume-type-access:is_public": "perhaps"},
            {"name": "x", "os-volume-type-access:is_public": 1.5},
            {"name": "x", "os-volume-type-access:is_public": []},
            [],
            "x",
            None,
        ]
        for inner in bad:
            with self.subTest(inner=str(inner)[:80]):
                self.refused(self.post("/types", {"volume_type": inner}, by="alice"), 400)
        self.assertEqual(VolumeType.objects.count(), 1)


class ShowTests(TypesCase):
    def setUp(self):
        super().setUp()
        self.kind = make.volume_type("gold", extra_specs=SECRET)

    def test_it_hides_from_users_what_the_back_ends_are(self):
        shown = self.ok(self.get(f"/types/{self.kind.pk}"))["volume_type"]
        self.assertEqual(set(shown), SHOWN)
        self.assertEqual(set(shown["extra_specs"]), {"multiattach", "RESKEY:availability_zones"})
        listed = {kind["name"]: kind for kind in self.ok(self.get("/types"))["volume_types"]}
        self.assertEqual(listed["gold"], shown)

    def test_a_name_is_no_id(self):
        """Clients try it as an id first, and look it up in the list when that is a 404."""
        self.refused(self.get("/types/gold"), 404, "gold")
        self.refused(self.get(f"/types/{uuid.uuid4()}"), 404)

    def test_a_private_type_is_there_for_those_with_access_only(self):
        private = make.volume_type("private", is_public=False)
        TypeAccess.objects.create(type=private, project_id=self.red.pk)
        told = self.refused(self.get(f"/types/{private.pk}"), 404)
        self.assertEqual(told.replace(str(private.pk), ""), "Volume type  could not be found.")
        self.ok(self.get(f"/types/{private.pk}", by="eve"))
        self.ok(self.get(f"/types/{private.pk}", by="alice"))
        self.assertNotIn("private", self.names())
        self.assertIn("private", self.names(by="eve"))
        self.assertNotIn("private", self.names("?is_public=none"))

    def test_the_default_type_is_the_projects_own_if_it_has_one(self):
        self.assertEqual(self.ok(self.get("/types/default"))["volume_type"]["name"], DEFAULT)
        DefaultType.objects.create(pk=self.blue.pk, type=self.kind)
        self.assertEqual(self.ok(self.get("/types/default"))["volume_type"]["name"], "gold")
        self.assertEqual(self.ok(self.get("/types/default", by="eve"))["volume_type"]["name"], DEFAULT)


class ListTests(TypesCase):
    def setUp(self):
        super().setUp()
        for number in range(3):
            make.volume_type(f"public{number}", extra_specs={"tier": str(number), "multiattach": "<is> True"})
        make.volume_type("private", is_public=False)

    def test_admins_see_private_types_when_they_ask_for_them(self):
        public = {"public0", "public1", "public2", DEFAULT}
        for query, expected in (
            ("", public),
            ("?is_public=true", public),
            ("?is_public=none", {*public, "private"}),
            ("?is_public=None", {*public, "private"}),
            ("?is_public=False", {"private"}),
        ):
            with self.subTest(query=query):
                self.assertEqual(self.names(query, by="alice"), expected)
        self.refused(self.get("/types?is_public=perhaps", by="alice"), 400)

    def test_a_private_type_of_the_admins_own_project_is_in_the_list(self):
        TypeAccess.objects.create(type=VolumeType.objects.get(name="private"), project_id=self.blue.pk)
        self.assertIn("private", self.names(by="alice"))

    def test_it_filters_by_extra_specs_but_gives_users_no_way_to_guess_them(self):
        query = "?extra_specs={'tier': '1'}"
        self.assertEqual(self.names(query, by="alice"), {"public1"})
        self.assertEqual(self.names(query), set())
        self.assertEqual(len(self.names("?extra_specs={'multiattach': '<is> True'}")), 3)
        self.assertEqual(len(self.names(query, version="3.51")), 4)
        deep = "[" * 500
        for bad in (
            "x",
            "[1]",
            "{'a': 1}",
            "{'a'",
            f"{{'a': {deep}",
            "-" * 2000 + "1",
            "{" + "'a': 'b'," * 999 + "}",
        ):
            with self.subTest(bad=bad[:20]):
                self.refused(self.get(f"/types?extra_specs={bad}"), 400)

    def test_it_is_listed_in_pages(self):
        first = self.ok(self.get("/types?limit=2&sort=name:asc"))
        self.assertEqual([kind["name"] for kind in first["volume_types"]], [DEFAULT, "public0"])
        (link,) = first["volume_type_links"]
        self.assertEqual(link["rel"], "next")
        second = self.ok(self.get(link["href"].removeprefix("http://testserver")))
        self.assertEqual([kind["name"] for kind in second["volume_types"]], ["public1", "public2"])
        for bad in ("limit=-1", "limit=x", "sort=extra_specs", "sort_dir=up", "offset=-1", "sort_key=x"):
            self.refused(self.get(f"/types?{bad}"), 400)
        self.refused(self.get(f"/types?marker={uuid.uuid4()}"), 404)
        hidden = VolumeType.objects.get(name="private")
        self.refused(self.get(f"/types?marker={hidden.pk}"), 404)


class ChangeTests(TypesCase):
    def setUp(self):
        super().setUp()
        self.kind = make.volume_type("gold")

    def change(self, **body):
        return self.put(f"/types/{self.kind.pk}", {"volume_type": body}, by="alice")

    def test_it_changes_what_it_is_told_to_and_nothing_else(self):
        shown = self.ok(self.change(description="new"))["volume_type"]
        self.assertEqual((shown["name"], shown["description"], shown["is_public"]), ("gold", "new", True))
        shown = self.ok(self.change(name="silver", is_public=False, description=None))["volume_type"]
        self.assertEqual((shown["name"], shown["description"], shown["is_public"]), ("silver", "new", False))
        self.assertEqual(set(shown), {"id", "name", "is_public", "description", "extra_specs"})

    def test_it_refuses_nothing_blank_names_and_names_that_are_taken(self):
        make.volume_type("silver")
        for body in ({}, {"name": None}, {"name": " "}, {"is_public": "perhaps"}):
            self.refused(self.change(**body), 400)
        self.refused(self.change(name="silver"), 409)

    def test_it_heeds_if_match(self):
        tag = self.get(f"/types/{self.kind.pk}", by="alice")["ETag"]
        self.ok(self.change(description="new"))
        path = f"/types/{self.kind.pk}"
        body = {"volume_type": {"description": "newer"}}
        self.refused(self.put(path, body, by="alice", **{"If-Match": tag}), 412)
        self.refused(self.delete(path, by="alice", **{"If-Match": tag}), 412)
        now = self.get(path, by="alice")["ETag"]
        self.ok(self.put(path, body, by="alice", **{"If-Match": now}))

    def test_the_default_type_keeps_its_name_and_stays_public(self):
        path = f"/types/{VolumeType.objects.get(name=DEFAULT).pk}"
        for body in ({"name": "other"}, {"is_public": False}):
            self.refused(self.put(path, {"volume_type": body}, by="alice"), 400, "default type")
        self.ok(self.put(path, {"volume_type": {"description": "ours"}}, by="alice"))


class DeleteTests(TypesCase):
    def test_it_deletes_a_type_with_all_that_hangs_on_it(self):
        kind = make.volume_type("gold", is_public=False)
        TypeAccess.objects.create(type=kind, project_id="p")
        QuotaClass.objects.create(name="default", limits={of_type("volumes", kind.pk): 5, "volumes": 7})
        self.ok(self.delete(f"/types/{kind.pk}", by="alice"), 202)
        self.refused(self.get(f"/types/{kind.pk}", by="alice"), 404)
        self.assertEqual(QuotaClass.objects.get().limits, {"volumes": 7})
        self.refused(self.delete(f"/types/{kind.pk}", by="alice"), 404)

    def test_a_type_in_use_stays(self):
        kind = make.volume_type("gold")
        self.a_volume(type=kind)
        self.refused(self.delete(f"/types/{kind.pk}", by="alice"), 400, "in use")
        self.assertTrue(VolumeType.objects.filter(pk=kind.pk).exists())

    def test_a_default_type_stays(self):
        kind = make.volume_type("gold")
        DefaultType.objects.create(pk=self.red.pk, type=kind)
        self.refused(self.delete(f"/types/{kind.pk}", by="alice"), 400, "default")
        installed = VolumeType.objects.get(name=DEFAULT)
        self.refused(self.delete(f"/types/{installed.pk}", by="alice"), 400, "default")
