"""Idempotency-Key at the door: what is kept, what is replayed, and what makes two requests the same."""

from __future__ import annotations

import json

from django.db import connection
from django.test import TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext

from api.idempotency import REPLAYED
from api.models import IdempotencyKey
from identity import tokens
from identity.models import Assignment, Project, Role, User
from tests.identity.base import DoorCase, password

STORED = "/volume/v3/stored"


class KeyCase(DoorCase):
    def post(self, body, key="k", *, user=None, project=None, path=STORED, **headers):
        given = {} if key is None else {"Idempotency-Key": key}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        who = self.as_user(user or self.bob, project, **given, **headers)
        return self.client.generic("POST", path, raw, content_type="application/json", headers=who)

    def made(self, name="one") -> int:
        return User.objects.filter(username=name).count()


class ReplayTests(KeyCase):
    def test_it_answers_a_second_time_as_the_first(self):
        first, second = (self.post({"name": "one"}) for _ in range(2))
        self.assertEqual((first.status_code, second.status_code), (202, 202))
        self.assertEqual(second.content, first.content)  # to the byte: the order of keys as well
        self.assertEqual(second["Location"], first["Location"])
        self.assertEqual((first.has_header(REPLAYED), second[REPLAYED]), (False, "true"))
        self.assertNotIn("X-Other", second)
        self.assertNotEqual(second["x-openstack-request-id"], first["x-openstack-request-id"])
        self.assertEqual(second["OpenStack-API-Version"], "volume 3.0")
        self.assertEqual(self.made(), 1)
        self.assertEqual(IdempotencyKey.objects.get().request_id, first["x-openstack-request-id"])

    def test_an_answer_without_a_body_stays_without_one(self):
        first, second = (self.post({"name": "one", "how": "empty"}) for _ in range(2))
        self.assertEqual((first.content, second.content, second[REPLAYED]), (b"", b"", "true"))

    def test_it_takes_the_same_body_in_another_spelling(self):
        self.post(b'{"name": "one", "how": null}')
        self.assertEqual(self.post(b'{"how":null,\n"name":"\\u006fne"}')[REPLAYED], "true")

    def test_it_refuses_the_key_to_another_request(self):
        first = self.post({"name": "one"}, **{"OpenStack-API-Version": "volume 3.5"})
        for other in (
            {"body": {"name": "two"}},
            {"path": f"{STORED}?x=1"},
            {"user": self.alice},
            {"OpenStack-API-Version": "volume 3.6"},
        ):
            asked = {"body": {"name": "one"}, "OpenStack-API-Version": "volume 3.5", **other}
            with self.subTest(other):
                answer = self.post(**asked)
                self.assertEqual(answer.status_code, 422)
                fault = answer.json()["unprocessableEntity"]
                self.assertIn("was used for another request", fault["message"])
                self.assertIn(first["x-openstack-request-id"], fault["message"])
        self.assertEqual((self.made(), self.made("two"), IdempotencyKey.objects.count()), (1, 0, 1))

    def test_projects_share_no_keys(self):
        Assignment.objects.create(user=self.bob, project=self.red, role=Role.MEMBER)
        blue, red = self.post({"name": "one"}), self.post({"name": "two"}, project=self.red)
        self.assertEqual((blue.json()["a"], red.json()["a"]), ("one", "two"))
        self.assertEqual(self.post({"name": "two"}, project=self.red).json(), red.json())
        self.assertEqual(IdempotencyKey.objects.count(), 2)

    def test_who_may_no_longer_do_it_is_shown_no_answer(self):
        self.post({"name": "one"})
        self.assertEqual(self.post({"name": "one"}, user=self.carol).status_code, 403)
        Assignment.objects.filter(user=self.bob).update(role=Role.READER)
        tokens.forget()
        self.assertEqual(self.post({"name": "one"}).status_code, 403)


class NotKeptTests(KeyCase):
    def test_a_refusal_is_not_kept_and_leaves_nothing(self):
        for how in ("raises", "returns"):
            with self.subTest(how):
                refused = self.post({"name": "one", "how": how})
                self.assertEqual((refused.status_code, self.made()), (400, 0))
                self.assertFalse(IdempotencyKey.objects.exists())
        self.assertEqual(self.post({"name": "one"}).status_code, 202)  # another body: the key is free

    def test_a_fault_is_not_kept_and_leaves_nothing(self):
        self.client.raise_request_exception = False
        self.assertEqual(self.post({"name": "one", "how": "breaks"}).status_code, 500)
        self.assertEqual((self.made(), IdempotencyKey.objects.count()), (0, 0))

    def test_without_a_key_nothing_is_kept(self):
        self.assertEqual([self.post({"name": name}, None).status_code for name in ("one", "two")], [202, 202])
        self.assertFalse(IdempotencyKey.objects.exists())

    def test_it_refuses_what_is_no_key(self):
        for key in ("", "x" * 256, "\u00e9", "a\tb", "\x7f", "a\x00b"):
            with self.subTest(key[:5]):
                self.assertEqual(self.post({"name": "one"}, key).status_code, 400)
        for key in ("x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "a b~!"):
            self.assertEqual(self.post({"name": key[:9]}, key).status_code, 202)
        self.assertEqual(self.made(), 0)

    def test_a_login_has_no_key(self):
        for _ in range(2):
            answer = self.login(password(), headers={"Idempotency-Key": "k"})
            self.assertEqual((answer.status_code, answer.has_header(REPLAYED)), (201, False))
        self.assertFalse(IdempotencyKey.objects.exists())


@override_settings(ROOT_URLCONF="tests.api.urls", TOKEN_CACHE_SECONDS=3600)
class CommittedTests(TransactionTestCase):
    """On committed rows: what surrounds a keyed request is its own transaction."""

    def setUp(self):
        project = Project.objects.create(name="blue")
        bob = User.objects.create(username="bob", password="!")
        Assignment.objects.create(user=bob, project=project, role=Role.MEMBER)
        self.token = tokens.issue(bob, project.pk)
        self.addCleanup(tokens.forget)
        self.post({"name": "first"})  # from here on the token is known to this process

    def post(self, body, **more):
        headers = {"X-Auth-Token": self.token, **more}
        return self.client.post(STORED, body, content_type="application/json", headers=headers)

    def statements(self, *args, **kwargs):
        with CaptureQueriesContext(connection) as captured:
            answer = self.post(*args, **kwargs)
        self.assertEqual(answer.status_code, 202)
        return [query["sql"].split()[0] for query in captured.captured_queries]

    def test_it_finishes_outside_the_transaction_each_time(self):
        for number in range(2):
            answer = self.post({"name": "one"}, **{"Idempotency-Key": "k"})
            self.assertEqual(
                (answer["X-Finished"], answer.has_header(REPLAYED)), ("POST False", bool(number))
            )
        self.assertEqual(self.post({"name": "two"})["X-Finished"], "POST False")

    def test_a_key_costs_two_statements_and_a_request_without_one_none(self):
        self.assertEqual(self.statements({"name": "one"}), ["INSERT"])
        keyed = {"Idempotency-Key": "k"}
        self.assertEqual(
            self.statements({"name": "two"}, **keyed), ["BEGIN", "INSERT", "INSERT", "UPDATE", "COMMIT"]
        )
        self.assertEqual(self.statements({"name": "two"}, **keyed), ["BEGIN", "INSERT", "COMMIT", "SELECT"])
