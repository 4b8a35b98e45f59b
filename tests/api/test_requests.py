import structlog
from django.http import HttpResponse
from django.test import RequestFactory, SimpleTestCase

from api.requests import RequestIdMiddleware, request_id_of
from tests.identity.base import DoorCase

FORM = r"^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
GIVEN = "req-01234567-89ab-4def-8123-456789abcdef"


class RequestIdTests(DoorCase):
    def test_it_gives_each_answer_its_own_id(self):
        ids = [
            self.client.get(path)["x-openstack-request-id"]
            for path in ("/identity/v3", "/identity/v3", "/container-infra/v1/things", "/nowhere", "/healthz")
        ]
        for value in ids:
            self.assertRegex(value, FORM)
        self.assertEqual(len(set(ids)), len(ids))

    def test_it_keeps_the_clients_id_and_hands_it_to_the_view(self):
        answer = self.client.post(
            "/container-infra/v1/things",
            {"name": "x"},
            content_type="application/json",
            headers=self.as_user(self.bob, **{"X-Openstack-Request-Id": GIVEN}),
        )
        self.assertEqual(answer["x-openstack-request-id"], GIVEN)
        self.assertEqual(answer.json()["request_id"], GIVEN)

    def test_it_ignores_one_of_another_form(self):
        for bad in (
            "x",
            "req-",
            GIVEN + "0",
            GIVEN.upper(),
            GIVEN + "\n",
            "req-" + "0" * 36,
            f"{GIVEN}, {GIVEN}",
        ):
            with self.subTest(bad):
                answer = self.client.get("/identity/v3", headers={"X-Openstack-Request-Id": bad})
                self.assertRegex(answer["x-openstack-request-id"], FORM)
                self.assertNotEqual(answer["x-openstack-request-id"], GIVEN)


class LogTests(SimpleTestCase):
    def test_it_binds_the_id_and_forgets_the_last_requests_words(self):
        bound = []

        def view(request):
            bound.append((request_id_of(request), structlog.contextvars.get_contextvars()))
            structlog.contextvars.bind_contextvars(user_id="u")
            return HttpResponse()

        middleware = RequestIdMiddleware(view)
        for _ in range(2):
            middleware(RequestFactory().get("/"))
        for request_id, words in bound:
            self.assertEqual(words, {"request_id": request_id})
