"""What hangs on a type: extra specs, encryption, access, and the defaults of projects."""

from __future__ import annotations

import uuid
from typing import Any

from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import DefaultType, Encryption, TypeAccess

LUKS = {
    "provider": "luks",
    "key_size": 256,
    "cipher": "aes-xts-plain64",
    "control_location": "front-end",
}


class DetailCase(VolumesCase):
    def setUp(self):
        super().setUp()
        self.kind = make.volume_type("gold", extra_specs={"secret": "1", "multiattach": "<is> True"})
        self.path = f"/types/{self.kind.pk}"

    def use(self):
        self.a_volume(type=self.kind)


class ExtraSpecTests(DetailCase):
    def test_they_are_set_shown_and_deleted(self):
        specs = f"{self.path}/extra_specs"
        body = {"extra_specs": {"a": "1", "b:c": "<is> True"}}
        self.assertEqual(self.ok(self.post(specs, body, by="alice")), body)
        all_specs = {"secret": "1", "multiattach": "<is> True", **body["extra_specs"]}
        self.assertEqual(self.ok(self.get(specs, by="alice")), {"extra_specs": all_specs})
        self.assertEqual(self.ok(self.put(f"{specs}/a", {"a": "2"}, by="alice")), {"a": "2"})
        self.assertEqual(self.ok(self.get(f"{specs}/a", by="alice")), {"a": "2"})
        self.ok(self.delete(f"{specs}/a", by="alice"), 202)
        self.refused(self.get(f"{specs}/a", by="alice"), 404)
        self.refused(self.delete(f"{specs}/a", by="alice"), 404)

    def test_users_see_some_and_cannot_tell_that_there_are_others(self):
        specs = f"{self.path}/extra_specs"
        self.assertEqual(self.ok(self.get(specs)), {"extra_specs": {"multiattach": "<is> True"}})
        hidden = self.refused(self.get(f"{specs}/secret"), 404)
        missing = self.refused(self.get(f"{specs}/sekret"), 404)
        self.assertEqual(hidden.replace("secret", ""), missing.replace("sekret", ""))

    def test_those_of_a_type_in_use_stay_as_they_are(self):
        self.use()
        specs = f"{self.path}/extra_specs"
        self.refused(self.post(specs, {"extra_specs": {"a": "1"}}, by="alice"), 400, "in use")
        self.refused(self.put(f"{specs}/secret", {"secret": "2"}, by="alice"), 400, "in use")
        self.refused(self.delete(f"{specs}/secret", by="alice"), 400, "in use")
        self.kind.refresh_from_db()
        self.assertEqual(self.kind.extra_specs["secret"], "1")

    def test_it_refuses_what_is_no_spec(self):
        body: Any
        key: Any
        specs = f"{self.path}/extra_specs"
        for body in (
            None,
            [],
            {"extra_specs": ["x"]},
            {"extra_specs": {"a b": "1"}},
            {"extra_specs": {"a": 1}},
        ):
            self.refused(self.post(specs, body, by="alice"), 400)
        for key, body in (
            ("a", None),
            ("a", {}),
            ("a", {"b": "1"}),
            ("a", {"a": "1", "b": "1"}),
            ("None", {"a": "1"}),
            ("a", {"a": None}),
            ("a", ["a"]),
        ):
            self.refused(self.put(f"{specs}/{key}", body, by="alice"), 400)

    def test_those_of_a_type_that_is_not_there_are_not_there(self):
        specs = f"/types/{uuid.uuid4()}/extra_specs"
        self.refused(self.get(specs, by="alice"), 404)
        self.refused(self.get(f"{specs}/a", by="alice"), 404)
        self.refused(self.post(specs, {"extra_specs": {"a": "1"}}, by="alice"), 404)
        self.refused(self.put(f"{specs}/a", {"a": "1"}, by="alice"), 404)
        self.refused(self.delete(f"{specs}/a", by="alice"), 404)


class EncryptionTests(DetailCase):
    def test_its_life(self):
        path = f"{self.path}/encryption"
        self.assertEqual(self.ok(self.get(path, by="alice")), {})
        made = self.ok(self.post(path, {"encryption": LUKS}, by="alice"))["encryption"]
        self.assertEqual(
            made, {**LUKS, "volume_type_id": str(self.kind.pk), "encryption_id": made["encryption_id"]}
        )
        shown = self.ok(self.get(path, by="alice"))
        self.assertEqual({name: shown[name] for name in made}, made)
        self.assertEqual((shown["deleted"], shown["deleted_at"], shown["updated_at"]), (False, None, None))
        self.assertEqual(self.ok(self.get(f"{path}/cipher", by="alice")), {"cipher": "aes-xts-plain64"})
        self.refused(self.get(f"{path}/colour", by="alice"), 404)
        changed = self.ok(self.put(f"{path}/any", {"encryption": {"key_size": "128"}}, by="alice"))
        self.assertEqual(changed, {"encryption": {"key_size": 128}})
        row = Encryption.objects.get(type=self.kind)
        self.assertEqual((row.key_size, row.provider), (128, "luks"))
        self.ok(self.delete(f"{path}/any", by="alice"), 202)
        self.assertEqual(self.ok(self.get(path, by="alice")), {})
        self.refused(self.delete(f"{path}/any", by="alice"), 404)
        self.refused(self.put(f"{path}/any", {"encryption": {"key_size": 1}}, by="alice"), 404)
        self.refused(self.get(f"{path}/cipher", by="alice"), 404)

    def test_there_is_one_per_type(self):
        self.ok(self.post(f"{self.path}/encryption", {"encryption": LUKS}, by="alice"))
        self.refused(self.post(f"{self.path}/encryption", {"encryption": LUKS}, by="alice"), 400, "already")

    def test_that_of_a_type_in_use_stays_as_it_is(self):
        path = f"{self.path}/encryption"
        self.ok(self.post(path, {"encryption": LUKS}, by="alice"))
        self.use()
        self.refused(self.put(f"{path}/any", {"encryption": {"key_size": 1}}, by="alice"), 400, "in use")
        self.refused(self.delete(f"{path}/any", by="alice"), 400, "in use")
        other = make.volume_type("silver")
        self.a_volume(type=other)
        self.refused(
            self.post(f"/types/{other.pk}/encryption", {"encryption": LUKS}, by="alice"), 400, "in use"
        )

    def test_it_refuses_what_is_none(self):
        body: Any
        for over in (
            {"provider": None},
            {"provider": 5},
            {"control_location": "middle"},
            {"control_location": None},
            {"cipher": "x" * 256},
            {"key_size": "large"},
            {"key_size": -1},
            {"key_size": 2**31},
            {"key_size": True},
        ):
            with self.subTest(over=over):
                self.refused(
                    self.post(f"{self.path}/encryption", {"encryption": {**LUKS, **over}}, by="alice"), 400
                )
        for body in ({}, [], {"encryption": []}, {"encryption": {}}, None):
            self.refused(self.post(f"{self.path}/encryption", body, by="alice"), 400)
        self.refused(self.post(f"/types/{uuid.uuid4()}/encryption", {"encryption": LUKS}, by="alice"), 404)


