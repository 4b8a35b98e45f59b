from typing import Any

import structlog

from identity import tokens
from identity.models import User
from tests.identity.base import PASSWORD, AdminCase, each, password

DOCUMENT = {
    *("id", "name", "email", "description", "default_project_id", "enabled", "domain_id"),
    *("password_expires_at", "options", "links"),
}


class UserTests(AdminCase):
    def test_it_creates_shows_changes_and_deletes(self):
        given = {"name": "erin", "email": "erin@example.org", "description": "new"}
        body = {"user": {**given, "password": PASSWORD, "default_project_id": self.blue.pk}}
        created = self.send("POST", "users", body, status=201).json()["user"]
        self.assertEqual(created.keys(), DOCUMENT)
        self.assertEqual({name: created[name] for name in given}, given)
        self.assertEqual((created["default_project_id"], created["enabled"]), (self.blue.pk, True))
        path = f"users/{created['id']}"
        self.assertEqual(self.send("GET", path, status=200).json()["user"], created)
        changed = self.send("PATCH", path, {"user": {"name": "eve", "email": ""}}, status=200)
        self.assertEqual(changed.json()["user"], {**created, "name": "eve", "email": ""})
        self.assertEqual(self.login(password("eve")).status_code, 201)
        self.assertEqual(self.send("DELETE", path, status=204).content, b"")
        gone: tuple[Any, ...] = (("GET", None), ("PATCH", {"user": {"name": "x"}}), ("DELETE", None))
        for method, change in gone:
            self.assertIn("user", self.refused(404, method, path, change))

    def test_it_takes_what_test_suites_send_besides(self):
        besides = {"domain_id": "default", "project_id": self.blue.pk, "options": {}, "enabled": True}
        body = {"user": {"name": "erin", "password": PASSWORD, "email": "e@example.org", **besides}}
        self.assertEqual(self.send("POST", "users", body, status=201).json()["user"]["name"], "erin")

    def test_it_lets_nobody_in_as_a_user_without_a_password(self):
        self.send("POST", "users", {"user": {"name": "erin"}}, status=201)
        for word in ("", "!", PASSWORD):
            self.assertEqual(self.login(password("erin", word=word)).status_code, 401)

    def test_it_refuses_a_name_that_is_taken(self):
        body = {"user": {"name": "bob", "password": PASSWORD}}
        self.assertIn("bob", self.refused(409, "POST", "users", body))
        self.refused(409, "PATCH", f"users/{self.carol.pk}", {"user": {"name": "bob"}})

    def test_it_names_what_is_wrong_with_a_body_and_writes_nothing(self):
        before = set(User.objects.values_list("username", "password"))
        good = {"name": "erin"}
        wrong: dict[str, list[Any]] = {
            "name": [{}, {"name": "  "}, {"name": None}, {"name": 1}, {"name": "x" * 151}],
            "password": each(good, "password", "", "short", None, 12345678, "x" * 4097),
            "email": each(good, "email", 1, [], "x" * 255),
            "default_project_id": each(good, "default_project_id", 1, "x" * 33),
            "enabled": each(good, "enabled", "maybe", None, 0),
            "domain_id": [{**good, "domain_id": "other"}],
            "Unknown": [
                {**good, "is_superuser": True},
                {**good, "username": "x"},
                {**good, "is_staff": True},
            ],
        }
        for said, bodies in wrong.items():
            for body in bodies:
                with self.subTest(body=str(body)[:60]):
                    message = self.refused(400, "POST", "users", {"user": body})
                    self.assertIn(said if body else "empty", message)
                    if body and "password" in body:
                        change = {"user": {"password": body["password"]}}
                        self.refused(400, "PATCH", f"users/{self.bob.pk}", change)
        self.assertEqual(set(User.objects.values_list("username", "password")), before)

    def test_it_ends_the_tokens_of_a_user_who_is_disabled_deleted_or_given_a_password(self):
        changes = (
            ("PATCH", {"user": {"password": "another password"}}, 200),
            ("PATCH", {"user": {"enabled": False}}, 200),
            ("DELETE", None, 204),
        )
        for method, body, status in changes:
            with self.subTest(body=body):
                User.objects.filter(pk=self.bob.pk).update(is_active=True)
                self.bob.refresh_from_db()
                bobs = tokens.issue(self.bob, self.blue.pk)
                carols = tokens.issue(self.carol, self.blue.pk)
                self.assertIsNotNone(tokens.check(bobs))
                self.send(method, f"users/{self.bob.pk}", body, status=status)
                self.assertIsNone(tokens.check(bobs))
                self.assertIsNotNone(tokens.check(carols))

    def test_it_filters_users(self):
        User.objects.filter(pk=self.dave.pk).update(is_active=False)
        for query, names in (
            ("name=bob", ["bob"]),
            ("enabled=False", ["dave"]),
            ("domain_id=default&name=sam", ["sam"]),
            ("domain_id=other", []),
        ):
            listed = self.send("GET", f"users?{query}", status=200).json()["users"]
            self.assertEqual([row["name"] for row in listed], names)


