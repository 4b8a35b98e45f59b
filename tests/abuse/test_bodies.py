"""JSON without end (15), and lists that would be (17): refused within limits, by every service alike."""

from __future__ import annotations

import gzip

from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import make
from tests.abuse.base import BAYS, VOLUMES, AbuseCase

DOORS = ("/identity/v3/auth/tokens", f"{BAYS}/clusters", f"{BAYS}/clustertemplates", f"{VOLUMES}/volumes")
DEEP = 100_000
REFUSED = (
    b'{"a": 1, "a": 2}',
    b'{"volume": {"size": 1, "size": 2}}',
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b"[" * DEEP + b"]" * DEEP,
    b'{"a": 1} trailing',
    b'{"a": 1}{"a": 2}',
    '{"volume": {"size": 1}}'.encode("utf-16"),
    b'{"volume": {"name": "\xff"}}',
    b"\x00",
    gzip.compress(b'{"volume": {"size": 1}}'),
    b"{" + b",".join(b'"%d": 1' % number for number in range(60_000)) + b"}",
)


class BodyTests(AbuseCase):
    def test_documents_that_two_readers_could_take_for_two_are_refused(self):
        before = self.rows()
        for path in DOORS:
            for body in REFUSED:
                with self.subTest(path, body=body[:20]):
                    self.assertIn(self.send("POST", path, body).status_code, {400, 413})
        self.assertEqual(self.rows(), before)

    def test_what_is_too_long_is_not_read(self):
        body = b"[" + b"1," * settings.API_BODY_BYTES + b"1]"
        for path in DOORS:
            self.assertEqual(self.send("POST", path, body).status_code, 413)
            self.assertEqual(self.send("DELETE", path, body).status_code, 413)

    def test_a_page_is_no_longer_than_may_be_and_costs_no_more_statements(self):
        for number in range(5):
            self.a_volume(name=f"v{number}")
            make.baymodel(project_id=self.blue.pk, name=f"m{number}")
        for path in (f"{VOLUMES}/volumes/detail", f"{BAYS}/clustertemplates"):
            for query in (
                "limit=1000000",
                "sort_key=name",
                "name=" + "x" * 3000,
                "&".join(f"x{n}=1" for n in range(300)),
            ):
                with CaptureQueriesContext(connection) as statements:
                    self.assertIn(self.send("GET", f"{path}?{query}").status_code, {200, 400})
                self.assertLessEqual(len(statements), 4, query[:30])
        self.assertEqual(settings.API_PAGE_LIMIT, 1000)
