"""Wrong bodies, paths, queries, methods and tokens on every route of volumes, snapshots, messages and operations.

Always the right 4xx in Cinder's shape, never a 5xx, and no row written.
"""

from __future__ import annotations

import uuid
from typing import Any

from identity import tokens
from tests.bodies import NO_OBJECT
from tests.volumes.base import BASE, VolumesCase

RAW = (
    *NO_OBJECT,
    b'{"volume": {"name": "\xed\xa0\x80"}}',
    b'{"volume": {"name": "\\ud800"}}',
    b'{"volume": {"name": "\\u0000"}}',
    b'{"volume": {}, "volume": {}}',
    b'{"volume": {"size": NaN}}',
    b'{"volume": {"size": 1e999}}',
    b'{"volume": {"size": 1' + b"0" * 5000 + b"}}",
    b'{"volume":' * 50 + b"1" + b"}" * 50,
    b'"text"',
    b"{}",
    b'{"volume": null, "snapshot": null, "metadata": null, "meta": null}',
    b'{"volume": [], "snapshot": [], "metadata": [], "meta": []}',
    b'{"volume": "x", "snapshot": "x", "metadata": "x", "meta": "x"}',
)
WRONG: tuple[Any, ...] = (
    None,
    0,
    -1,
    2**31,
    2**62,
    1.5,
    True,
    "",
    "x",
    "x" * 300,
    [],
    [1],
    {},
    {"a": 1},
    {"a": {"b": []}},
)
BAD_IDS = ("%00", "a%00b", "%ff", "%2e%2e", "a%2Fb", "%0d%0aX:1", "'", "x" * 3000, str(uuid.UUID(int=0)), "é")
BAD_QUERY = (
    *(
        "limit=-1",
        "limit=x",
        "limit=1e3",
        "limit=",
        "limit=99999999999999999999",
        "limit=%00",
        "limit=%D9%A1",
    ),
    *(
        "offset=-1",
        "offset=x",
        "sort_key=holder",
        "sort_key=",
        "sort=,",
        "sort=name:up",
        "sort_dir=up",
        "%00=1",
    ),
    *("marker=%00", "status=%00"),
)


