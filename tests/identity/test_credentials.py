from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import override_settings

from identity import tokens
from identity.models import ApplicationCredential, Assignment, Role, User
from tests.identity.base import PASSWORD, AdminCase, each, password, project

PLAIN = {"name": "robot"}


class CredentialCase(AdminCase):
    """Bob is a member of blue and makes credentials there."""

    def make(self, status=201, headers=None, user=None, **attributes: Any) -> dict[str, Any]:
        body = {"application_credential": {**PLAIN, **attributes}}
        path = f"users/{(user or self.bob).pk}/application_credentials"
        answer = self.send("POST", path, body, headers or self.as_user(self.bob), status).json()
        return dict(answer.get("application_credential") or answer["error"])

    def robot(self, ident, secret, status=201, **scope):
        """Log in by a credential; return the headers of whom it lets in."""
        method = {"id": ident, "secret": secret}
        answer = self.login(
            {"identity": {"methods": ["application_credential"], "application_credential": method}, **scope}
        )
        self.assertEqual(answer.status_code, status, answer.content)
        return {"X-Auth-Token": answer["X-Subject-Token"]} if status == 201 else answer.json()["error"]

    def works(self, headers) -> bool:
        status = self.send("GET", "auth/catalog", headers=headers).status_code
        self.assertIn(status, (200, 401))
        return bool(status == 200)

    def of_bob(self, ident="") -> str:
        return f"users/{self.bob.pk}/application_credentials/{ident}".rstrip("/")


