"""Wrong bodies, paths, queries, methods and tokens on every route.

Always the right 4xx in the service's own shape, never a 5xx, and no row written.
"""

from __future__ import annotations

import json
import time
import uuid
from unittest.mock import patch

from django.core.signing import Signer

from identity import tokens
from tests.bays.bad_input import BadInputCase
from tests.bodies import NO_OBJECT

RAW = (
    *NO_OBJECT,
    b"{'a': 1}",
    b'{"name": "\xed\xa0\x80"}',
    b'{"name": "\\ud800"}',
    b'{"name": "\\u0000"}',
    b'{"name": "a", "name": "b"}',
    b'{"node_count": NaN}',
    b'{"node_count": Infinity}',
    b'{"node_count": 1e999}',
    b'{"node_count": 1' + b"0" * 5000 + b"}",
    b'{"a":' * 50 + b"1" + b"}" * 50,
    b'"text"',
    b'[{"op": "replace"}]',
)
BAD_PATH = (
    "%00",
    "a%00b",
    "%ff",
    "..",
    "%2e%2e",
    "%2F",
    "a%2Fb",
    "%0d%0aX-Evil:1",
    "'",
    '"',
    "%3Cscript%3E",
    "x" * 3000,
)
BAD_QUERY = (
    *("limit=0", "limit=-1", "limit=x", "limit=1e3", "limit=", "limit=99999999999999999999", "limit=%00"),
    *("limit=1.5", "limit=%D9%A1", "marker=x", "marker=%00", f"marker={uuid.UUID(int=0)}", "sort_key=holder"),
    *("sort_key=", "sort_key=pk;--", "sort_dir=up", "sort_dir=", "%00=1", "status=%00", "name=a%00b"),
)


class BadRequestTests(BadInputCase):
    def test_bodies_that_are_no_document_of_ours(self):
        for method, path in self.takes_body:
            for body in RAW:
                with self.subTest(method=method, path=path, body=body[:40]):
                    answer = self.raw(method, path, body)
                    if (method, body) == ("PATCH", b"[]") and str(self.model.pk) in path:
                        self.assertEqual(answer.status_code, 200)  # a patch of nothing
                    else:
                        self.refused(answer, 400)

    def test_a_body_of_ten_megabytes_is_too_large(self):
        body = b'{"name": "' + b"x" * 10_000_000 + b'"}'
        for method, path in self.takes_body:
            self.refused(self.raw(method, path, body), 413)

    def test_other_content_types_are_not_read(self):
        for method, path in self.takes_body:
            for content_type in (
                "text/plain",
                "application/xml",
                "application/x-www-form-urlencoded",
                "x",
                "multipart/form-data; boundary=x",
                "application/x-python-serialize",
            ):
                with self.subTest(path=path, content_type=content_type):
                    self.refused(self.raw(method, path, b"{}", content_type), 415)

    def test_strange_names_in_paths_are_not_found(self):
        for method, path in self.routes:
            parts = path.split("/")
            if len(parts) < 3 or parts[2] == "detail":
                continue
            for ident in (*BAD_PATH, str(uuid.uuid4()), str(uuid.uuid4()).upper()):
                parts[2] = ident
                body = (
                    b'[{"op": "replace", "path": "/name", "value": "x"}]'
                    if method == "PATCH"
                    else b'{"node_count": 2}'
                )
                with self.subTest(method=method, path="/".join(parts)[:80]):
                    answer = self.raw(method, "/".join(parts), body)
                    expected = 400 if parts[1] == "operations" and answer.status_code == 400 else 404
                    self.refused(answer, expected)

    def test_strange_queries(self):
        for path in self.lists:
            for query in BAD_QUERY:
                with self.subTest(path=path, query=query):
                    self.refused(
                        self.get(f"{path}?{query}"),
                        404 if query.startswith("marker") and "%00" not in query else 400,
                    )
            for query in (
                "status=%FF",
                "name='",
                "name=%3Cscript%3E",
                "limit=1000000",
                "x=1",
                "sort_dir=asc&limit=5",
                "format=xml",
            ):
                self.assertEqual(self.get(f"{path}?{query}").status_code, 200, query)

    def test_other_methods(self):
        offered: dict[str, set[str]] = {}
        for method, path in self.routes:
            offered.setdefault(path, {"HEAD"} if method == "GET" else set()).add(method)
        for path, methods in offered.items():
            for method in {
                "PUT",
                "OPTIONS",
                "TRACE",
                "PROPFIND",
                "POST",
                "PATCH",
                "DELETE",
                "GET",
                "X",
            } - methods:
                with self.subTest(method=method, path=path):
                    answer = self.raw(method, path, b"{}")
                    self.refused(answer, 405)
                    self.assertEqual(set(answer["Allow"].split(", ")) - {"HEAD"}, methods - {"HEAD"})

    def test_unknown_routes(self):
        for path in (
            "/",
            "/x",
            "/clusters/a/b",
            "/clusters//",
            "/operations/a/b",
            "/clusters/x/actions/explode",
            "/credentials",
            "/certificates/a/b",
            "/quotas/a",
            "/stats/a",
        ):
            for method in ("GET", "POST", "DELETE"):
                answer = self.raw(method, path if path != "/" else "x/y", b"{}")
                self.refused(answer, 404)

    def test_without_a_good_token_there_is_nothing(self):
        good = tokens.issue(self.bob, self.blue.pk)
        with patch.object(time, "time", return_value=time.time() - 10 * 24 * 3600):
            expired = tokens.issue(self.bob, self.blue.pk)
        forged = Signer(key="not ours", salt="identity.tokens", sep=".", algorithm="sha256").sign_object(
            [1, 2]
        )
        unscoped_is_403 = tokens.issue(self.bob, None)
        bad = (
            "",
            "x",
            "é",
            "\xff",
            good[:-1],
            good + "x",
            good.swapcase(),
            expired,
            forged,
            "x" * 100_000,
            "a.b",
            ".",
        )
        for method, path in self.routes:
            for text in bad:
                with self.subTest(method=method, path=path, token=text[:20]):
                    answer = self.raw(method, path, b"{}", user=None, **{"X-Auth-Token": text})
                    self.refused(answer, 401)
                    self.assertIn("Keystone uri=", answer["WWW-Authenticate"])
            self.refused(self.raw(method, path, b"{}", user=None), 401)
            self.refused(self.raw(method, path, b"{}", user=None, **{"X-Auth-Token": unscoped_is_403}), 403)

    def test_what_is_taken_as_text_comes_back_as_it_went_in(self):
        """What is not refused is stored and shown unharmed: markup, quotes, other scripts, line ends."""
        for number, text in enumerate(
            (
                "<script>alert(1)</script>",
                "بحر \u202e🚢",
                "a\r\nb",
                "../../x",
                "'; DROP TABLE x;--",
                "{{7*7}}",
            )
        ):
            body = {"coe": "demo", "image_id": text, "name": text, "labels": {text: text}}
            answer = self.post("/clustertemplates", body)
            self.assertEqual(answer.status_code, 201, answer.content)
            self.assertEqual(answer["Content-Type"], "application/json")
            shown = self.get(f"/baymodels/{answer.json()['uuid']}").json()
            self.assertEqual({key: shown[key] for key in body}, {**body})
            self.assertEqual(
                json.loads(self.delete(f"/baymodels/{shown['uuid']}").content or "null"), None, number
            )
