import json
from contextlib import suppress

from django.test import SimpleTestCase, override_settings
from hypothesis import given
from hypothesis import strategies as st

from api.parsing import loads
from api.problems import BadRequest
from tests.identity.base import DoorCase

REFUSED = {
    "nothing": b"",
    "half": b'{"a":',
    "more": b"{} {}",
    "word": b"abc",
    "latin-1": b'{"a": "\xe9"}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "bom": b"\xef\xbb\xbf{}",
    "twice": b'{"a": 1, "a": 2}',
    "twice below": b'[{"b": {"a": 1, "a": 1}}]',
    "nan": b"[NaN]",
    "infinity": b"[-Infinity]",
    "huge float": b"[1e999]",
    "huge int": b"[9223372036854775808]",
    "tiny int": b"[-9223372036854775809]",
    "endless int": b"[" + b"9" * 5000 + b"]",
    "nul": b'["\\u0000"]',
    "nul in a key": b'{"a\\u0000": 1}',
    "raw control": b'["\x01"]',
    "half a pair": b'["\\ud800"]',
    "half a pair in a key": b'{"\\udfff": 1}',
    "33 deep": b"[" * 33 + b"]" * 33,
    "100000 deep": b"[" * 100_000 + b"]" * 100_000,
    "100000 objects deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4)
    ),
    max_leaves=10,
)


class LoadsTests(SimpleTestCase):
    def test_it_refuses_what_is_not_strict_json(self):
        for name, raw in REFUSED.items():
            with self.subTest(name), self.assertRaises(BadRequest) as caught:
                loads(raw)
            self.assertLess(len(caught.exception.message), 200)

    def test_it_takes_what_just_fits(self):
        for text in (
            "[9223372036854775807]",
            "[-9223372036854775808]",
            "[" * 30 + "1" + "]" * 30,
            '["\\ud83d\\ude00"]',
        ):
            with self.subTest(text):
                self.assertEqual(loads(text.encode()), json.loads(text))

    @given(json_values)
    def test_it_gives_back_any_document(self, document):
        self.assertEqual(loads(json.dumps(document).encode()), document)

    @given(st.binary(max_size=200))
    def test_it_never_fails_otherwise(self, raw):
        with suppress(BadRequest):
            loads(raw)


class BodyTests(DoorCase):
    path = "/container-infra/v1/things"

    def post(self, raw, content_type="application/json"):
        return self.client.generic(
            "POST", self.path, raw, content_type=content_type, headers=self.as_user(self.bob)
        )

    def test_it_answers_400_in_the_services_shape(self):
        for name, raw in REFUSED.items():
            with self.subTest(name):
                answer = self.post(raw)
                self.assertEqual(answer.status_code, 400)
                (error,) = answer.json()["errors"]
                self.assertEqual(error["status"], 400)
                self.assertTrue(error["detail"])

    def test_it_answers_400_in_keystones_shape_too(self):
        for name, raw in REFUSED.items():
            with self.subTest(name):
                answer = self.client.generic(
                    "POST", "/identity/v3/auth/tokens", raw, content_type="application/json"
                )
                self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (400, 400))

    def test_it_wants_an_object(self):
        for raw in (b"[]", b"1", b'"x"', b"null", b"true", b"[[]]"):
            with self.subTest(raw):
                self.assertEqual(self.post(raw).status_code, 400)

    @override_settings(API_BODY_BYTES=100)
    def test_it_does_not_read_on_beyond_its_limit(self):
        self.assertEqual(self.post(b'{"name": "x"' + b" " * 87 + b"}").status_code, 201)
        self.assertEqual(self.post(b'{"name": "x"' + b" " * 88 + b"}").status_code, 413)

    def test_it_takes_json_and_json_patch_and_nothing_else(self):
        self.assertEqual(self.post(b'{"name": "x"}', "application/json; charset=utf-8").status_code, 201)
        self.assertEqual(self.post(b'{"name": "x"}', "Application/JSON-patch+json").status_code, 201)
        for other in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
            "json",
        ):
            with self.subTest(other):
                self.assertEqual(self.post(b'{"name": "x"}', other).status_code, 415)

    def test_it_answers_json_whatever_is_accepted(self):
        for accept in ("text/html", "application/xml;q=1", "nonsense", "*/*"):
            headers = {**self.as_user(self.carol), "Accept": accept}
            answer = self.client.get(self.path + "?format=xml", headers=headers)
            self.assertEqual((answer.status_code, answer["Content-Type"]), (200, "application/json"))
