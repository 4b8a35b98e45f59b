"""Who may ask how often, at each of the services, in each one's words."""

from __future__ import annotations

from unittest.mock import patch

from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from api import floods, health, rates
from identity.models import Assignment, Role, User
from lifecycle import local
from tests.identity.base import PASSWORD, DoorCase, by_token, password, project
from tests.identity.test_credential_logins import by_credential

SLOW = 1 / 3600  # a second: what is used up stays so for the length of a test
PATHS = ("/identity/v3/users", "/volume/v3/volumes", "/container-infra/v1/clusters")


def rate(burst, *names):
    return override_settings(RATES=dict.fromkeys(names, (SLOW, burst)), ROOT_URLCONF="project.urls")


class ThrottleCase(DoorCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(setattr, local, "peers", local.peers)
        local.peers = 1
        for meter in (rates.PROJECTS, rates.ADDRESSES, rates.LOGINS, rates.GUESSES):
            meter.forget()
        floods.held._until.clear()

    def statuses(self, times, path="/identity/v3/users", **headers):
        return [self.client.get(path, headers=headers).status_code for _ in range(times)]


class ProjectTests(ThrottleCase):
    @rate(3, "project")
    def test_a_project_that_asks_too_often_is_told_so_in_each_services_words(self):
        headers = self.as_user(self.bob)
        self.assertEqual(self.statuses(3, **headers), [200] * 3)
        for path in PATHS:
            answer = self.client.get(path, headers=headers)
            self.assertEqual(answer.status_code, 429)
            seconds = answer["Retry-After"]
            self.assertIn(int(seconds), range(3000, 3601))
            self.assertRegex(answer["x-openstack-request-id"], "^req-")
            message = f"Too many requests. Try again in {seconds} s."
            match answer.json():
                case {"error": error}:
                    self.assertEqual(error, {"code": 429, "title": "Too Many Requests", "message": message})
                case {"overLimit": fault}:
                    self.assertEqual(fault, {"code": 429, "message": message, "retryAfter": seconds})
                case {"errors": [error]}:
                    self.assertEqual((error["status"], error["detail"]), (429, message))
                    self.assertEqual(error["code"], "container-infra.too-many-requests")
                case other:
                    self.fail(f"{path}: {other}")

    @rate(3, "project")
    def test_all_users_tokens_and_services_of_a_project_count_together_and_no_other_project(self):
        Assignment.objects.create(user=self.bob, project=self.red, role=Role.MEMBER)
        self.client.get(PATHS[0], headers=self.as_user(self.bob))
        self.client.get(PATHS[1], headers=self.as_user(self.bob))
        self.client.get(PATHS[2], headers=self.as_user(self.carol))
        self.assertEqual(self.statuses(1, **self.as_user(self.carol)), [429])
        self.assertEqual(self.statuses(4, **self.as_user(self.bob, self.red)), [200] * 3 + [429])

    @rate(3, "project")
    def test_what_is_refused_counts_as_well(self):
        headers = self.as_user(self.carol)
        for _ in range(3):
            self.assertEqual(self.client.delete(PATHS[0] + "/x", headers=headers).status_code, 403)
        self.assertEqual(self.client.delete(PATHS[0] + "/x", headers=headers).status_code, 429)

    @rate(3, "project")
    def test_refusing_costs_no_statement_and_no_look_at_the_token(self):
        headers = self.as_user(self.bob)
        self.statuses(3, **headers)
        with CaptureQueriesContext(
            connection,
        ) as first:
            self.statuses(1, **headers)
        self.assertEqual(len(first), 0)
        self.assertTrue(floods.held.wait(headers["X-Auth-Token"]))
        self.assertEqual(self.statuses(3, **headers), [429] * 3)

    @rate(1000, "project", "address")
    def test_counting_costs_no_statement(self):
        headers = self.as_user(self.bob)
        with CaptureQueriesContext(connection) as counted:
            self.statuses(1, path="/identity/v3/auth/catalog", **headers)
        self.assertLessEqual(len(counted), 1)  # the token's own look
        with self.assertNumQueries(0):
            self.statuses(1, path="/identity/v3/auth/catalog", **headers)

    @rate(1, "project")
    def test_an_admin_who_looks_and_a_service_are_not_held_up(self):
        nova = User.objects.create(username="nova", password=self.bob.password)
        Assignment.objects.create(user=nova, project=self.red, role=Role.SERVICE)
        alice = self.as_user(self.alice)
        self.assertEqual(self.statuses(5, **alice), [200] * 5)
        self.assertEqual(self.statuses(5, **self.as_user(nova, self.red)), [200] * 5)
        body = {"project": {"name": ""}}
        tried = [
            self.client.post("/identity/v3/projects", body, "application/json", headers=alice) for _ in "123"
        ]
        self.assertEqual([answer.status_code for answer in tried], [400, 429, 429])

    @rate(1, "project", "address")
    def test_health_and_the_admins_pages_are_not_counted(self):
        self.enterContext(patch.object(health, "LIMIT", 60.0))
        for path in ("/healthz", "/admin/login/"):
            self.assertEqual(self.statuses(5, path=path), [200] * 5)


class AddressTests(ThrottleCase):
    @rate(3, "address")
    def test_who_has_no_good_token_is_counted_by_address(self):
        self.assertEqual(self.statuses(2), [401] * 2)
        self.assertEqual(self.statuses(3, **{"X-Auth-Token": "nonsense"}), [401, 429, 429])
        self.assertEqual(self.statuses(1, path="/volume/"), [429])
        self.assertEqual(self.client.get("/volume/", REMOTE_ADDR="192.0.2.9").status_code, 300)
        self.assertEqual(self.statuses(5, **self.as_user(self.bob)), [200] * 5, "a good token is")

    @rate(3, "address")
    @override_settings(BEHIND_PROXY=True, ALLOWED_HOSTS=["*"])
    def test_behind_a_proxy_it_is_the_clients_address_and_not_what_the_client_says(self):
        for number in range(3):
            self.statuses(1, **{"X-Forwarded-For": f"10.0.0.{number}, 192.0.2.1"})
        self.assertEqual(self.statuses(1, **{"X-Forwarded-For": "192.0.2.1"}), [429])
        self.assertEqual(self.statuses(1, **{"X-Forwarded-For": "192.0.2.1, 192.0.2.2"}), [401])

    @rate(3, "address")
    def test_without_a_proxy_nobody_says_who_he_is(self):
        said = [self.statuses(1, **{"X-Forwarded-For": f"192.0.2.{number}"})[0] for number in range(4)]
        self.assertEqual(said, [401, 401, 401, 429])

    @rate(3, "login")
    def test_logins_are_counted_by_address(self):
        self.assertEqual([self.login(password()).status_code for _ in range(4)], [201, 201, 201, 429])
        self.assertEqual(self.login(password(), REMOTE_ADDR="192.0.2.9").status_code, 201)


class GuessTests(ThrottleCase):
    @rate(3, "guess")
    def test_guesses_at_a_password_are_counted_and_then_the_right_one_is_refused_too(self):
        said = [self.login(password(word="wrong")).status_code for _ in range(4)]
        self.assertEqual(said, [401, 401, 401, 429])
        self.assertEqual(self.login(password()).status_code, 429)
        self.assertEqual(self.login(password("alice")).status_code, 201, "another user")
        self.assertEqual(self.login(password(), REMOTE_ADDR="192.0.2.9").status_code, 201, "elsewhere")

    @rate(3, "guess")
    def test_who_logs_in_may_do_so_as_often_as_he_likes(self):
        for _ in range(10):
            self.assertEqual(self.login(password(scope=project())).status_code, 201)

    @rate(3, "guess")
    def test_an_unknown_user_is_counted_alike(self):
        said = [self.login(password("nobody", word="wrong")).status_code for _ in range(4)]
        self.assertEqual(said, [401, 401, 401, 429])

    @rate(3, "guess")
    def test_a_credentials_secret_is_not_guessed_at_either(self):
        for given in ({"id": "x"}, {"name": "x", "user": {"id": self.bob.pk}}):
            said = [self.login(by_credential(secret="wrong", **given)).status_code for _ in range(4)]
            self.assertEqual(said, [401, 401, 401, 429])

    @rate(3, "guess")
    def test_what_else_is_said_of_the_user_makes_no_new_one(self):
        said = []
        for number in range(4):
            domain = {"id": "default", "name": f"n{number}"}
            users = ({"id": self.bob.pk, "name": f"n{number}"}, {"name": "bob", "domain": domain})
            tried = [self.login(by_credential(secret="wrong", name="x", user=user)) for user in users]
            said += [answer.status_code for answer in tried]
        self.assertEqual(said, [401] * 6 + [429] * 2)

    @rate(1, "guess")
    def test_a_token_cannot_be_guessed_at(self):
        self.assertEqual([self.login(by_token("x")).status_code for _ in range(3)], [401] * 3)

    @rate(3, "guess")
    def test_the_admins_door_counts_with_the_apis(self):
        self.alice.is_staff = True
        self.alice.save()
        self.login(password("alice", word="wrong"))
        form = {"username": "alice", "password": "wrong"}
        for _ in range(2):
            self.assertContains(self.client.post("/admin/login/", form), "Please enter the correct")
        form["password"] = PASSWORD
        self.assertContains(self.client.post("/admin/login/", form), "Please enter the correct")
        rates.GUESSES.forget()
        self.assertEqual(self.client.post("/admin/login/", form).status_code, 302)