class CredentialTests(CredentialCase):
    def test_it_is_made_listed_shown_and_deleted(self):
        made = self.make(description="nightly", expires_at="2999-01-31T12:00:00")
        self.assertEqual(len(made["secret"]), 64)
        self.assertEqual((made["name"], made["description"]), ("robot", "nightly"))
        self.assertEqual((made["user_id"], made["project_id"]), (self.bob.pk, self.blue.pk))
        self.assertEqual([role["name"] for role in made["roles"]], ["member", "reader"])
        self.assertEqual((made["unrestricted"], made["system"]), (False, None))
        self.assertEqual(made["expires_at"], "2999-01-31T12:00:00.000000")
        self.assertTrue(made["links"]["self"].endswith(f"/identity/v3/{self.of_bob(made['id'])}"))

        bob = self.as_user(self.bob)
        secret = made.pop("secret")
        shown = self.send("GET", self.of_bob(made["id"]), headers=bob, status=200).json()
        self.assertEqual(shown, {"application_credential": made})
        listed = self.send("GET", self.of_bob(), headers=bob, status=200).json()
        self.assertEqual(listed["application_credentials"], [made])
        self.assertEqual(listed["links"]["next"], None)
        named = self.send("GET", f"{self.of_bob()}?name=other", headers=bob).json()
        self.assertEqual(named["application_credentials"], [])
        self.assertNotIn(secret, ApplicationCredential.objects.get().secret)

        self.send("DELETE", self.of_bob(made["id"]), headers=bob, status=204)
        self.refused(404, "GET", self.of_bob(made["id"]), headers=bob)
        self.refused(404, "DELETE", self.of_bob(made["id"]), headers=bob)

    def test_it_has_some_of_the_owners_roles(self):
        for roles, held in (
            ([{"name": "reader"}], ["reader"]),
            ([{"id": Role.READER.uid}], ["reader"]),
            ([{"id": Role.MEMBER.uid}], ["member", "reader"]),
            ([], ["member", "reader"]),
        ):
            made = self.make(name=f"robot {roles}", roles=roles)
            self.assertEqual([role["name"] for role in made["roles"]], held)
        for role in ("admin", "manager", "service"):
            self.assertIn("cannot have a role", self.make(400, roles=[{"name": role}])["message"])
        reader = self.make(name="reader", roles=[{"name": "reader"}], unrestricted=True)
        robot = self.robot(reader["id"], reader["secret"])
        self.assertEqual(self.make(name="child", headers=robot)["roles"][0]["name"], "reader")
        self.make(400, name="bigger child", headers=robot, roles=[{"name": "member"}])

    @override_settings(TOKEN_CACHE_SECONDS=3600)
    def test_what_the_database_says_counts_and_not_what_the_token_said(self):
        bob = self.as_user(self.bob)
        self.assertEqual(
            self.send("GET", "auth/catalog", headers=bob).status_code, 200
        )  # remembered from here on
        Assignment.objects.filter(user=self.bob).update(role=Role.READER)
        self.assertIn("cannot have a role", self.make(400, headers=bob)["message"])

    def test_a_name_is_taken_once_per_user(self):
        self.make()
        self.assertIn("named robot already", self.make(409)["message"])
        self.make(user=self.carol, headers=self.as_user(self.carol))

    def test_bad_attributes_are_refused(self):
        good: dict[str, Any] = dict(PLAIN)
        bad = [
            *each(good, "name", None, "", " ", 5, [], "x" * 256),
            *each(good, "description", 5, [], "x" * 4097),
            *each(good, "secret", 5, "short", "x" * 4097),
            *each(
                good,
                "expires_at",
                5,
                "tomorrow",
                "2020-01-01T00:00:00Z",
                "2027-13-01T00:00:00",
                "0001-01-01T00:00:00",
            ),
            *each(good, "expires_at", "9999-12-31T23:59:59-23:00"),
            *each(
                good,
                "roles",
                "reader",
                {},
                [5],
                ["reader"],
                [{}],
                [{"name": "king"}],
                [{"name": "reader", "id": "x"}],
            ),
            *each(good, "roles", [{"name": "reader"}] * 6, [{"name": "reader", "color": "x"}]),
            *each(good, "unrestricted", "x", 5, []),
            *each(good, "access_rules", {}, "x", [{"path": "/v3", "method": "GET", "service": "volume"}]),
            *each(good, "project_id", self.red.pk),
            *each(good, "user_id", self.alice.pk),
            *each(good, "id", "x"),
        ]
        for attributes in bad:
            with self.subTest(attributes):
                self.make(400, **{"name": None, **attributes})
        self.assertFalse(ApplicationCredential.objects.exists())
        self.make(
            access_rules=[], description=None, roles=[], unrestricted=None, expires_at=None, secret=None
        )

    def test_it_is_the_owners_own_and_an_admins_to_delete(self):
        made = self.make()
        carol, alice = self.as_user(self.carol), self.as_user(self.alice)
        for method in ("GET", "DELETE"):
            self.refused(403, method, self.of_bob(made["id"]), headers=carol)
            own = f"users/{self.carol.pk}/application_credentials/{made['id']}"
            self.refused(404, method, own, headers=carol)
        self.refused(403, "GET", self.of_bob(), headers=carol)
        self.make(403, headers=carol)
        self.make(403, headers=alice)
        self.assertNotIn("secret", self.send("GET", self.of_bob(made["id"]), headers=alice).json())
        self.send("DELETE", self.of_bob(made["id"]), headers=alice, status=204)

    def test_it_is_made_with_a_token_for_a_project(self):
        self.make(403, headers=self.as_user(self.bob, ""))
        self.make(403, user=self.sam, headers=self.as_user(self.sam, system=True))

    def test_a_restricted_one_makes_and_deletes_none(self):
        made, other = self.make(), self.make(name="other", unrestricted=True)
        robot = self.robot(made["id"], made["secret"])
        self.assertIn("restricted", self.make(403, name="child", headers=robot)["message"])
        self.refused(403, "DELETE", self.of_bob(other["id"]), headers=robot)
        self.send("GET", self.of_bob(), headers=robot, status=200)
        free = self.robot(other["id"], other["secret"])
        self.make(name="child", headers=free)
        self.send("DELETE", self.of_bob(other["id"]), headers=free, status=204)
        self.assertFalse(self.works(free), "it has deleted itself")

    def test_there_is_an_end_to_their_number(self):
        rows = [
            ApplicationCredential(user=self.bob, project=self.blue, name=str(n), secret="x", roles=["reader"])
            for n in range(500)
        ]
        ApplicationCredential.objects.bulk_create(rows)
        self.assertIn("500", self.make(403)["message"])

    def test_there_are_no_access_rules(self):
        bob = self.as_user(self.bob)
        rules = self.send("GET", f"users/{self.bob.pk}/access_rules", headers=bob, status=200).json()
        self.assertEqual(rules["access_rules"], [])
        for method in ("GET", "DELETE"):
            self.refused(404, method, f"users/{self.bob.pk}/access_rules/x", headers=bob)


