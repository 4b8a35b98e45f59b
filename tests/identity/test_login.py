from datetime import datetime
from typing import Any

from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from identity.hashers import Argon2
from identity.models import Project
from tests.identity.base import PASSWORD, DoorCase, by_token, password, project

WORDS = [
    "identity",
    "methods",
    "password",
    "token",
    "user",
    "id",
    "name",
    "domain",
    "scope",
    "project",
    "system",
]
REFUSED = {
    "error": {
        "code": 401,
        "title": "Unauthorized",
        "message": "The request you have made requires authentication.",
    }
}


class CountingArgon2(Argon2):
    """The real hasher; it remembers how often it worked."""

    worked = 0
    time_cost = 1
    memory_cost = 64

    def encode(self, password, salt):
        CountingArgon2.worked += 1
        return super().encode(password, salt)

    def verify(self, password, encoded):
        CountingArgon2.worked += 1
        return super().verify(password, encoded)


class LoginTests(DoorCase):
    def test_it_answers_a_token_with_project_roles_and_catalog(self):
        answer = self.login(password(scope=project()))
        self.assertEqual(answer.status_code, 201)
        token = answer.json()["token"]
        self.assertEqual(token["user"]["id"], self.bob.pk)
        self.assertEqual(token["user"]["domain"], {"id": "default", "name": "Default"})
        self.assertEqual(token["project"]["id"], self.blue.pk)
        self.assertEqual([role["name"] for role in token["roles"]], ["member", "reader"])
        self.assertEqual(token["methods"], ["password"])
        entry = {item["type"]: item for item in token["catalog"]}["container-infra"]
        self.assertEqual(
            {point["interface"] for point in entry["endpoints"]}, {"public", "internal", "admin"}
        )
        self.assertEqual(entry["endpoints"][0]["url"], "http://testserver/container-infra/v1")
        self.assertEqual(entry["endpoints"][0]["region"], "RegionOne")
        lifetime = self._time(token["expires_at"]) - self._time(token["issued_at"])
        self.assertEqual(lifetime.total_seconds(), 4 * 3600)
        self.assertEqual(self.good(answer["X-Subject-Token"]).caller.project_id, self.blue.pk)

    def _time(self, text):
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007 (the form is what is tested)

    def test_it_takes_ids_in_place_of_names(self):
        auth = password(scope={"project": {"id": self.blue.pk}})
        auth["identity"]["password"]["user"] = {"id": self.bob.pk, "password": PASSWORD}
        self.assertEqual(self.login(auth).status_code, 201)

    def test_it_gives_an_unscoped_token_without_project_roles_or_catalog(self):
        scopes: list[Any] = [
            {},
            {"scope": "unscoped"},
            {"scope": None},
            {"scope": {"unscoped": {}}},
        ]
        for scope in scopes:
            with self.subTest(scope=scope):
                answer = self.login(password(**scope))
                self.assertEqual(answer.status_code, 201)
                self.assertLessEqual({"methods", "user", "audit_ids"}, answer.json()["token"].keys())
                self.assertFalse({"project", "roles", "catalog"} & answer.json()["token"].keys())

    def test_it_takes_the_default_project_where_nothing_is_said_of_a_scope(self):
        self.bob.default_project_id = self.blue.pk
        self.bob.save()
        self.assertEqual(self.login(password()).json()["token"]["project"]["id"], self.blue.pk)
        self.assertNotIn("project", self.login(password(scope="unscoped")).json()["token"])
        self.bob.default_project_id = self.red.pk
        self.bob.save()
        answer = self.login(password())
        self.assertEqual(answer.status_code, 201)
        self.assertNotIn("project", answer.json()["token"])

    def test_it_leaves_the_catalog_out_when_asked(self):
        answer = self.client.post(
            "/identity/v3/auth/tokens?nocatalog",
            {"auth": password(scope=project())},
            content_type="application/json",
        )
        self.assertNotIn("catalog", answer.json()["token"])

    def test_it_refuses_alike_whatever_the_reason(self):
        Project.objects.create(name="closed", enabled=False)
        self.carol.is_active = False
        self.carol.save()
        elsewhere = password()
        elsewhere["identity"]["password"]["user"]["domain"] = {"name": "Other"}
        refused = {
            "wrong password": password(word="wrong"),
            "empty password": password(word=""),
            "unknown user": password("nobody"),
            "inactive user": password("carol", scope=project()),
            "other domain": elsewhere,
            "no role": password(scope=project("red")),
            "unknown project": password(scope=project("green")),
            "disabled project": password(scope=project("closed")),
            "project of another domain": password(scope={"project": {"name": "blue", "domain": {"id": "x"}}}),
            "domain scope": password(scope={"domain": {"id": "default"}}),
            "no role in the system": password(scope={"system": {"all": True}}),
            "unknown method": {"identity": {"methods": ["totp"]}},
            "bad token": by_token("nonsense"),
        }
        for name, auth in refused.items():
            with self.subTest(name):
                answer = self.login(auth)
                self.assertEqual((answer.status_code, answer.json()), (401, REFUSED))
                self.assertNotIn("X-Subject-Token", answer)

    def test_it_hashes_once_whether_the_user_exists_or_not(self):
        with override_settings(PASSWORD_HASHERS=["tests.identity.test_login.CountingArgon2"]):
            self.bob.set_password(PASSWORD)
            self.bob.save()
            self.carol.set_unusable_password()
            self.carol.save()
            work = []
            for name in ("bob", "nobody", "carol"):
                CountingArgon2.worked = 0
                self.login(password(name, word="wrong"))
                work.append(CountingArgon2.worked)
        self.assertEqual(work, [1, 1, 1])

    def test_it_ignores_a_stale_token_beside_the_password(self):
        answer = self.login(password(), headers={"X-Auth-Token": "stale"})
        self.assertEqual(answer.status_code, 201)

    def test_it_costs_two_statements_unscoped(self):
        with self.assertNumQueries(2):
            self.login(password())

    def test_it_changes_scope_for_a_token_which_lives_no_longer(self):
        first = self.login(password())["X-Subject-Token"]
        answer = self.login(by_token(first, scope=project()))
        token, parent = self.good(answer["X-Subject-Token"]).token, self.good(first).token
        self.assertEqual(token.project_id, self.blue.pk)
        self.assertEqual(token.expires, parent.expires)
        self.assertEqual(token.methods, ("token", "password"))
        self.assertEqual(token.audit_ids[1:], parent.audit_ids)
        self.assertEqual(self.login(by_token(first, scope=project("red"))).status_code, 401)

    def test_it_names_what_is_wrong_with_a_body(self):
        user = password()["identity"]["password"]["user"]
        bad: dict[str, list[Any]] = {
            "auth": [None, [], "x", 1, True, {}],
            "identity": [None, [], "x", {}, {"methods": "password"}, {"methods": []}, {"methods": [1]}],
            "methods": [
                ["password", "token"],
                ["password"],
                ["token"],
                {"0": "password"},
                [["password"]],
                [None],
            ],
            "user": [None, [], {}, {"name": "bob"}, {**user, "password": 1}, {**user, "name": {}}],
            "password": ["x" * 4097, ["a"], {"a": 1}, None, 3.5, False],
            "scope": [
                *([], 1, "scoped", {"project": []}, {"project": {}}, {"project": {"id": 7}}),
                *({"system": {}}, {"system": {"all": False}}, {"system": {"all": "x"}}, {"system": True}),
                {"system": {"all": True}, "project": {"id": "x"}},
            ],
        }
        for where, values in bad.items():
            for value in values:
                with self.subTest(where, value=value):
                    answer = self.login(self._with(where, value))
                    self.assertEqual(answer.status_code, 400, answer.content)
                    error = answer.json()["error"]
                    self.assertEqual((error["code"], error["title"]), (400, "Bad Request"))
                    self.assertIn("auth", error["message"])

    def _with(self, where, value):
        auth = password()
        match where:
            case "auth":
                return value
            case "identity" | "scope":
                auth[where] = value
            case "methods":
                auth["identity"] = {"methods": value}
            case "user":
                auth["identity"]["password"]["user"] = value
            case "password":
                auth["identity"]["password"]["user"]["password"] = value
        return auth


class AnyBodyTests(HypothesisTestCase, DoorCase):
    @settings(max_examples=100, deadline=None)
    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.text(max_size=5)
            | st.sampled_from(["password", "token"]),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
            ),
            max_leaves=12,
        )
    )
    def test_it_never_fails_on_a_body(self, auth):
        self.assertIn(self.login(auth).status_code, (400, 401))
