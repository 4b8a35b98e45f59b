from typing import Any

from django.test import override_settings

from identity.models import Assignment, Role
from tests.identity.base import by_token, project
from tests.identity.test_credentials import CredentialCase
from tests.identity.test_login import REFUSED, CountingArgon2


def by_credential(**given: Any) -> dict[str, Any]:
    """Return the `auth` of a login by an application credential."""
    return {"identity": {"methods": ["application_credential"], "application_credential": given}}


class CredentialLoginTests(CredentialCase):
    def setUp(self):
        super().setUp()
        self.made = self.make(secret="a secret of ours", roles=[{"name": "reader"}])

    def test_it_answers_a_token_for_its_project_with_its_roles(self):
        by_id = by_credential(id=self.made["id"], secret="a secret of ours")
        owner = {"name": "bob", "domain": {"name": "Default"}}
        ways = {
            "id": by_id,
            "name and the user's id": by_credential(
                name="robot", secret="a secret of ours", user={"id": self.bob.pk}
            ),
            "name and the user's name": by_credential(name="robot", secret="a secret of ours", user=owner),
        }
        for name, auth in ways.items():
            with self.subTest(name):
                answer = self.login(auth)
                self.assertEqual(answer.status_code, 201, answer.content)
                token = answer.json()["token"]
                self.assertEqual(token["methods"], ["application_credential"])
                self.assertEqual((token["user"]["id"], token["project"]["id"]), (self.bob.pk, self.blue.pk))
                self.assertEqual([role["name"] for role in token["roles"]], ["reader"])
                self.assertEqual(
                    token["application_credential"],
                    {"id": self.made["id"], "name": "robot", "restricted": True},
                )
                self.assertIn("catalog", token)
                headers = {"X-Auth-Token": answer["X-Subject-Token"]}
                self.refused(403, "POST", "users", {"user": {"name": "x"}}, headers=headers)

    def test_it_refuses_alike_whatever_the_reason(self):
        other = {"name": "bob", "domain": {"id": "other"}}
        for name, auth in {
            "wrong secret": by_credential(id=self.made["id"], secret="another secret"),
            "no secret": by_credential(id=self.made["id"], secret=""),
            "unknown": by_credential(id="x", secret="a secret of ours"),
            "another user's": by_credential(
                name="robot", secret="a secret of ours", user={"id": self.alice.pk}
            ),
            "another domain's": by_credential(name="robot", secret="a secret of ours", user=other),
        }.items():
            with self.subTest(name):
                answer = self.login(auth)
                self.assertEqual((answer.status_code, answer.json()), (401, REFUSED))

    def test_it_hashes_once_whether_there_is_one_or_not(self):
        work = []
        with override_settings(PASSWORD_HASHERS=["tests.identity.test_login.CountingArgon2"]):
            made = self.make(name="counted")
            for ident in (made["id"], "x"):
                CountingArgon2.worked = 0
                self.robot(ident, "wrong", 401)
                work.append(CountingArgon2.worked)
        self.assertEqual(work, [1, 1])

    def test_it_asks_for_its_own_scope_or_none(self):
        Assignment.objects.create(user=self.bob, project=self.red, role=Role.READER)
        self.robot(self.made["id"], "a secret of ours", scope=project())
        for scope in (project("red"), "unscoped", {"system": {"all": True}}):
            error = self.robot(self.made["id"], "a secret of ours", 401, scope=scope)
            self.assertIn("another scope than its own project", error["message"])

    def test_its_token_gives_no_other_scope(self):
        Assignment.objects.create(user=self.bob, project=self.red, role=Role.MEMBER)
        Assignment.objects.create(user=self.bob, project=None, role=Role.READER)
        free = self.make(name="free", unrestricted=True)
        for ident, secret in ((self.made["id"], "a secret of ours"), (free["id"], free["secret"])):
            token = self.robot(ident, secret)["X-Auth-Token"]
            for scope in (project("red"), {"system": {"all": True}}, "unscoped"):
                self.assertEqual(self.login(by_token(token, scope=scope)).status_code, 401)
            for scope in ({}, {"scope": project()}):
                again = self.login(by_token(token, **scope))
                self.assertEqual(again.status_code, 201)
                document = again.json()["token"]
                self.assertEqual(document["project"]["id"], self.blue.pk)
                self.assertEqual(document["application_credential"]["id"], ident)
                self.assertEqual(document["methods"], ["token", "application_credential"])

    def test_it_names_what_is_wrong_with_a_body(self):
        for given in (
            {},
            {"id": "x"},
            {"secret": "x"},
            {"name": "robot", "secret": "x"},
            {"name": "robot", "secret": "x", "user": {}},
            {"name": "robot", "secret": "x", "user": "bob"},
            {"id": 5, "secret": "x"},
            {"id": "x", "secret": 5},
            {"id": "x", "secret": "x" * 4097},
        ):
            with self.subTest(given):
                answer = self.login(by_credential(**given))
                self.assertEqual(answer.status_code, 400, answer.content)
        self.assertEqual(self.login({"identity": {"methods": ["application_credential"]}}).status_code, 400)

    def test_it_costs_two_statements(self):
        with self.assertNumQueries(2):
            self.robot(self.made["id"], "a secret of ours")
