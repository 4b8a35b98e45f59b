from django.test import override_settings

from identity import tokens
from tests.identity.base import DoorCase

TOKENS = "/identity/v3/auth/tokens"


class DiscoveryTests(DoorCase):
    def test_it_describes_the_versions_without_a_token(self):
        for path in ("/identity", "/identity/"):
            answer = self.client.get(path)
            self.assertEqual(answer.status_code, 300)
            (version,) = answer.json()["versions"]["values"]
            self.assertEqual((version["id"], version["status"]), ("v3.14", "stable"))
        for path in ("/identity/v3", "/identity/v3/"):
            answer = self.client.get(path)
            self.assertEqual((answer.status_code, answer.json()["version"]), (200, version))

    @override_settings(ALLOWED_HOSTS=["door.example"])
    def test_it_names_the_host_that_the_client_used(self):
        answer = self.client.get("/identity/v3", headers={"Host": "door.example:81"})
        self.assertEqual(answer.json()["version"]["links"][0]["href"], "http://door.example:81/identity/v3/")
        answer = self.client.get("/identity/v3", headers={"Host": "evil.example"})
        self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (400, 400))


class TokenRouteTests(DoorCase):
    def test_it_describes_a_token_to_its_bearer(self):
        mine = self.as_user(self.bob)["X-Auth-Token"]
        headers = {"X-Auth-Token": mine, "X-Subject-Token": mine}
        answer = self.client.get(TOKENS, headers=headers)
        self.assertEqual((answer.status_code, answer["X-Subject-Token"]), (200, mine))
        self.assertEqual(answer.json()["token"]["user"]["name"], "bob")
        head = self.client.head(TOKENS, headers=headers)
        self.assertEqual((head.status_code, head.content), (200, b""))

    def test_it_lets_an_admin_and_nobody_else_see_and_end_anothers_token(self):
        bobs = tokens.issue(self.bob, self.blue.pk)
        for method in ("get", "delete"):
            answer = getattr(self.client, method)(
                TOKENS, headers={**self.as_user(self.carol), "X-Subject-Token": bobs}
            )
            self.assertEqual(answer.status_code, 403)
        answer = self.client.delete(TOKENS, headers={**self.as_user(self.alice), "X-Subject-Token": bobs})
        self.assertEqual(answer.status_code, 204)
        self.assertIsNone(tokens.check(bobs))
        answer = self.client.get(TOKENS, headers={**self.as_user(self.alice), "X-Subject-Token": bobs})
        self.assertEqual(answer.status_code, 404)

    def test_it_ends_ones_own_token(self):
        mine = self.as_user(self.bob)["X-Auth-Token"]
        headers = {"X-Auth-Token": mine, "X-Subject-Token": mine}
        self.assertEqual(self.client.delete(TOKENS, headers=headers).status_code, 204)
        self.assertEqual(self.client.get(TOKENS, headers=headers).status_code, 401)

    def test_it_wants_a_subject(self):
        self.assertEqual(self.client.get(TOKENS, headers=self.as_user(self.bob)).status_code, 400)


class OwnThingsTests(DoorCase):
    def names(self, path, headers):
        answer = self.client.get(path, headers=headers)
        self.assertEqual(answer.status_code, 200, answer.content)
        return [item["name"] for key in ("projects", "users") for item in answer.json().get(key, [])]

    def test_it_lists_the_callers_projects_and_an_admins_are_all(self):
        self.assertEqual(self.names("/identity/v3/projects", self.as_user(self.bob)), ["blue"])
        self.assertEqual(self.names("/identity/v3/projects", self.as_user(self.alice)), ["blue", "red"])
        self.assertEqual(self.names("/identity/v3/auth/projects", self.as_user(self.alice)), ["blue"])
        self.assertEqual(self.names("/identity/v3/auth/projects", self.as_user(self.dave, "")), [])

    def test_it_filters_projects(self):
        alice = self.as_user(self.alice)
        self.assertEqual(self.names("/identity/v3/projects?name=red", alice), ["red"])
        self.assertEqual(self.names("/identity/v3/projects?enabled=False", alice), [])
        self.assertEqual(self.names("/identity/v3/projects?domain_id=other", alice), [])

    def test_it_shows_a_project_to_those_in_it(self):
        path = f"/identity/v3/projects/{self.blue.pk}"
        shown = self.client.get(path, headers=self.as_user(self.bob)).json()["project"]
        self.assertEqual((shown["name"], shown["domain_id"], shown["enabled"]), ("blue", "default", True))
        hidden = self.client.get(f"/identity/v3/projects/{self.red.pk}", headers=self.as_user(self.bob))
        self.assertEqual(hidden.status_code, 404)

    def test_it_shows_users_themselves_and_an_admin_everybody(self):
        path = f"/identity/v3/users/{self.bob.pk}"
        for user, status in ((self.bob, 200), (self.carol, 403), (self.alice, 200)):
            self.assertEqual(self.client.get(path, headers=self.as_user(user)).status_code, status)
        missing = self.client.get("/identity/v3/users/nobody", headers=self.as_user(self.alice))
        self.assertEqual(missing.status_code, 404)
        self.assertEqual(self.names("/identity/v3/users", self.as_user(self.bob)), ["bob"])
        self.assertEqual(self.names("/identity/v3/users?name=carol", self.as_user(self.bob)), [])
        self.assertEqual(self.names("/identity/v3/users?name=carol", self.as_user(self.alice)), ["carol"])

    def test_it_gives_the_catalog_to_a_token_with_a_project(self):
        answer = self.client.get("/identity/v3/auth/catalog", headers=self.as_user(self.bob))
        self.assertEqual(
            [item["type"] for item in answer.json()["catalog"]],
            ["identity", "container-infra", "block-storage"],
        )
        answer = self.client.get("/identity/v3/auth/catalog", headers=self.as_user(self.bob, ""))
        self.assertEqual(answer.status_code, 403)

    def test_it_wants_a_token(self):
        for path in ("projects", "auth/projects", "auth/catalog", "users/x", "auth/tokens", "projects/x"):
            answer = self.client.get(f"/identity/v3/{path}")
            self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (401, 401))

    def test_it_answers_4xx_to_bad_paths_and_queries(self):
        alice = self.as_user(self.alice)
        for path in ("projects/%00", "users/a%00b", "projects?name=%00", "users?%00=x", "users?name=%00"):
            with self.subTest(path):
                answer = self.client.get(f"/identity/v3/{path}", headers=alice)
                self.assertIn(answer.status_code, (400, 404))
                self.assertIn("error", answer.json())
        for path in ("users/%ff%fe", "projects/%F0%9F", "projects?name=%ff", "projects/" + "x" * 3000):
            with self.subTest(path[:40]):
                self.assertIn(self.client.get(f"/identity/v3/{path}", headers=alice).status_code, (200, 404))