class OwnPasswordTests(AdminCase):
    def change(self, user, status, by=None, **given):
        body = {"user": {"original_password": PASSWORD, "password": "another password", **given}}
        headers = self.as_user(by or user)
        return self.send("POST", f"users/{user.pk}/password", body, headers=headers, status=status)

    def test_it_changes_ones_own_and_ends_the_tokens_had_by_the_old_one(self):
        old = tokens.issue(self.bob, self.blue.pk)
        self.assertIsNotNone(tokens.check(old))
        self.change(self.bob, 204)
        self.assertIsNone(tokens.check(old))
        self.assertEqual(self.login(password(word="another password")).status_code, 201)
        self.assertEqual(self.login(password()).status_code, 401)

    def test_it_refuses_a_wrong_original_and_anothers_password_and_a_bad_new_one(self):
        self.change(self.bob, 401, original_password="wrong")
        self.change(self.bob, 403, by=self.carol)
        self.change(self.bob, 403, by=self.alice)
        self.change(self.bob, 400, password="short")
        self.change(self.bob, 400, password=None)
        self.change(self.bob, 400, more="x")
        self.assertEqual(self.login(password()).status_code, 201)


class AuditTests(AdminCase):
    def test_it_logs_each_change_with_who_did_it_and_without_a_password(self):
        secret = "a very secret password"
        by = self.as_user(self.alice)
        with structlog.testing.capture_logs() as logs:
            body = {"user": {"name": "erin", "password": secret}}
            erin = self.send("POST", "users", body, headers=by, status=201).json()["user"]["id"]
            change = {"user": {"password": secret + "2"}}
            self.send("PATCH", f"users/{erin}", change, headers=by, status=200)
            green = self.send("POST", "projects", {"project": {"name": "green"}}, headers=by, status=201)
            green = green.json()["project"]["id"]
            self.send("PATCH", f"projects/{green}", {"project": {"description": "x"}}, headers=by, status=200)
            role = f"projects/{green}/users/{erin}/roles/member"
            for _ in range(2):
                self.send("PUT", role, headers=by, status=204)
            self.send("DELETE", role, headers=by, status=204)
            self.refused(404, "DELETE", role, headers=by)
            self.send("DELETE", f"projects/{green}", headers=by, status=204)
            self.send("DELETE", f"users/{erin}", headers=by, status=204)
        told = [(line["event"], line["target"]) for line in logs if line.get("by") == self.alice.pk]
        self.assertEqual(
            told,
            [
                ("user created", erin),
                ("user changed", erin),
                ("project created", green),
                ("project changed", green),
                ("role given", erin),
                ("role taken", erin),
                ("project deleted", green),
                ("user deleted", erin),
            ],
        )
        self.assertNotIn(secret, str(logs))
        self.assertNotIn("argon2", str(logs))