class BadInputTests(VolumesCase):
    def setUp(self):
        super().setUp()
        self.volume = self.a_volume(metadata={"a": "1"})
        self.snapshot = self.a_snapshot(self.volume, metadata={"a": "1"})
        volume, snapshot = f"/volumes/{self.volume.pk}", f"/snapshots/{self.snapshot.pk}"
        self.lists = ("/volumes", "/volumes/detail", "/snapshots", "/snapshots/detail", "/messages")
        self.takes_body = (
            ("POST", "/volumes"),
            ("PUT", volume),
            ("POST", f"{volume}/action"),
            ("POST", f"{volume}/metadata"),
            ("PUT", f"{volume}/metadata"),
            ("PUT", f"{volume}/metadata/a"),
            ("POST", "/snapshots"),
            ("PUT", snapshot),
            ("POST", f"{snapshot}/action"),
            ("POST", f"{snapshot}/metadata"),
            ("PUT", f"{snapshot}/metadata"),
            ("PUT", f"{snapshot}/metadata/a"),
        )
        ones = [
            *(volume, f"{volume}/metadata", f"{volume}/metadata/a", f"{volume}/encryption"),
            *(snapshot, f"{snapshot}/metadata", f"{snapshot}/metadata/a"),
            *(f"/messages/{uuid.uuid4()}", f"/operations/{uuid.uuid4()}"),
        ]
        reads = [("GET", path) for path in (*self.lists, "/volumes/summary", "/operations", *ones)]
        deletes = [
            ("DELETE", path)
            for path in (volume, snapshot, f"{volume}/metadata/a", f"{snapshot}/metadata/a", ones[-2])
        ]
        self.routes = [*reads, *deletes, *self.takes_body]
        self.before = self.rows()

    def tearDown(self):
        self.assertEqual(self.rows(), self.before)
        super().tearDown()

    def test_bodies_that_are_no_document_of_ours(self):
        for method, path in self.takes_body:
            for body in RAW:
                with self.subTest(method=method, path=path, body=body[:40]):
                    self.refused(self.ask(method, path, body), 400)

    def test_a_body_of_ten_megabytes_is_too_large(self):
        body = b'{"volume": {"name": "' + b"x" * 10_000_000 + b'"}}'
        for method, path in self.takes_body:
            self.refused(self.ask(method, path, body), 413)

    def test_other_content_types_are_not_read(self):
        for method, path in self.takes_body:
            for content_type in (
                "text/plain",
                "application/x-www-form-urlencoded",
                "x",
                "multipart/form-data",
            ):
                answer = self.client.generic(
                    method, BASE + path, b"{}", content_type=content_type, headers=self.headers(self.bob)
                )
                self.refused(answer, 415)

    def test_values_of_the_wrong_kind_in_a_new_volume(self):
        good = {"size": 1}
        allowed: dict[str, tuple[Any, ...]] = {
            "size": (None,),
            "name": ("", "x"),
            "description": ("", "x"),
            "metadata": ({},),
            "multiattach": ("",),
        }
        for name in (
            *("size", "name", "description", "metadata", "volume_type", "availability_zone", "snapshot_id"),
            *("source_volid", "imageRef", "backup_id", "group_id", "multiattach"),
        ):
            for wrong in WRONG:
                if wrong is None and name != "size":
                    continue  # null says nothing
                if wrong in allowed.get(name, ("",)) and not isinstance(wrong, bool | int):
                    continue
                with self.subTest(name=name, wrong=str(wrong)[:40]):
                    answer = self.post("/volumes", {"volume": {**good, name: wrong}})
                    if name == "multiattach" and wrong == 0:
                        continue
                    self.assertIn(answer.status_code, {400, 404}, answer.content)
                    self.refused(answer, answer.status_code)

    def test_values_of_the_wrong_kind_in_a_new_snapshot(self):
        good = {"volume_id": str(self.volume.pk)}
        for name in ("volume_id", "metadata", "force"):
            for wrong in WRONG:
                if (name, wrong) in (("metadata", {}), ("metadata", None), ("force", None), ("force", True)):
                    continue
                with self.subTest(name=name, wrong=str(wrong)[:40]):
                    answer = self.post("/snapshots", {"snapshot": {**good, name: wrong}})
                    self.assertIn(answer.status_code, {400, 404}, answer.content)
                    self.refused(answer, answer.status_code)

    def test_metadata_are_text_by_text_of_a_certain_length(self):
        refused: list[Any] = [{"a": 1}, {"a": None}, {"a": []}, {"": "x"}, {"x" * 256: "x"}, {"a": "x" * 256}]
        for wrong in refused:
            for kind, row in (("volumes", self.volume), ("snapshots", self.snapshot)):
                for method in ("POST", "PUT"):
                    self.refused(self.ask(method, f"/{kind}/{row.pk}/metadata", {"metadata": wrong}), 400)
            self.refused(self.post("/volumes", {"volume": {"size": 1, "metadata": wrong}}), 400)
            self.refused(self.put(f"/volumes/{self.volume.pk}", {"volume": {"metadata": wrong}}), 400)

    def test_strange_ids_are_not_found(self):
        for method, path in self.routes:
            if path.count("/") < 2 or path.endswith(("/detail", "/summary")):
                continue
            _, kind, _, *rest = path.split("/")
            body = {
                "action": {"os-force_delete": {}},
                "a": {"meta": {"a": "1"}},
                "metadata": {"metadata": {"a": "1"}},
            }.get(rest[-1] if rest else "", {kind.removesuffix("s"): {"name": "x"}})
            for ident in BAD_IDS:
                with self.subTest(method=method, kind=kind, rest=rest, ident=ident[:40]):
                    strange = "/".join(["", kind, ident, *rest])
                    sent = body if method in {"POST", "PUT"} else None
                    answer = self.ask(method, strange, sent, by="alice")
                    if kind == "operations" and answer.status_code == 400:
                        continue  # what is no id at all
                    self.refused(answer, 404)

    def test_strange_queries(self):
        for path in self.lists:
            for query in BAD_QUERY:
                with self.subTest(path=path, query=query):
                    self.refused(self.get(f"{path}?{query}"), 400)
            self.refused(self.get(f"{path}?marker=x"), 404)
            self.refused(self.get(f"{path}?marker={uuid.uuid4()}"), 404)
            for query in (
                "status=%FF",
                "name='",
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
            for method in {"PUT", "OPTIONS", "TRACE", "POST", "PATCH", "DELETE", "GET", "X"} - methods:
                with self.subTest(method=method, path=path):
                    answer = self.ask(method, path, {})
                    self.refused(answer, 405)
                    self.assertEqual(set(answer["Allow"].split(", ")) - {"HEAD"}, methods - {"HEAD"})

    def test_without_a_good_token_there_is_nothing(self):
        unscoped = {"X-Auth-Token": tokens.issue(self.bob, None)}
        for method, path in self.routes:
            for text in ("", "x", "a.b", "\xff"):
                answer = self.ask(method, path, {}, by=None, **{"X-Auth-Token": text})
                self.refused(answer, 401)
                self.assertIn("Keystone uri=", answer["WWW-Authenticate"])
            self.refused(self.ask(method, path, {}, by=None, **unscoped), 403)

    def test_unknown_routes(self):
        for path in (
            "/x",
            "/volumes/a/b",
            "/volumes//",
            "/volumes/a/metadata/b/c",
            "/snapshots/a/b",
            "/messages/a/b",
        ):
            for method in ("GET", "POST", "DELETE"):
                self.refused(self.ask(method, path, {}), 404)
