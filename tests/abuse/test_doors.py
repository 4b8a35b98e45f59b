"""An operator's doors, by every other way (19): another verb, another path, another version, another word for it."""

from __future__ import annotations

from tests.abuse.base import BAYS, VOLUMES, AbuseCase

OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


class DoorTests(AbuseCase):
    def actions(self) -> list[tuple[str, str, object]]:
        volume = f"{VOLUMES}/volumes/{self.volume.pk}"
        return [
            ("POST", f"{volume}/action", {"os-reset_status": {"status": "error"}}),
            ("POST", f"{volume}/action", {"os-force_delete": {}}),
            ("POST", f"{volume}/action", {"os-force_detach": {}}),
            ("DELETE", f"{volume}?force=True", None),
            ("PUT", f"{VOLUMES}/os-services/disable", {"binary": "cinder-volume", "host": "x@y"}),
            ("POST", f"{VOLUMES}/types", {"volume_type": {"name": "x"}}),
            ("PUT", f"{VOLUMES}/os-quota-sets/{self.blue.pk}", {"quota_set": {"volumes": 1000}}),
            (
                "POST",
                f"{BAYS}/quotas",
                {"project_id": self.blue.pk, "resource": "Cluster", "hard_limit": 1000},
            ),
            ("GET", f"{BAYS}/mservices", None),
            ("POST", "/identity/v3/users", {"user": {"name": "x"}}),
            ("PUT", f"/identity/v3/projects/{self.blue.pk}/users/{self.bob.pk}/roles/admin", None),
            ("PUT", f"/identity/v3/system/users/{self.bob.pk}/roles/admin", None),
        ]

    def test_a_member_is_refused_in_every_version(self):
        before = self.rows()
        for method, path, body in self.actions():
            for version in (
                ("latest",) if "force=" in path else ("latest", "3.0", "1.1")
            ):  # 3.0 knows no force
                with self.subTest(f"{method} {path}", version=version):
                    word = f"container-infra {version}, volume {version}"
                    answer = self.send(method, path, body, **{"OpenStack-API-Version": word})
                    self.assertIn(answer.status_code, {400, 403, 404, 406}, answer.content)
            self.assertEqual(self.send(method, path, body).status_code, 403, path)
        self.assertEqual(self.rows(), before)

    def test_a_verb_beside_the_verb_is_not_heard(self):
        before = self.rows()
        for header in OVERRIDES:
            for path in (f"{VOLUMES}/volumes/{self.volume.pk}", f"{BAYS}/clusters/{self.bay.pk}"):
                self.assertEqual(self.send("GET", path, **{header: "DELETE"}).status_code, 200)
                self.assertIn(
                    self.send("POST", path, {"_method": "DELETE"}, **{header: "DELETE"}).status_code,
                    {404, 405},
                )
        self.assertEqual(self.rows(), before)

    def test_another_spelling_of_a_path_is_another_path(self):
        for path in (
            f"{VOLUMES}/os-services/",
            f"{VOLUMES}//os-services",
            f"{VOLUMES}/./os-services",
            f"{VOLUMES}/x/../os-services",
            f"{VOLUMES}/os-services%2f",
            f"{VOLUMES}/OS-SERVICES",
            f"{BAYS}/mservices/",
            "/admin/../volume/v3/os-services",
        ):
            with self.subTest(path):
                self.assertIn(self.send("GET", path).status_code, {302, 400, 403, 404})

    def test_the_admins_pages_want_a_login_of_their_own(self):
        alice = self.as_user(self.alice)
        for path in ("/admin/", "/admin/volumes/volume/", "/admin/identity/applicationcredential/"):
            self.assertEqual(self.client.get(path, headers=alice).status_code, 302)
