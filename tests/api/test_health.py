import time
from concurrent.futures import Future
from unittest.mock import patch

from django.db import connection
from django.test import TransactionTestCase, override_settings

from api import health
from lifecycle import local


@override_settings(ROOT_URLCONF="tests.api.urls")
class HealthTests(TransactionTestCase):
    def test_it_is_well_while_the_database_answers(self):
        self.enterContext(patch.object(health, "LIMIT", 60.0))
        answer = self.client.get("/healthz")
        self.assertEqual((answer.status_code, answer.json()), (200, {"status": "ok"}))
        self.assertEqual(self.client.head("/healthz").status_code, 200)

    def test_it_is_unwell_with_a_reason_when_nothing_listens(self):
        right = connection.settings_dict["PORT"]
        self.addCleanup(connection.settings_dict.__setitem__, "PORT", right)
        connection.settings_dict["PORT"] = "1"
        answer = self.client.get("/healthz")
        self.assertEqual((answer.status_code, answer.json()["status"]), (503, "error"))
        self.assertEqual(answer.json()["reason"], "database: OperationalError")

    def test_it_waits_a_second_and_no_longer_and_does_not_ask_twice(self):
        hung: Future[None] = Future()
        health._running = hung
        self.addCleanup(setattr, health, "_running", None)
        begun = time.monotonic()
        answer = self.client.get("/healthz")
        self.assertEqual(answer.status_code, 503)
        self.assertIn("no answer", answer.json()["reason"])
        self.assertGreaterEqual(time.monotonic() - begun, health.LIMIT)
        self.assertIs(health._running, hung)

    def test_a_process_that_is_about_to_stop_says_so(self):
        self.addCleanup(local._page.__setitem__, 8, local._page[8])
        local.drain()
        answer = self.client.get("/healthz")
        self.assertEqual((answer.status_code, answer.json()["status"]), (503, "draining"))

    def test_it_is_only_read(self):
        self.assertEqual(self.client.post("/healthz").status_code, 405)
