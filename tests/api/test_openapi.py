"""The descriptions: whole, of one form, the same for the same code; and what holds the code to them does notice."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import jsonschema_rs
from django.core.management import call_command
from django.http import HttpResponse
from django.test import RequestFactory, SimpleTestCase, override_settings
from django.urls import re_path

from api.fields import Integer, StrictSerializer, Text
from api.openapi.document import describe
from api.openapi.fields import schema_of
from api.openapi.methods import Does, texts
from api.openapi.operations import NotDescribedError, Operation
from api.openapi.routes import routes, template
from api.openapi.schemas import INTEGER, NULL, TEXT, as_of, obj, optional, since
from api.versions import BLOCK_STORAGE, CONTAINER_INFRA, SERVICES, Version
from api.views import ResourceView
from tests.described import check_answer, check_reading, check_request

PATHS = ("/identity/openapi.json", "/container-infra/openapi.json", "/volume/openapi.json")


@override_settings(ROOT_URLCONF="project.urls")
class DescriptionTests(SimpleTestCase):
    def test_every_route_and_method_is_described(self):
        """A route that is not says itself what to write, and where."""
        for service in SERVICES:
            for route in routes(service, "project.urls"):
                for method in route.view.policy:
                    with self.subTest(f"{method} {route.path}"):
                        self.assertIsInstance(Operation(route.view, method).does, Does)
                self.assertEqual(set(route.view.described), set(route.view.policy), route.path)

    def test_no_two_routes_have_one_path(self):
        for service in SERVICES:
            paths = [route.path for route in routes(service, "project.urls")]
            self.assertEqual(len(paths), len(set(paths)))

    def test_what_is_referred_to_is_there_and_what_is_there_is_a_schema(self):
        for service in SERVICES:
            told = describe(service)
            text = json.dumps(told)
            for kind, name in set(re.findall(r'"#/components/([a-z]+)/([^"]+)"', text)):
                self.assertIn(name, told["components"][kind])
            for name, schema in told["components"]["schemas"].items():
                with self.subTest(name):
                    jsonschema_rs.meta.validate({**schema, "components": told["components"]})
            self.assertNotIn("x-optional", text)

    def test_the_same_code_gives_the_same_bytes(self):
        for service in SERVICES:
            printed = io.StringIO()
            call_command("openapi", service.type, stdout=printed)
            self.assertEqual(json.loads(printed.getvalue()), describe(service))
            self.assertEqual(json.dumps(describe(service)), json.dumps(describe(service)))

    def test_each_operation_has_a_summary_and_an_id_of_its_own(self):
        for service in SERVICES:
            items = describe(service)["paths"].values()
            operations = [each for item in items for name, each in item.items() if name != "parameters"]
            ids = [each["operationId"] for each in operations]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertEqual([each["operationId"] for each in operations if not each["summary"]], [])

    def test_microversions_conditions_and_keys_are_told(self):
        volume = describe(BLOCK_STORAGE)["paths"]["/volume/v3/volumes/{ident}"]
        named = {each["$ref"].rpartition("/")[2] for each in volume["get"]["parameters"]}
        self.assertEqual(named, {"OpenStack-API-Version", "If-Match", "If-None-Match"})
        self.assertLessEqual(
            {"200", "304", "401", "403", "404", "406", "412", "503"}, set(volume["get"]["responses"])
        )
        listed = describe(BLOCK_STORAGE)["paths"]["/volume/v3/volumes"]
        self.assertIn({"$ref": "#/components/parameters/Idempotency-Key"}, listed["post"]["parameters"])
        resize = describe(CONTAINER_INFRA)["paths"]["/container-infra/v1/clusters/{ident}/actions/resize"]
        self.assertEqual(resize["post"]["x-openstack"], {"min-ver": "1.7"})

    def test_a_path_is_what_is_not_optional_of_its_pattern(self):
        for pattern, path in (
            (r"^volume/v3/(?:(?P<project>[0-9a-f]{32})/)?volumes(?!/)/?\Z", "volume/v3/volumes"),
            (r"^federations(?:/detail)?/?$", "federations"),
            (r"^a/(?P<ident>[^/]+)(?P<rest>/.*)?/?\Z", "a/{ident}"),
        ):
            self.assertEqual(template(re_path(pattern, lambda request: HttpResponse())).rstrip("/"), path)


@override_settings(ROOT_URLCONF="project.urls")
class ServingTests(SimpleTestCase):
    def test_descriptions_are_served_without_a_token_and_only_once_to_who_has_them(self):
        for path in PATHS:
            answer = self.client.get(path, headers={"X-Auth-Token": "stale"})
            self.assertEqual((answer.status_code, answer["Content-Type"]), (200, "application/json"))
            self.assertEqual(answer.json()["openapi"], "3.1.0")
            again = self.client.get(path, headers={"If-None-Match": answer["ETag"]})
            self.assertEqual((again.status_code, again.content), (304, b""))
            self.assertEqual(self.client.post(path).status_code, 405)

    def test_the_page_asks_nobody_but_the_node(self):
        page = self.client.get("/docs/")
        text = page.content.decode()
        self.assertEqual(page.status_code, 200)
        self.assertIn("default-src 'none'", page["Content-Security-Policy"])
        self.assertEqual(re.findall(r"https?://|//[a-z]", text), [])
        for path in (*re.findall(r'(?:src|href)="(/[^"]+)"', text), *PATHS):
            with self.subTest(path):
                self.assertEqual(self.client.get(path).status_code, 200)
        self.assertRedirects(self.client.get("/docs"), "/docs/")


class SchemaTests(SimpleTestCase):
    def test_a_schema_holds_as_of_a_version(self):
        schema = obj({"a": TEXT, "b": since("3.5", INTEGER), "c": since("3.5", optional(NULL))})
        early, late = as_of(schema, Version(3, 4)), as_of(schema, Version(3, 5))
        for told, good, bad in (
            (early, [{"a": ""}], [{"a": "", "b": 1}, {}]),
            (late, [{"a": "", "b": 1}, {"a": "", "b": 1, "c": None}], [{"a": ""}, {"a": "", "b": 1, "d": 1}]),
        ):
            valid = jsonschema_rs.validator_for(told).is_valid
            self.assertEqual([valid(each) for each in (*good, *bad)], [True] * len(good) + [False] * len(bad))

    def test_a_body_is_described_by_its_fields(self):
        class Thing(StrictSerializer):
            name = Text(max_length=10)
            count = Integer(min_value=0, max_value=5, required=False, allow_null=True)

        schema: Any = schema_of(Thing())
        self.assertEqual((schema["required"], schema["additionalProperties"]), (["name"], False))
        valid = jsonschema_rs.validator_for(schema).is_valid
        good = (
            {"name": "x"},
            {"name": "x", "count": 5},
            {"name": "x", "count": "5"},
            {"name": "x", "count": None},
        )
        bad: tuple[Any, ...] = (
            {},
            {"name": ""},
            {"name": "x" * 11},
            {"name": "x", "count": 6},
            {"name": "x", "other": 1},
        )
        self.assertEqual([valid(each) for each in (*good, *bad)], [True] * 4 + [False] * 5)


class Named(StrictSerializer):
    name = Text(max_length=10)


class Things(ResourceView):
    service = CONTAINER_INFRA
    policy = {"POST": "bay:create", "GET": "bay:list", "PUT": "bay:update"}
    described = {
        "POST": Does({201: obj({"id": INTEGER})}, takes=Named, query=texts("told")),
        "GET": Does({204: None}),
    }


class NoticingTests(SimpleTestCase):
    """What would have to be noticed in any test's answer."""

    post = Operation(Things(), "POST")

    def answer(self, status, document=None, operation=None):
        request = RequestFactory().post("/container-infra/v1/things")
        content = b"" if document is None else json.dumps(document).encode()
        check_answer(operation or self.post, request, HttpResponse(content, status=status), addressed=False)

    def test_an_answer_as_it_is_described_is_let_pass(self):
        self.answer(201, {"id": 1})
        self.answer(204, operation=Operation(Things(), "GET"))

    def test_an_answer_that_is_not_as_it_is_described_is_noticed(self):
        for status, document in (
            (200, {"id": 1}),  # another status
            (201, {"id": "1"}),  # another type
            (201, {"id": 1, "more": 1}),
            (201, {}),
            (201, None),
            (404, None),
            (400, {"error": "in another service's shape"}),
        ):
            with self.subTest(status=status, document=document), self.assertRaises(AssertionError):
                self.answer(status, document)
        with self.assertRaises(AssertionError):
            self.answer(204, {"a": "document"}, Operation(Things(), "GET"))

    def test_a_body_that_is_accepted_and_not_described_is_noticed(self):
        done = HttpResponse(status=201)
        check_request(self.post, done, b'{"name": "x"}')
        check_request(self.post, HttpResponse(status=400), b'{"other": 1}')
        with self.assertRaises(AssertionError):
            check_request(self.post, done, b'{"other": 1}')

    def test_a_parameter_or_a_serializer_that_is_not_described_is_noticed(self):
        check_reading(self.post, {"told"}, {Named})
        for asked, used in (({"told", "other"}, Named), (set(), StrictSerializer)):
            with self.subTest(asked=asked), self.assertRaises(AssertionError):
                check_reading(self.post, asked, {used})

    def test_a_method_that_is_not_described_says_what_to_write(self):
        with self.assertRaisesMessage(NotDescribedError, 'described = {"PUT": Does('):
            _ = Operation(Things(), "PUT").does
