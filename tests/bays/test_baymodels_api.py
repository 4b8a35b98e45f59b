"""/v1/clustertemplates and /v1/baymodels."""

from __future__ import annotations

import uuid
from typing import Any

from django.test import override_settings

from bays.drivers import drivers
from bays.drivers.base import InvalidSpec
from bays.drivers.demo import DemoDriver
from bays.models import BayModel
from tests.bays.base import BASE, DIALECTS, BayCase

FIELDS = {
    *("uuid", "name", "coe", "server_type", "image_id", "keypair_id", "flavor_id", "master_flavor_id"),
    *("dns_nameserver", "external_network_id", "fixed_network", "fixed_subnet", "network_driver"),
    *("volume_driver", "docker_storage_driver", "docker_volume_size", "apiserver_port", "cluster_distro"),
    *("http_proxy", "https_proxy", "no_proxy", "insecure_registry", "labels", "tags", "driver"),
    *("registry_enabled", "tls_disabled", "public", "hidden", "floating_ip_enabled", "master_lb_enabled"),
    *("project_id", "user_id", "created_at", "updated_at", "links"),
}
LEAST = {"coe": "demo", "image_id": "image"}


class Picky(DemoDriver):
    """A driver that needs a flavor, and knows one."""

    def check(self, spec):
        if spec.flavor_id != "tiny":
            raise InvalidSpec(f"there is no flavor {spec.flavor_id}", "flavor_id")
        super().check(spec)


