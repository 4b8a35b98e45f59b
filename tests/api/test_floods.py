"""Bodies that are not read: too long, or of no known length."""

from __future__ import annotations

from django.conf import settings

from tests.identity.base import DoorCase, password

TOKENS = "/identity/v3/auth/tokens"


class UnreadTests(DoorCase):
    def send(self, status, path=TOKENS, **environ):
        answer = self.client.post(path, {"auth": password()}, content_type="application/json", **environ)
        self.assertEqual(answer.status_code, status, answer.content)
        return answer

    def test_a_body_of_unknown_length_is_refused(self):
        answer = self.send(411, HTTP_TRANSFER_ENCODING="chunked")
        self.assertEqual((answer["Connection"], answer.json()["error"]["code"]), ("close", 411))

    def test_a_body_that_announces_too_much_is_refused_unread(self):
        for length in (settings.API_BODY_BYTES + 1, 10**20, "x", "-1", "\u0661"):
            with self.subTest(length):
                answer = self.send(413, CONTENT_LENGTH=str(length))
                self.assertEqual(answer["Connection"], "close")
        for path, word in (("/volume/v3/volumes", "overLimit"), ("/container-infra/v1/bays", "errors")):
            self.assertIn(word, self.send(413, path, CONTENT_LENGTH=str(2**21)).json())

    def test_others_bodies_are_djangos(self):
        self.assertNotEqual(
            self.client.post("/admin/login/", HTTP_TRANSFER_ENCODING="chunked").status_code, 411
        )

    def test_what_fits_is_read(self):
        self.send(201)
