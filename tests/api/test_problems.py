from django.test import SimpleTestCase
from rest_framework.exceptions import ErrorDetail

from api.problems import sentence
from tests.identity.base import DoorCase

RAISING = "/container-infra/v1/raising/"


class ProblemTests(DoorCase):
    def setUp(self):
        super().setUp()
        self.client.raise_request_exception = False

    def error(self, what, status):
        answer = self.client.get(RAISING + what, headers=self.as_user(self.carol))
        self.assertEqual(answer.status_code, status)
        self.assertNotIn(b"secret", answer.content)
        self.assertNotIn(b"Traceback", answer.content)
        (error,) = answer.json()["errors"]
        self.assertEqual(error["status"], status)
        self.assertEqual(error["request_id"], answer["x-openstack-request-id"])
        self.assertEqual(error["links"], [])
        return error

    def test_it_tells_each_problem_with_status_and_code(self):
        expected = {
            "over-quota": (403, "container-infra.over-quota"),
            "conflict": (409, "container-infra.conflict"),
            "not-found": (404, "container-infra.not-found"),
            "missing": (404, "container-infra.not-found"),
            "state": (409, "container-infra.state-conflict"),
            "denied": (403, "container-infra.forbidden"),
            "suspicious": (400, "container-infra.bad-request"),
            "database": (503, "container-infra.database-unavailable"),
        }
        for what, (status, code) in expected.items():
            with self.subTest(what):
                self.assertEqual(self.error(what, status)["code"], code)

    def test_it_says_what_and_leads_with_the_first_sentence(self):
        error = self.error("over-quota", 403)
        self.assertEqual(error["title"], "No room")
        self.assertEqual(error["detail"], "No room. Delete something first.")
        self.assertEqual(self.error("state", 409)["detail"], "Busy: UPDATE_IN_PROGRESS.")

    def test_it_names_the_request_and_no_cause_for_a_fault_of_ours(self):
        error = self.error("fault", 500)
        self.assertEqual(error["code"], "container-infra.internal-error")
        self.assertIn(error["request_id"], error["detail"])

    def test_it_asks_to_come_back_when_the_database_is_away(self):
        answer = self.client.get(RAISING + "database", headers=self.as_user(self.carol))
        self.assertEqual(answer["Retry-After"], "1")

    def test_it_tells_cinders_clients_in_their_own_words(self):
        expected = {
            "over-quota": (413, "overLimit"),
            "conflict": (409, "conflictingRequest"),
            "busy": (409, "conflictingRequest"),
            "not-found": (404, "itemNotFound"),
            "missing": (404, "itemNotFound"),
            "state": (400, "badRequest"),
            "denied": (403, "forbidden"),
            "suspicious": (400, "badRequest"),
            "database": (503, "serviceUnavailable"),
            "fault": (500, "computeFault"),
        }
        for what, (status, name) in expected.items():
            with self.subTest(what):
                answer = self.client.get(f"/volume/v3/raising/{what}", headers=self.as_user(self.carol))
                self.assertNotIn(b"secret", answer.content)
                ((key, fault),) = answer.json().items()
                self.assertEqual((answer.status_code, key, fault["code"]), (status, name, status))
                self.assertTrue(fault["message"])
                self.assertEqual(set(fault) - {"retryAfter"}, {"code", "message"})
        answer = self.client.get("/volume/v3/raising/over-quota", headers=self.as_user(self.carol))
        self.assertEqual((answer["Retry-After"], answer.json()["overLimit"]["retryAfter"]), ("0", "0"))
        for method, user, status, name in (
            ("GET", None, 401, "unauthorized"),
            ("PATCH", self.carol, 405, "badMethod"),
        ):
            answer = self.client.generic(
                method, "/volume/v3/raising/x", headers=self.as_user(user) if user else {}
            )
            self.assertEqual((answer.status_code, list(answer.json())), (status, [name]))

    def test_it_answers_unknown_paths_in_the_shape_of_their_service(self):
        magnum = self.client.get("/container-infra/v1/unknown")
        self.assertEqual((magnum.status_code, magnum.json()["errors"][0]["status"]), (404, 404))
        cinder = self.client.get("/volume/v3/unknown")
        self.assertEqual((cinder.status_code, cinder.json()["itemNotFound"]["code"]), (404, 404))
        keystone = self.client.post("/identity/v3/unknown")
        self.assertEqual((keystone.status_code, keystone.json()["error"]["code"]), (404, 404))
        self.assertEqual(self.client.get("/elsewhere")["Content-Type"], "text/html; charset=utf-8")

    def test_it_names_the_fields_that_are_wrong(self):
        answer = self.client.post(
            "/container-infra/v1/things",
            {"name": "x" * 20, "count": True},
            content_type="application/json",
            headers=self.as_user(self.bob),
        )
        detail = answer.json()["errors"][0]["detail"]
        self.assertEqual(answer.status_code, 400)
        self.assertEqual(answer.json()["errors"][0]["code"], "container-infra.bad-request")
        self.assertIn("name: ", detail)
        self.assertIn("count: A valid integer is required.", detail)


class SentenceTests(SimpleTestCase):
    def test_it_flattens_nested_details(self):
        detail = {"a": [ErrorDetail("Bad.")], "b": {"c": ["Worse.", {}]}, "non_field_errors": ["All wrong."]}
        self.assertEqual(sentence(detail), "a: Bad. b: c: Worse. All wrong.")