class AccessTests(DetailCase):
    def setUp(self):
        super().setUp()
        self.private = make.volume_type("private", is_public=False)
        self.list = f"/types/{self.private.pk}/os-volume-type-access"

    def act(self, name, project, kind=None):  # type: ignore[override]
        path = f"/types/{(kind or self.private).pk}/action"
        return self.post(path, {name: {"project": project}}, by="alice")

    def test_it_is_given_listed_and_taken(self):
        for project in (self.blue, self.red):
            self.ok(self.act("addProjectAccess", project.pk), 202)
        listed = self.ok(self.get(self.list, by="alice"))["volume_type_access"]
        expected = [
            {"volume_type_id": str(self.private.pk), "project_id": p.pk} for p in (self.blue, self.red)
        ]
        self.assertEqual(listed, expected)
        self.ok(self.get(f"/types/{self.private.pk}"))
        self.ok(self.act("removeProjectAccess", self.blue.pk), 202)
        self.refused(self.get(f"/types/{self.private.pk}"), 404)

    def test_it_is_given_once_and_taken_once(self):
        self.ok(self.act("addProjectAccess", "p"), 202)
        self.refused(self.act("addProjectAccess", "p"), 409, "already")
        self.ok(self.act("removeProjectAccess", "p"), 202)
        self.refused(self.act("removeProjectAccess", "p"), 404)

    def test_a_public_type_has_none(self):
        self.refused(self.get(f"{self.path}/os-volume-type-access", by="alice"), 404)
        self.refused(self.act("addProjectAccess", "p", self.kind), 400, "public")
        self.refused(self.act("removeProjectAccess", "p", self.kind), 400, "public")

    def test_it_refuses_what_is_no_project_and_no_action(self):
        body: Any
        for project in (None, "", 5, "x" * 65, "a/b", ["p"]):
            self.refused(self.act("addProjectAccess", project), 400)
        for body in ({"delete": {}}, {}, [], None, {"addProjectAccess": []}, {"a": {}, "b": {}}):
            self.refused(self.post(f"/types/{self.private.pk}/action", body, by="alice"), 400)
        self.assertFalse(TypeAccess.objects.exists())


class DefaultTypeTests(DetailCase):
    def set(self, kind, project=None, **how):
        path = f"/default-types/{project or self.blue.pk}"
        return self.put(path, {"default_type": {"volume_type": kind}}, by="alice", **how)

    def test_its_life(self):
        path = f"/default-types/{self.blue.pk}"
        self.refused(self.get(path, by="alice"), 404)
        told = {"project_id": self.blue.pk, "volume_type_id": str(self.kind.pk)}
        for name in ("gold", str(self.kind.pk)):
            self.assertEqual(self.ok(self.set(name)), {"default_type": told})
        self.assertEqual(self.ok(self.get(path, by="alice")), {"default_type": told})
        self.assertEqual(self.ok(self.get("/default-types", by="alice")), {"default_types": [told]})
        self.ok(self.delete(path, by="alice"), 204)
        self.ok(self.delete(path, by="alice"), 204)
        self.assertFalse(DefaultType.objects.exists())

    def test_it_is_the_type_of_new_volumes(self):
        make.volume_type("plain")
        self.ok(self.set("plain"))
        made = self.ok(self.post("/volumes", {"volume": {"size": 1}}), 202)["volume"]
        self.assertEqual(made["volume_type"], "plain")

    def test_it_refuses_unknown_types_and_projects(self):
        self.refused(self.set("bronze"), 400, "bronze")
        self.refused(self.set(""), 400)
        self.refused(self.set("gold", "nowhere"), 404, "nowhere")
        self.refused(self.put(f"/default-types/{self.blue.pk}", {"default_type": []}, by="alice"), 400)

    def test_it_is_there_since_its_version(self):
        self.refused(self.set("gold", version="3.61"), 404)
        self.refused(self.get("/default-types", by="alice", version="3.61"), 404)
