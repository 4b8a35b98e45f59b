from django.conf import settings
from django.test import SimpleTestCase
from django.urls import URLPattern, URLResolver, get_resolver

from api.views import ResourceView
from identity.callers import Caller
from identity.models import Role
from identity.policy import RULES, allows
from tests.identity.base import DoorCase


def caller(role, project: str | None = "p", **more):
    roles = frozenset(Role(role).implied) if role else frozenset()
    return Caller("u", "user", project, project, roles, **more)


class RuleTests(SimpleTestCase):
    def test_it_lets_each_role_do_its_own_and_no_more(self):
        ladder = {
            "reader": {"reader"},
            "member": {"reader", "member"},
            "manager": {"reader", "member", "manager"},
            "admin": {"reader", "member", "manager", "admin", "service"},
            "service": {"service"},
        }
        for rule, needed in RULES.items():
            for role, powers in ladder.items():
                with self.subTest(rule=rule, role=role):
                    expected = needed in powers or needed in ("anyone", "token")
                    self.assertEqual(allows(caller(role), rule), expected)

    def test_it_lets_only_an_admin_do_more_in_the_system_than_any_token_may(self):
        for rule, needed in RULES.items():
            for role in Role:
                with self.subTest(rule=rule, role=role):
                    expected = needed in ("anyone", "token") or role is Role.ADMIN
                    self.assertEqual(allows(caller(role, None, system=True), rule), expected)

    def test_it_lets_a_service_vouch_for_a_user_only_where_a_service_is_needed(self):
        vouched = caller("reader", by_service=True)
        more = {rule for rule in RULES if allows(vouched, rule) and not allows(caller("reader"), rule)}
        self.assertEqual(more, {rule for rule, needed in RULES.items() if needed == "service"})

    def test_it_lets_nobody_do_what_has_no_rule(self):
        self.assertFalse(allows(caller("admin"), "bay:explode"))
        self.assertFalse(allows(caller("admin"), ""))

    def test_it_lets_the_unknown_do_only_what_anyone_may(self):
        self.assertEqual(
            {rule for rule in RULES if allows(None, rule)}, {"identity:discover", "identity:login"}
        )

    def test_it_lets_a_token_without_a_project_do_only_identity(self):
        self.assertEqual(
            {rule for rule in RULES if allows(caller(None, None), rule)},
            {rule for rule, needed in RULES.items() if needed in ("anyone", "token")},
        )
        self.assertTrue(
            all(rule.startswith("identity:") for rule, needed in RULES.items() if needed == "token")
        )

    def test_it_has_a_rule_for_each_method_of_each_route(self):
        seen = 0
        for view in views(get_resolver(settings.ROOT_URLCONF)):
            for method in view.http_method_names:
                if method != "head" and hasattr(view, method):
                    with self.subTest(view=view.__name__, method=method):
                        self.assertIn(view.policy.get(method.upper()), RULES)
                        seen += 1
        self.assertGreater(seen, 8)


def views(resolver):
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from views(entry)
        elif isinstance(entry, URLPattern):
            view = getattr(entry.callback, "view_class", getattr(entry.callback, "cls", None))
            if view and issubclass(view, ResourceView):
                yield view


class PermissionTests(DoorCase):
    things = "/container-infra/v1/things"

    def status(self, method, headers):
        return self.client.generic(
            method, self.things, b'{"name": "x"}', content_type="application/json", headers=headers
        ).status_code

    def test_it_tells_apart_the_unknown_the_forbidden_and_the_allowed(self):
        expected = {
            ("alice", "POST"): 201,
            ("bob", "POST"): 201,
            ("carol", "POST"): 403,
            ("carol", "GET"): 200,
            ("carol", "HEAD"): 200,
        }
        for (name, method), status in expected.items():
            with self.subTest(name, method=method):
                self.assertEqual(self.status(method, self.as_user(getattr(self, name))), status)
        self.assertEqual(self.status("GET", {}), 401)
        self.assertEqual(self.status("GET", {"X-Auth-Token": "nonsense"}), 401)

    def test_it_refuses_a_token_without_a_project(self):
        answer = self.client.get(self.things, headers=self.as_user(self.dave, ""))
        self.assertEqual(answer.status_code, 403)
        self.assertIn("project", answer.json()["errors"][0]["detail"])

    def test_it_refuses_a_method_without_a_rule_even_to_an_admin(self):
        self.assertEqual(self.status("DELETE", self.as_user(self.alice)), 403)

    def test_it_answers_405_for_a_method_that_the_route_has_not(self):
        for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "BREW"):
            with self.subTest(method):
                self.assertEqual(self.status(method, self.as_user(self.alice)), 405)

    def test_it_challenges_with_the_way_to_log_in(self):
        answer = self.client.get(self.things)
        self.assertEqual(answer["WWW-Authenticate"], 'Keystone uri="http://testserver/identity"')
