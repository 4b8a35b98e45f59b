"""Bad input on every route and method: the right 4xx in the service's own shape, never 5xx, and no row written."""

from __future__ import annotations

import json
import time
import uuid
from unittest.mock import patch

from django.core.signing import Signer

from identity import tokens
from tests.bays.base import BASE, BayCase

HUGE = (2**31, 2**63, 10**30, -1, -(2**31), -(2**63) - 1)
NOT_A_COUNT = (*HUGE, "", "x", "1e3", "0x10", "1.0", "١", "1\x00", " 1", 1.5, True, False, [], [1], {}, {"a": 1})
NOT_TEXT = (1, 1.5, True, [], ["x"], {}, {"a": "b"}, "\x00", "a\x00b", "x" * 2000)
NOT_LABELS = (
    *(1, True, "x", [], [["a", "b"]], {"a": None}, {"a": {}}, {"a": [1]}, {"a": "\x00"}, {"\x00": "a"}),
    *({"x" * 300: "a"}, {"a": "x" * 5000}, {str(n): "" for n in range(300)}),
)
NOT_TRUTH = (2, 0, 1, "yes", "", "1", [], {}, 1.5)
NOT_A_NAME = (
    *("", " ", "1abc", "-x", "a b", "a/b", "../../etc/passwd", "a\r\nX-Evil: 1", "a\n", "<script>alert(1)</script>"),
    *("a'b", 'a"b', "a;--", "bäy", "بحر", "\u202eabc", "🚢", "a\x00", "a" * 243, 5, True, [], {}),
)
READ_ONLY = {
    *("uuid", "id", "status", "status_reason", "stack_id", "project_id", "user_id", "links", "created_at"),
    *("updated_at", "epoch", "holder", "lease_until", "not_before", "attempts", "operation", "sent_for"),
    *("api_address", "node_addresses", "health_status", "faults", "pk", "_state", "__class__", "baymodel"),
}
RAW = (
    b"{",
    b"nonsense",
    b"{'a': 1}",
    b"\xff\xfe",
    b'{"name": "\xed\xa0\x80"}',
    b'{"name": "\\ud800"}',
    b'{"name": "\\u0000"}',
    b'{"name": "a", "name": "b"}',
    b'{"node_count": NaN}',
    b'{"node_count": Infinity}',
    b'{"node_count": 1e999}',
    b'{"node_count": 1' + b"0" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 50 + b"1" + b"}" * 50,
    b'{} {}',
    b"",
    b"null",
    b"1",
    b'"text"',
    b"true",
    b"[]",
    b"[[]]",
    b'[{"op": "replace"}]',
    "{}".encode("utf-16"),
)
BAD_PATH = ("%00", "a%00b", "%ff", "..", "%2e%2e", "%2F", "a%2Fb", "%0d%0aX-Evil:1", "'", '"', "%3Cscript%3E", "x" * 3000)
BAD_QUERY = (
    *("limit=0", "limit=-1", "limit=x", "limit=1e3", "limit=", "limit=99999999999999999999", "limit=%00"),
    *("limit=1.5", "limit=%D9%A1", "marker=x", "marker=%00", f"marker={uuid.UUID(int=0)}", "sort_key=holder"),
    *("sort_key=", "sort_key=pk;--", "sort_dir=up", "sort_dir=", "%00=1", "status=%00", "name=a%00b"),
)