class EndTests(CredentialCase):
    """A credential and its tokens end with what they rest on."""

    def setUp(self):
        super().setUp()
        made = self.make()
        self.ident, self.secret = made["id"], made["secret"]
        self.headers = self.robot(self.ident, self.secret)
        self.assertTrue(self.works(self.headers))

    def over(self):
        self.assertFalse(self.works(self.headers))
        self.robot(self.ident, self.secret, 401)

    def test_with_the_credential(self):
        self.send("DELETE", self.of_bob(self.ident), status=204)
        self.over()

    def test_with_the_role_for_good(self):
        role = f"projects/{self.blue.pk}/users/{self.bob.pk}/roles/member"
        self.send("DELETE", role, status=204)
        self.over()
        self.send("PUT", role, status=204)
        self.over()
        self.refused(404, "GET", self.of_bob(self.ident))

    def test_with_the_role_however_it_was_taken(self):
        Assignment.objects.get(user=self.bob).delete()
        self.assertFalse(ApplicationCredential.objects.exists())

    def test_another_projects_role_is_no_matter(self):
        Assignment.objects.create(user=self.bob, project=self.red, role=Role.MEMBER)
        self.send("DELETE", f"projects/{self.red.pk}/users/{self.bob.pk}/roles/member", status=204)
        self.assertTrue(self.works(self.headers))

    def test_one_role_of_several_that_it_has(self):
        Assignment.objects.filter(user=self.bob).update(role=Role.READER)  # past the guard that deletes it
        self.send("PUT", f"projects/{self.blue.pk}/users/{self.bob.pk}/roles/service", status=204)
        tokens.forget()
        self.over()

    def test_with_the_user(self):
        self.send("PATCH", f"users/{self.bob.pk}", {"user": {"enabled": False}}, status=200)
        self.over()
        self.send("PATCH", f"users/{self.bob.pk}", {"user": {"enabled": True}}, status=200)
        self.assertTrue(self.works(self.headers))
        self.send("DELETE", f"users/{self.bob.pk}", status=204)
        self.over()

    def test_with_the_project(self):
        sam = self.as_user(self.sam, system=True)
        for enabled in (False, True):
            body = {"project": {"enabled": enabled}}
            self.send("PATCH", f"projects/{self.blue.pk}", body, headers=sam, status=200)
            self.assertEqual(self.works(self.headers), enabled)
        self.send("DELETE", f"projects/{self.blue.pk}", headers=sam, status=204)
        self.over()

    def test_with_its_time(self):
        soon = datetime.now(UTC) + timedelta(hours=1)
        made = self.make(name="short", expires_at=soon.isoformat())
        headers = self.robot(made["id"], made["secret"])
        token = self.send(
            "GET", "auth/tokens", headers={**headers, "X-Subject-Token": headers["X-Auth-Token"]}
        )
        self.assertEqual(token.json()["token"]["expires_at"][:19], soon.isoformat()[:19])
        ApplicationCredential.objects.filter(pk=made["id"]).update(
            expires_at=datetime.now(UTC) - timedelta(1)
        )
        tokens.forget()
        self.assertFalse(self.works(headers))
        self.robot(made["id"], made["secret"], 401)

    def test_not_with_the_password(self):
        change = {"user": {"original_password": PASSWORD, "password": "a better password"}}
        self.send("POST", f"users/{self.bob.pk}/password", change, headers=self.as_user(self.bob), status=204)
        self.assertEqual(self.login(password(scope=project())).status_code, 401)
        self.assertTrue(self.works(self.headers))

    def test_its_token_is_taken_back_alone(self):
        self.send(
            "DELETE",
            "auth/tokens",
            headers={**self.headers, "X-Subject-Token": self.headers["X-Auth-Token"]},
            status=204,
        )
        self.assertFalse(self.works(self.headers))
        self.assertTrue(self.works(self.robot(self.ident, self.secret)))

    def test_the_users_own_tokens_do_not_end_with_it(self):
        own = self.as_user(self.bob)
        self.send("DELETE", self.of_bob(self.ident), headers=own, status=204)
        self.assertTrue(self.works(own))
        self.assertTrue(User.objects.filter(pk=self.bob.pk).exists())
