from typing import Any

from identity import tokens
from identity.models import Project
from tests.identity.base import AdminCase, each

DOCUMENT = {
    *("id", "name", "description", "enabled", "domain_id", "parent_id", "is_domain", "tags", "options"),
    "links",
}


class ProjectTests(AdminCase):
    def test_it_creates_shows_changes_and_deletes(self):
        body = {"project": {"name": "green", "description": "grass", "domain_id": "default"}}
        created = self.send("POST", "projects", body, status=201).json()["project"]
        self.assertEqual(created.keys(), DOCUMENT)
        self.assertEqual((created["name"], created["enabled"]), ("green", True))
        self.assertEqual(created["links"]["self"], f"http://testserver/identity/v3/projects/{created['id']}")
        path = f"projects/{created['id']}"
        self.assertEqual(self.send("GET", path, status=200).json()["project"], created)
        changed = self.send("PATCH", path, {"project": {"name": "lime", "enabled": False}}, status=200)
        self.assertEqual(
            changed.json()["project"],
            {**created, "name": "lime", "enabled": False},
        )
        self.assertEqual(self.send("DELETE", path, status=204).content, b"")
        gone: tuple[Any, ...] = (("GET", None), ("PATCH", {"project": {"name": "x"}}), ("DELETE", None))
        for method, change in gone:
            self.assertIn("project", self.refused(404, method, path, change))

    def test_it_takes_what_clients_send_besides(self):
        besides = {"parent_id": "default", "is_domain": False, "tags": [], "options": {}, "enabled": "True"}
        body = {"project": {"name": " green ", "description": None, "domain_id": "default", **besides}}
        created = self.send("POST", "projects", body, status=201).json()["project"]
        self.assertEqual((created["name"], created["description"]), ("green", ""))

    def test_it_refuses_a_name_that_is_taken(self):
        self.assertIn("blue", self.refused(409, "POST", "projects", {"project": {"name": "blue"}}))
        self.refused(409, "PATCH", f"projects/{self.red.pk}", {"project": {"name": "blue"}})
        self.red.refresh_from_db()
        self.assertEqual(self.red.name, "red")

    def test_it_names_what_is_wrong_with_a_body_and_writes_nothing(self):
        good = {"name": "green"}
        wrong: dict[str, list[Any]] = {
            "name": [{}, {"name": ""}, {"name": "   "}, {"name": None}, {"name": 1}, {"name": "x" * 65}],
            "enabled": each(good, "enabled", "maybe", None, 1, []),
            "description": each(good, "description", 1, {}, "x" * 5000),
            "domain_id": each(good, "domain_id", "other", None, 1, []),
            "parent_id": each(good, "parent_id", self.blue.pk, 0, {}),
            "is_domain": each(good, "is_domain", True, 0, "no"),
            "tags": each(good, "tags", ["a"], {}, None),
            "options": each(good, "options", {"immutable": True}, [], None),
            "Unknown": [{**good, "colour": "red"}, {**good, "id": "x"}],
        }
        for said, bodies in wrong.items():
            for body in bodies:
                with self.subTest(body=str(body)[:60]):
                    message = self.refused(400, "POST", "projects", {"project": body})
                    self.assertIn(said if body else "empty", message)
        for body in (None, [], {}, 1, "project", {"project": None}, {"project": []}, {"user": good}):
            with self.subTest(body=body):
                self.refused(400, "POST", "projects", body)
                self.refused(400, "PATCH", f"projects/{self.red.pk}", body)
        self.refused(400, "POST", "projects", {"project": good, "user": {}})
        self.refused(400, "POST", "projects", {"project": {"name": "a\x00b"}})
        self.assertEqual({row.name for row in Project.objects.all()}, {"blue", "red"})

    def test_it_ends_the_tokens_of_a_project_that_is_disabled_or_deleted(self):
        changes = (
            ("PATCH", {"project": {"enabled": False}}, 200),
            ("DELETE", None, 204),
        )
        for method, body, status in changes:
            with self.subTest(method):
                Project.objects.filter(pk=self.blue.pk).update(enabled=True)
                bobs = tokens.issue(self.bob, self.blue.pk)
                self.assertIsNotNone(tokens.check(bobs))
                by = self.as_user(self.sam, system=True)
                self.send(method, f"projects/{self.blue.pk}", body, headers=by, status=status)
                self.assertIsNone(tokens.check(bobs))

    def test_it_leaves_the_users_of_a_deleted_project(self):
        by = self.as_user(self.sam, system=True)
        self.send("DELETE", f"projects/{self.blue.pk}", headers=by, status=204)
        self.bob.refresh_from_db()
        self.assertEqual(self.bob.assignments.count(), 0)

    def test_it_lists_a_users_projects_to_that_user_and_to_an_admin(self):
        path = f"users/{self.bob.pk}/projects"
        for who in (self.bob, self.alice):
            listed = self.send("GET", path, headers=self.as_user(who), status=200).json()
            self.assertEqual([row["name"] for row in listed["projects"]], ["blue"])
        self.refused(403, "GET", path, headers=self.as_user(self.carol))
