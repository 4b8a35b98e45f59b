from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from identity import tokens
from identity.authentication import TokenAuthentication
from identity.callers import Caller
from identity.models import Assignment, Role
from tests.identity.base import AdminCase, by_token, password

SYSTEM = {"system": {"all": True}}


class SystemScopeTests(AdminCase):
    def test_it_gives_a_token_for_the_system(self):
        answer = self.login(password("sam", scope=SYSTEM))
        self.assertEqual(answer.status_code, 201)
        token = answer.json()["token"]
        self.assertEqual(token["system"], {"all": True})
        self.assertNotIn("project", token)
        self.assertNotIn("is_domain", token)
        self.assertEqual([role["name"] for role in token["roles"]], ["admin", "manager", "member", "reader"])
        self.assertIn("block-storage", [item["type"] for item in token["catalog"]])
        again = self.login(by_token(answer["X-Subject-Token"], scope=SYSTEM))
        self.assertEqual((again.status_code, again.json()["token"]["system"]), (201, {"all": True}))

    def test_it_wants_a_role_in_the_system_not_in_a_project(self):
        for name in ("alice", "bob", "dave"):
            self.assertEqual(self.login(password(name, scope=SYSTEM)).status_code, 401)

    def test_it_gives_no_role_of_the_system_to_a_token_without_a_scope(self):
        unscoped = self.good(tokens.issue(self.sam, None)).caller
        self.assertEqual((unscoped.roles, unscoped.system), (frozenset(), False))
        self.refused(403, "POST", "projects", {"project": {"name": "x"}}, headers=self.as_user(self.sam, ""))
        self.assertIsNone(tokens.check(tokens.issue(self.sam, self.blue.pk)))

    def test_it_refuses_at_once_when_the_role_is_taken(self):
        text = tokens.issue(self.dave, None, system=True)
        self.assertIsNone(tokens.check(text))
        path = f"system/users/{self.dave.pk}/roles/reader"
        self.send("PUT", path, status=204)
        self.assertEqual(self.good(text).caller.roles, {"reader"})
        self.send("DELETE", path, status=204)
        self.assertIsNone(tokens.check(text))

    def test_it_refuses_what_needs_a_project_with_the_reason(self):
        things = "/container-infra/v1/things"
        answer = self.client.get(things, headers=self.as_user(self.sam, system=True))
        self.assertEqual(answer.status_code, 200)  # a list that asks for no project
        Assignment.objects.create(user=self.dave, project=None, role=Role.MEMBER)
        answer = self.client.get(things, headers=self.as_user(self.dave, system=True))
        self.assertEqual(answer.status_code, 403)
        caller = self.good(tokens.issue(self.sam, None, system=True)).caller
        with self.assertRaisesRegex(Exception, "The token has no project"):
            _ = caller.project

    def test_it_costs_one_statement_to_check_and_then_none(self):
        text = tokens.issue(self.sam, None, system=True)
        for statements in (1, 0):
            with self.assertNumQueries(statements):
                tokens.check(text)


class ServiceTests(AdminCase):
    def setUp(self):
        super().setUp()
        for user, project in ((self.dave, self.red), (self.carol, self.red)):
            Assignment.objects.create(user=user, project=project, role=Role.SERVICE)
        self.service = tokens.issue(self.dave, self.red.pk)

    def caller(self, **headers) -> Caller:
        request = APIView().initialize_request(APIRequestFactory().get("/", headers=headers))
        authenticated = TokenAuthentication().authenticate(request)
        assert authenticated is not None
        return authenticated[0]

    def test_it_tells_that_a_service_calls(self):
        caller = self.caller(**{"X-Auth-Token": self.service})
        self.assertTrue(caller.is_service)
        self.assertEqual(caller.roles, {"service"})
        self.assertFalse(self.caller(**self.as_user(self.alice)).is_service)
        self.assertFalse(self.caller(**self.as_user(self.carol)).is_service)  # it is one in red only

    def test_it_tells_that_a_service_vouches_and_leaves_the_users_roles(self):
        caller = self.caller(**self.as_user(self.bob), **{"X-Service-Token": self.service})
        self.assertTrue(caller.is_service)
        self.assertEqual((caller.user_id, caller.roles), (self.bob.pk, {"member", "reader"}))

    def test_it_does_not_take_another_user_for_a_service(self):
        other = tokens.issue(self.alice, self.blue.pk)
        self.assertFalse(self.caller(**self.as_user(self.bob), **{"X-Service-Token": other}).is_service)

    def test_it_refuses_a_service_token_that_is_not_good(self):
        for text in ("nonsense", self.service[:-2]):
            headers = self.as_user(self.bob, **{"X-Service-Token": text})
            self.assertIn("service token", self.refused(401, "GET", "users", headers=headers))
        self.refused(401, "GET", "users", headers={"X-Service-Token": self.service})

    def test_it_does_not_remember_the_service_beside_the_users_token(self):
        bobs = self.as_user(self.bob)
        self.assertTrue(self.caller(**bobs, **{"X-Service-Token": self.service}).is_service)
        self.assertFalse(self.caller(**bobs).is_service)
