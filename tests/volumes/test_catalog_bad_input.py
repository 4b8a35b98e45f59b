"""What any client may send to any of the small routes: never a fault of ours, and a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import transaction

from tests.matrix import catalog
from tests.volumes.base import BASE, FAULTS
from tests.volumes.test_catalog_system import CatalogCase

T = TypeVar("T")
ROUTES = [(row.method, row.path.removeprefix(BASE), row.body) for row in catalog.rows()]
READS = [row.path.removeprefix(BASE) for row in catalog.rows() if row.method == "GET" and row.status == 200]
BODIES: dict[str, bytes] = {
    "none": b"",
    "null": b"null",
    "a list": b"[]",
    "text": b'"x"',
    "a number": b"5",
    "half": b'{"volume_type": {"name": ',
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "NUL": b'{"volume_type": {"name": "a\\u0000"}, "quota_set": {"volumes\\u0000": 1}}',
    "surrogate": b'{"volume_type": {"name": "\\ud800"}, "qos_specs": {"name": "\\ud800"}}',
    "not UTF-8": b'{"volume_type": {"name": "\xff"}}',
    "twice": b'{"volume_type": {}, "volume_type": {}}',
    "huge number": b'{"quota_set": {"volumes": 1' + b"0" * 400 + b"}}",
    "NaN": b'{"quota_set": {"volumes": NaN}}',
    "long": b'{"volume_type": {"name": "' + b"x" * (10 * 2**20) + b'"}}',
}
WRAPPERS = (
    "volume_type",
    "extra_specs",
    "encryption",
    "default_type",
    "qos_specs",
    "keys",
    "quota_set",
    "quota_class_set",
    "addProjectAccess",
)
FIELDS = ("host", "binary", "name", "a", "disabled_reason", "cluster")
VALUES: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    5,
    -1,
    1.5,
    True,
    [None],
    {"x": {}},
    {"name": {}},
    {"volumes": {}},
    [[]],
    {"name": "x\n"},
)
IDENTS = (
    "x",
    "%00",
    "%ff",
    "x" * 3000,
    "0" * 32,
    "%F0%9F%98%80",
    "%2e%2e",
    "..%2f..",
    "-1",
    "%0a",
    "'; DROP--",
)
TAKE_NOTHING = ("/os-services/get-log", "/workers/cleanup")  # all of their keys may be left out
QUERIES = (
    *(
        "limit",
        "offset",
        "marker",
        "sort",
        "sort_key",
        "sort_dir",
        "is_public",
        "extra_specs",
        "usage",
        "detail",
    ),
    *(
        "name",
        "volume_type",
        "host",
        "binary",
        "zone",
        "project_id",
        "resource",
        "force",
        "is_up",
        "num_hosts",
    ),
)
WORDS = ("%00", "%ff", "x" * 3000, "-1", "9" * 30, "[]", "null", "%F0%9F%98%80", "{'a':", "")


def some(cases: Iterable[T], number: int) -> list[T]:
    """Return every third case, which ones by the number of the route: each is tried, and no route is tried with all."""
    return list(cases)[number % 3 :: 3]


class BadInputTests(CatalogCase):
    def setUp(self):
        super().setUp()
        self.before = self.rows()

    def tearDown(self):
        self.assertEqual(self.rows(), self.before)
        super().tearDown()

    def send(self, method, path, body=None):
        """Send a request; one that is accepted is taken back, one that is refused must not have changed anything."""
        with transaction.atomic():
            answer = self.ask(method, path, body, by="alice")
            if answer.status_code < 400:
                transaction.set_rollback(True)
        if answer.status_code >= 400:
            self.refused(answer, answer.status_code)
            self.assertIn(answer.status_code, FAULTS.keys() - {503})
        return answer.status_code

    def writes(self):
        return [(method, path.format(**self.names)) for method, path, body in ROUTES if body is not None]

    def test_bodies_that_are_none(self):
        for number, (method, path) in enumerate(self.writes()):
            for what, body in some(BODIES.items(), number):
                if what == "none" and path in TAKE_NOTHING:
                    continue
                with self.subTest(method=method, path=path, what=what):
                    self.assertGreaterEqual(self.send(method, path, body), 400)

    def test_bodies_that_hold_the_wrong_things(self):
        for number, (method, path) in enumerate(self.writes()):
            for names in (WRAPPERS, FIELDS):
                for value in some(VALUES, number):
                    with self.subTest(method=method, path=path, value=value, wrapped=names is WRAPPERS):
                        self.send(method, path, dict.fromkeys(names, value))

    def test_ids_that_are_none(self):
        for number, (method, path, body) in enumerate(ROUTES):
            if "{" not in path and "@" not in path and not path.endswith("/x"):
                continue
            for ident in some(IDENTS, number):
                filled = path.format(**dict.fromkeys(self.names, ident)).replace("node1@fast", ident)
                with self.subTest(method=method, path=filled[:80]):
                    self.send(method, filled, body)

    def test_queries_that_are_none(self):
        for number, path in enumerate(READS):
            for place, name in enumerate(QUERIES):
                value = WORDS[(number + place) % len(WORDS)]
                with self.subTest(path=path, name=name, value=value[:20]):
                    self.send("GET", f"{path.format(**self.names)}?{name}={value}")

    def test_a_path_of_another_project_is_refused(self):
        for method, path, body in ROUTES:
            with self.subTest(method=method, path=path):
                full = f"/volume/v3/{self.red.pk}{path.format(**self.names)}"
                self.assertEqual(self.send(method, full, body), 400)

    def test_each_is_there_under_the_projects_path_too(self):
        for path in ("/types", "/limits", "/os-services", "/qos-specs", "/extensions/", "/backups/detail"):
            self.ok(self.get(f"/volume/v3/{self.blue.pk}{path}", by="alice"))