class BadInputTests(BayCase):
    def setUp(self):
        super().setUp()
        self.model = self.a_model(labels={"a": "1"})
        self.bay = self.a_bay(model=self.model)
        operation = self.bay.operation_id or uuid.uuid4()
        bay, model = self.bay.pk, self.model.pk
        self.lists = ("/clusters", "/clusters/detail", "/bays", "/bays/detail", "/clustertemplates",
                      "/clustertemplates/detail", "/baymodels", "/baymodels/detail", "/operations")
        self.takes_body = (
            ("POST", "/clusters"),
            ("POST", "/bays"),
            ("PATCH", f"/clusters/{bay}"),
            ("PATCH", f"/bays/{bay}"),
            ("POST", f"/clusters/{bay}/actions/resize"),
            ("POST", f"/bays/{bay}/actions/resize"),
            ("POST", "/clustertemplates"),
            ("POST", "/baymodels"),
            ("PATCH", f"/clustertemplates/{model}"),
            ("PATCH", f"/baymodels/{model}"),
        )
        reads = [("GET", path) for path in self.lists]
        reads += [("GET", path) for _, path in self.takes_body if path.count("/") == 2]
        deletes = [("DELETE", path) for _, path in self.takes_body if path.count("/") == 2]
        self.routes = [*reads, ("GET", f"/operations/{operation}"), *deletes, *self.takes_body]
        self.before = self.rows()

    def tearDown(self):
        self.assertEqual(self.rows(), self.before)
        super().tearDown()

    def raw(self, method, path, body=b"", content_type="application/json", user="bob", **headers):
        return self.client.generic(
            method, BASE + path, body, content_type=content_type,
            headers=self.headers(getattr(self, user) if user else None, **headers),
        )

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
            for content_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "x",
                                 "multipart/form-data; boundary=x", "application/x-python-serialize"):
                with self.subTest(path=path, content_type=content_type):
                    self.refused(self.raw(method, path, b"{}", content_type), 415)

    def assert_refused_values(self, method, path, wrap, tables):
        for name, values in tables.items():
            for value in values:
                with self.subTest(path=path, name=name, value=repr(value)[:60]):
                    self.refused(self.ask(method, path, wrap(name, value)), 400)

    def test_values_of_a_new_bay(self):
        counts = {name: NOT_A_COUNT for name in ("node_count", "master_count", "docker_volume_size")}
        texts = {name: NOT_TEXT for name in ("keypair", "flavor_id", "fixed_network", "fixed_subnet", "discovery_url")}
        truths = {name: NOT_TRUTH for name in ("floating_ip_enabled", "master_lb_enabled", "merge_labels")}
        shared = {"name": NOT_A_NAME, "labels": NOT_LABELS, "master_count": (0, None, *NOT_A_COUNT)}
        for path, model, timeout in (
            ("/clusters", "cluster_template_id", "create_timeout"),
            ("/bays", "baymodel_id", "bay_create_timeout"),
        ):
            own = {model: (None, "", *NOT_TEXT), timeout: (None, *NOT_A_COUNT)}
            least = {model: str(self.model.pk)}
            tables = counts | texts | truths | shared | own
            self.assert_refused_values("POST", path, lambda k, v, least=least: {**least, k: v}, tables)
            for name in READ_ONLY | {"Name", "name ", "nmae", "\u202e", "x" * 1000}:
                self.refused(self.post(path, {**least, name: "x"}), 400, "Unknown attribute")

    def test_values_of_a_resize_and_a_patch(self):
        for path in (f"/clusters/{self.bay.pk}", f"/bays/{self.bay.pk}"):
            counts = {"node_count": (None, *NOT_A_COUNT)}
            self.assert_refused_values("POST", f"{path}/actions/resize", lambda k, v: {k: v}, counts)
            removed = {"nodes_to_remove": (1, "x", {}, [1], [None], [["x"]], ["x"]), "nodegroup": NOT_TEXT}
            self.assert_refused_values("POST", f"{path}/actions/resize", lambda k, v: {"node_count": 2, k: v}, removed)
            self.assert_refused_values(
                "PATCH", path, lambda k, v: [{"op": "replace", "path": f"/{k}", "value": v}], counts
            )
            for name in READ_ONLY:
                for op in ("add", "replace", "remove"):
                    patch_ = [{"op": op, "path": f"/{name}", "value": "x"}]
                    self.refused(self.patch(path, patch_), 400)
                self.refused(self.post(f"{path}/actions/resize", {"node_count": 2, name: "x"}), 400, "Unknown")

    def test_values_of_a_baymodel(self):
        texts = ("keypair_id", "flavor_id", "master_flavor_id", "dns_nameserver", "external_network_id",
                 "fixed_network", "docker_storage_driver", "cluster_distro", "http_proxy", "tags", "driver")
        tables = {
            **{name: NOT_TEXT for name in texts},
            **{name: NOT_TRUTH for name in ("public", "hidden", "tls_disabled", "registry_enabled")},
            "docker_volume_size": NOT_A_COUNT,
            "apiserver_port": (*NOT_A_COUNT, 0, 1023, 65536),
            "labels": NOT_LABELS,
            "name": ("", *NOT_TEXT),
            "coe": (None, "", "mesos", *NOT_TEXT),
            "image_id": (None, "", *NOT_TEXT),
            "server_type": (None, "", "x", 1, True, [], {}),
            "network_driver": ("", "x", 1, True, [], {}),
        }
        for collection in ("clustertemplates", "baymodels"):
            least = {"coe": "demo", "image_id": "i"}
            self.assert_refused_values("POST", f"/{collection}", lambda k, v, least=least: {**least, k: v}, tables)
            changed = {k: [v for v in vs if (k, v) != ("labels", [])] for k, vs in tables.items()}
            self.assert_refused_values(
                "PATCH", f"/{collection}/{self.model.pk}",
                lambda k, v: [{"op": "replace", "path": f"/{k}", "value": v}], changed,
            )
            for name in READ_ONLY:
                self.refused(self.post(f"/{collection}", {**least, name: "x"}), 400, "Unknown attribute")

    def test_strange_names_in_paths_are_not_found(self):
        for method, path in self.routes:
            parts = path.split("/")
            if len(parts) < 3 or parts[2] == "detail":
                continue
            for ident in (*BAD_PATH, str(uuid.uuid4()), str(uuid.uuid4()).upper()):
                parts[2] = ident
                body = b'[{"op": "replace", "path": "/name", "value": "x"}]' if method == "PATCH" else b'{"node_count": 2}'
                with self.subTest(method=method, path="/".join(parts)[:80]):
                    answer = self.raw(method, "/".join(parts), body)
                    expected = 400 if parts[1] == "operations" and answer.status_code == 400 else 404
                    self.refused(answer, expected)

    def test_strange_queries(self):
        for path in self.lists:
            for query in BAD_QUERY:
                with self.subTest(path=path, query=query):
                    self.refused(self.get(f"{path}?{query}"), 404 if query.startswith("marker") and "%00" not in query else 400)
            for query in ("status=%FF", "name='", "name=%3Cscript%3E", "limit=1000000", "x=1", "sort_dir=asc&limit=5", "format=xml"):
                self.assertEqual(self.get(f"{path}?{query}").status_code, 200, query)

    def test_other_methods(self):
        offered = {}
        for method, path in self.routes:
            offered.setdefault(path, {"HEAD"} if method == "GET" else set()).add(method)
        for path, methods in offered.items():
            for method in {"PUT", "OPTIONS", "TRACE", "PROPFIND", "POST", "PATCH", "DELETE", "GET", "X"} - methods:
                with self.subTest(method=method, path=path):
                    answer = self.raw(method, path, b"{}")
                    self.refused(answer, 405)
                    self.assertEqual(set(answer["Allow"].split(", ")) - {"HEAD"}, methods - {"HEAD"})

    def test_unknown_routes(self):
        for path in ("/", "/x", "/clusters/a/b", "/clusters//", "/operations/a/b", "/clusters/x/actions/explode", "/certificates"):
            for method in ("GET", "POST", "DELETE"):
                answer = self.raw(method, path if path != "/" else "x/y", b"{}")
                self.refused(answer, 404)

    def test_without_a_good_token_there_is_nothing(self):
        good = tokens.issue(self.bob, self.blue.pk)
        with patch.object(time, "time", return_value=time.time() - 10 * 24 * 3600):
            expired = tokens.issue(self.bob, self.blue.pk)
        forged = Signer(key="not ours", salt="identity.tokens", sep=".", algorithm="sha256").sign_object([1, 2])
        unscoped_is_403 = tokens.issue(self.bob, None)
        bad = ("", "x", "é", "\xff", good[:-1], good + "x", good.swapcase(), expired, forged, "x" * 100_000, "a.b", ".")
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
        for number, text in enumerate(("<script>alert(1)</script>", "بحر \u202e🚢", "a\r\nb", "../../x", "'; DROP TABLE x;--", "{{7*7}}")):
            body = {"coe": "demo", "image_id": text, "name": text, "labels": {text: text}}
            answer = self.post("/clustertemplates", body)
            self.assertEqual(answer.status_code, 201, answer.content)
            self.assertEqual(answer["Content-Type"], "application/json")
            shown = self.get(f"/baymodels/{answer.json()['uuid']}").json()
            self.assertEqual({key: shown[key] for key in body}, {**body})
            self.assertEqual(json.loads(self.delete(f"/baymodels/{shown['uuid']}").content or "null"), None, number)