class BayModelTests(BayCase):
    def test_it_is_created_shown_and_listed_with_exactly_these_fields(self):
        for _, collection in DIALECTS:
            body = {**LEAST, "name": "m", "keypair_id": "", "labels": {"a": 1}, "public": "False"}
            answer = self.post(f"/{collection}", body)
            self.assertEqual(answer.status_code, 201, answer.content)
            made = answer.json()
            self.assertEqual(set(made), FIELDS)
            self.assertEqual((made["keypair_id"], made["labels"], made["public"]), (None, {"a": "1"}, False))
            self.assertRegex(made["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")
            self.assertEqual(answer["Location"], f"http://testserver{BASE}/{collection}/{made['uuid']}")
            self.assertEqual(self.get(f"/{collection}/{made['uuid']}").json(), made)
            self.assertEqual(self.get(f"/{collection}/m").json(), made)
            for path in (f"/{collection}", f"/{collection}/", f"/{collection}/detail"):
                self.assertEqual(self.get(path).json(), {collection: [made]})
            self.assertEqual(self.delete(f"/{collection}/m").status_code, 204)
            self.refused(self.get(f"/{collection}/{made['uuid']}"), 404)

    def test_what_no_driver_serves_is_refused_with_what_there_is(self):
        for over in ({"coe": "mesos"}, {"server_type": "bm"}):
            self.refused(self.post("/clustertemplates", {**LEAST, **over}), 400, "there is: demo on vm")
        self.assertEqual(BayModel.objects.count(), 0)

    @override_settings(BAY_DRIVERS=["tests.bays.test_baymodels_api.Picky"])
    def test_what_the_driver_does_not_know_is_refused_before_a_bay_is_made_of_it(self):
        drivers.cache_clear()
        self.addCleanup(drivers.cache_clear)
        self.refused(self.post("/clustertemplates", {**LEAST, "flavor_id": "huge"}), 400, "flavor_id", "huge")
        answer = self.post("/clustertemplates", {**LEAST, "flavor_id": "tiny"})
        self.assertEqual(answer.status_code, 201)
        patch = [{"op": "replace", "path": "/flavor_id", "value": "huge"}]
        path = f"/clustertemplates/{answer.json()['uuid']}"
        self.refused(self.patch(path, patch), 400, "flavor_id")
        # What is missing, and what labels say, a bay may still give.
        self.assertEqual(self.post("/clustertemplates", LEAST).status_code, 201)
        body = {**LEAST, "flavor_id": "tiny", "labels": {"boot_seconds": "long"}}
        self.assertEqual(self.post("/clustertemplates", body).status_code, 201)
        self.assertEqual(BayModel.objects.filter(flavor_id="huge").count(), 0)

    def test_it_sorts_by_whatever_it_shows_but_labels(self):
        unlike: tuple[dict[str, Any], ...] = ({"tags": "a"}, {"docker_volume_size": 5, "public": True}, {})
        for number, over in enumerate(unlike):
            self.a_model(name=f"m{number}", **over)
        for key in FIELDS - {"labels", "links"}:
            seen, path = set(), f"{BASE}/clustertemplates?limit=1&sort_key={key}"
            while path:
                page = self.get(path)
                self.assertEqual(page.status_code, 200, key)
                seen |= {row["name"] for row in page.json()["clustertemplates"]}
                path = page.json().get("next", "").removeprefix("http://testserver")
            self.assertEqual(seen, {"m0", "m1", "m2"}, key)
        self.refused(self.get("/baymodels?sort_key=labels"), 400, "sort_key must be one of")

    def test_publishing_is_the_admins(self):
        for word in ("public", "hidden"):
            self.refused(self.post("/baymodels", {**LEAST, word: True}), 403, "baymodel:publish")
            made = self.post("/baymodels", {**LEAST, word: True}, user="alice")
            self.assertEqual((made.status_code, made.json()[word]), (201, True))
            model = self.a_model()
            patch = [{"op": "replace", "path": f"/{word}", "value": "True"}]
            self.refused(self.patch(f"/clustertemplates/{model.pk}", patch), 403, "baymodel:publish")
            self.assertEqual(self.patch(f"/baymodels/{model.pk}", patch, user="alice").json()[word], True)

    def test_to_take_what_was_published_back_is_the_admins_too(self):
        for word in ("public", "hidden"):
            model = self.a_model(**{word: True})
            patch = [{"op": "replace", "path": f"/{word}", "value": False}]
            self.refused(self.patch(f"/clustertemplates/{model.pk}", patch), 403, "baymodel:publish")
            same = [{"op": "replace", "path": f"/{word}", "value": True}]
            self.assertEqual(self.patch(f"/clustertemplates/{model.pk}", same).status_code, 200)
            self.assertEqual(self.patch(f"/baymodels/{model.pk}", patch, user="alice").json()[word], False)

    def test_an_admin_lists_all_projects_models_when_it_says_so(self):
        self.a_model(name="ours")
        self.a_model(name="theirs", project_id=self.red.pk)
        self.a_model(name="hidden", project_id=self.red.pk, hidden=True)

        def listed(query="", **kwargs):
            return [
                row["name"]
                for row in self.get(f"/clustertemplates{query}", **kwargs).json()["clustertemplates"]
            ]

        self.assertEqual(listed(user="alice"), ["ours"])
        self.assertEqual(listed("?all_projects=true", user="alice"), ["ours", "theirs", "hidden"])
        self.refused(self.get("/clustertemplates?all_projects=true"), 403, "baymodel:all_projects")

    def test_it_filters(self):
        self.a_model(name="a", network_driver="flannel")
        self.a_model(name="b", public=True, cluster_distro="fedora")
        for query, expected in (
            ("name=a", ["a"]),
            ("public=true", ["b"]),
            ("public=False&hidden=0", ["a"]),
            ("network_driver=flannel", ["a"]),
            ("cluster_distro=fedora&name=a", []),
            ("coe=demo&server_type=vm&sort_key=name&sort_dir=desc", ["b", "a"]),
            ("sort_key=network_driver", ["a", "b"]),
        ):
            rows = self.get(f"/baymodels?{query}").json()["baymodels"]
            self.assertEqual([row["name"] for row in rows], expected, query)
        self.refused(self.get("/baymodels?public=perhaps"), 400, "public")

    def test_name_servers_are_addresses(self):
        for given, kept in (
            ("8.8.8.8, 2001:db8::1", "8.8.8.8,2001:db8::1"),
            ("", None),
            (None, None),
            (" ", None),
        ):
            answer = self.post("/baymodels", {**LEAST, "dns_nameserver": given})
            self.assertEqual((answer.status_code, answer.json()["dns_nameserver"]), (201, kept))
        for given in ("dns.example.org", "8.8.8.8,", "8.8.8.8;8.8.4.4", "256.1.1.1", "http://8.8.8.8"):
            self.refused(self.post("/baymodels", {**LEAST, "dns_nameserver": given}), 400, "dns_nameserver")

    def test_another_project_sees_what_is_published_and_changes_nothing_of_it(self):
        own, shown = self.a_model(name="own"), self.a_model(name="shown", public=True)
        hidden = self.a_model(name="hidden", public=True, hidden=True)
        names = [row["name"] for row in self.get("/baymodels", user="erin").json()["baymodels"]]
        self.assertEqual(names, ["shown"])
        self.assertEqual(self.get("/baymodels/shown", user="erin").status_code, 200)
        patch = [{"op": "replace", "path": "/name", "value": "mine"}]
        for model in (own, shown, hidden):
            self.refused(self.patch(f"/baymodels/{model.pk}", patch, user="erin"), 404)
            self.refused(self.delete(f"/baymodels/{model.pk}", user="erin"), 404)
        self.assertEqual(BayModel.objects.filter(name__in=["own", "shown", "hidden"]).count(), 3)
        never = uuid.uuid4()
        told = [self.refused(self.get(f"/baymodels/{pk}", user="erin"), 404) for pk in (own.pk, never)]
        self.assertEqual(told[0].replace(str(own.pk), ""), told[1].replace(str(never), ""))

    def test_one_that_bays_refer_to_keeps_what_they_are_made_of(self):
        model = self.a_model()
        self.a_bay(model=model)
        self.refused(self.delete(f"/baymodels/{model.pk}"), 409, "referenced by bays")
        image = [{"op": "replace", "path": "/image_id", "value": "other"}]
        self.refused(self.patch(f"/baymodels/{model.pk}", image), 409, "referenced by bays")
        self.assertEqual(BayModel.objects.get().image_id, "image")
        name = [{"op": "replace", "path": "/name", "value": "renamed"}]
        self.assertEqual(self.patch(f"/baymodels/{model.pk}", name).json()["name"], "renamed")

    def test_patch_rules(self):
        model = self.a_model(labels={"a": "1"}, flavor_id="m1")
        path = f"/clustertemplates/{model.pk}"
        for patch, shown in (
            ([{"op": "add", "path": "/labels/b", "value": "2"}], {"labels": {"a": "1", "b": "2"}}),
            ([{"op": "remove", "path": "/labels/b"}], {"labels": {"a": "1"}}),
            ([{"op": "replace", "path": "/labels", "value": "{'c': '3'}"}], {"labels": {"c": "3"}}),
            ([{"op": "remove", "path": "/flavor_id"}], {"flavor_id": None}),
            ([{"op": "add", "path": "/flavor_id", "value": "m2"}], {"flavor_id": "m2"}),
            ([{"op": "replace", "path": "/docker_volume_size", "value": "5"}], {"docker_volume_size": 5}),
            ([{"op": "replace", "path": "/tls_disabled", "value": "true"}], {"tls_disabled": True}),
            ([{"op": "replace", "path": "/tls_disabled", "value": 0}], {"tls_disabled": False}),
            ([{"op": "replace", "path": "/master_lb_enabled", "value": "yes"}], {"master_lb_enabled": True}),
            ([{"op": "remove", "path": "/master_lb_enabled"}], {"master_lb_enabled": False}),
            ([{"op": "replace", "path": "/floating_ip_enabled", "value": 0}], {"floating_ip_enabled": False}),
            ([{"op": "remove", "path": "/floating_ip_enabled"}], {"floating_ip_enabled": True}),
            ([], {"name": "small"}),
        ):
            answer = self.patch(path, patch)
            self.assertEqual(answer.status_code, 200, answer.content)
            self.assertEqual({key: answer.json()[key] for key in shown}, shown)
            self.assertEqual(self.get(path).json(), answer.json())
        before = self.rows()
        refused: tuple[tuple[Any, str], ...] = (
            ({}, "list"),
            ([{"op": "replace", "path": "/uuid", "value": str(uuid.uuid4())}], "internal"),
            ([{"op": "replace", "path": "/project_id", "value": self.red.pk}], "internal"),
            ([{"op": "remove", "path": "/coe"}], "mandatory"),
            ([{"op": "remove", "path": "/image_id"}], "mandatory"),
            *(
                ([{"op": "remove", "path": f"/{name}"}], "mandatory")
                for name in ("network_driver", "external_network_id", "cluster_distro", "public", "hidden")
            ),
            ([{"op": "replace", "path": "/name", "value": None}], "name"),
            ([{"op": "replace", "path": "/image_id", "value": ""}], "image_id"),
            ([{"op": "replace", "path": "/server_type", "value": None}], "server_type"),
            ([{"op": "replace", "path": "/server_type", "value": []}], "server_type"),
            ([{"op": "replace", "path": "/coe", "value": "mesos"}], "there is: demo on vm"),
            ([{"op": "replace", "path": "/network_driver", "value": "magic"}], "network_driver"),
            ([{"op": "replace", "path": "/labels", "value": "nonsense"}], "labels"),
            ([{"op": "replace", "path": "/labels", "value": {"a": {"b": "c"}}}], "labels"),
            ([{"op": "add", "path": "/colour", "value": "blue"}], "no attribute colour"),
            ([{"op": "replace", "path": "/apiserver_port", "value": 80}], "apiserver_port"),
            ([{"op": "remove", "path": "/tls_disabled"}], "tls_disabled"),
        )
        for body, word in refused:
            with self.subTest(patch=body):
                self.refused(self.patch(path, body), 400, word)
        self.assertEqual(self.rows(), before)

    def test_a_patch_that_is_no_list_is_a_bad_request_even_for_an_unknown_id(self):
        self.refused(self.patch(f"/clustertemplates/{uuid.uuid4()}", {"op": "replace"}), 400, "list")

    def test_ambiguous_names_pages_and_sorting(self):
        for number in (2, 1, 3):
            self.a_model(name=f"m{number}")
        page = self.get("/clustertemplates?limit=2&sort_key=name&sort_dir=desc").json()
        self.assertEqual([row["name"] for row in page["clustertemplates"]], ["m3", "m2"])
        rest = self.get(page["next"].removeprefix("http://testserver")).json()
        self.assertEqual([row["name"] for row in rest["clustertemplates"]], ["m1"])
        self.assertNotIn("next", rest)
        self.a_model(name="m1")
        self.refused(self.get("/clustertemplates/m1"), 409, "More than one baymodel")
        self.refused(self.delete("/clustertemplates/m1"), 409)
        self.assertEqual(BayModel.objects.count(), 4)
