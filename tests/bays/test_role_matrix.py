"""Who may do what: every route for nobody, a reader, a member and an admin, in their own project and in another."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.test import override_settings
from django.urls import URLPattern

from bays import urls
from bays.models import Bay, Quota
from identity.models import Assignment, Role, User
from lifecycle.models import Operation
from tests import make
from tests.bays.base import BASE, HEADER, LATEST, BayCase
from tests.bays.signing import csr

RESIZE = {"node_count": 2}
UPGRADE = {"cluster_template": "{model}"}
BOUNDS = [{"op": "replace", "path": "/max_node_count", "value": 9}]
PATCH_BAY = [{"op": "replace", "path": "/node_count", "value": 2}]
PATCH_MODEL = [{"op": "replace", "path": "/name", "value": "renamed"}]
# For nobody; then reader, member, admin of the project; then reader, member, admin of another one.
OPEN = (200,) * 7
READ = (401, 200, 200, 200, 404, 404, 200)
LIST = (401, *(200,) * 6)
ADMINS = (401, 403, 403, 200, 403, 403, 200)


def wrote(status):
    return (401, 403, status, status, 403, 404, status)


ROUTES: list[tuple[str, str, Any, tuple[int, ...]]] = [
    ("GET", "/container-infra", None, OPEN),
    ("GET", "/container-infra/v1", None, OPEN),
    ("GET", "/quotas", None, ADMINS),
    ("GET", "/quotas?all_tenants=true", None, ADMINS),
    ("POST", "/quotas", {"project_id": "x"}, (401, 403, 403, 201, 403, 403, 409)),
    ("GET", "/quotas/{project}/Cluster", None, (401, 200, 200, 200, 403, 403, 200)),
    ("PATCH", "/quotas/{limited}/Cluster", {"hard_limit": 2}, (401, 403, 403, 202, 403, 403, 202)),
    ("DELETE", "/quotas/{limited}/Cluster", None, (401, 403, 403, 204, 403, 403, 204)),
    ("GET", "/stats", None, LIST),
    ("GET", "/stats?project_id={project}", None, (401, 200, 200, 200, 403, 403, 200)),
    ("GET", "/mservices", None, ADMINS),
    ("GET", "/federations", None, LIST),
    ("POST", "/federations", {}, (401, 403, 400, 400, 403, 400, 400)),
    ("GET", "/federations/{bay}", None, (401, *(404,) * 6)),
    ("PATCH", "/federations/{bay}", [], (401, 403, 404, 404, 403, 404, 404)),
    ("DELETE", "/federations/{bay}", None, (401, 403, 404, 404, 403, 404, 404)),
    ("POST", "/certificates", {"cluster_uuid": "{bay}", "csr": csr()}, (401, 403, 201, 201, 403, 400, 201)),
    ("GET", "/certificates/{bay}", None, READ),
    ("PATCH", "/certificates/{bay}", None, wrote(202)),
    ("GET", "/events", None, LIST),
    ("GET", "/events?all_projects=true", None, ADMINS),
    ("GET", "/operations", None, LIST),
    ("GET", "/operations/{operation}", None, READ),
]
for bays_, models_, key in (
    ("clusters", "clustertemplates", "cluster_template_id"),
    ("bays", "baymodels", "baymodel_id"),
):
    ROUTES += [
        ("GET", f"/{bays_}", None, LIST),
        ("GET", f"/{bays_}/detail", None, LIST),
        ("GET", f"/{bays_}?all_projects=true", None, (401, 403, 403, 200, 403, 403, 200)),
        ("POST", f"/{bays_}", {key: "{model}"}, (401, 403, 202, 202, 403, 400, 202)),
        ("GET", f"/{bays_}/{{bay}}", None, READ),
        ("PATCH", f"/{bays_}/{{bay}}", PATCH_BAY, wrote(202)),
        ("DELETE", f"/{bays_}/{{bay}}", None, wrote(204)),
        ("POST", f"/{bays_}/{{bay}}/actions/resize", RESIZE, wrote(202)),
        ("POST", f"/{bays_}/{{bay}}/actions/upgrade", UPGRADE, wrote(202)),
        ("GET", f"/{models_}", None, LIST),
        ("GET", f"/{models_}?all_projects=true", None, ADMINS),
        ("GET", f"/{models_}/detail", None, LIST),
        ("POST", f"/{models_}", {"coe": "demo", "image_id": "i"}, (401, 403, 201, 201, 403, 201, 201)),
        (
            "POST",
            f"/{models_}",
            {"coe": "demo", "image_id": "i", "public": True},
            (401, 403, 403, 201, 403, 403, 201),
        ),
        ("GET", f"/{models_}/{{model}}", None, READ),
        ("PATCH", f"/{models_}/{{model}}", PATCH_MODEL, wrote(200)),
        ("DELETE", f"/{models_}/{{unused}}", None, wrote(204)),
    ]
ROUTES += [
    ("GET", "/clusters/{bay}/nodegroups", None, READ),
    ("POST", "/clusters/{bay}/nodegroups", {"name": "green"}, wrote(202)),
    ("GET", "/clusters/{bay}/nodegroups/{group}", None, READ),
    ("PATCH", "/clusters/{bay}/nodegroups/{group}", BOUNDS, wrote(202)),
    ("DELETE", "/clusters/{bay}/nodegroups/{group}", None, wrote(204)),
]


@override_settings(BAY_QUOTA=1000)
class RoleMatrixTests(BayCase):
    people: ClassVar[list[User | None]]

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.people = [None, cls.carol, cls.bob, cls.alice]
        for role in (Role.READER, Role.MEMBER, Role.ADMIN):
            user = User.objects.create(username=f"red-{role}", password=cls.alice.password)
            Assignment.objects.create(user=user, project=cls.red, role=role)
            cls.people.append(user)

    def answer_of(self, person, number, method, path, body):
        """Return the answer to this person on rows of their own making, so that no answer leans on another."""
        unused, model = self.a_model(), self.a_model()
        bay = self.a_bay(model=model, api_address="https://10.0.0.1:6443")
        group = make.nodegroup(bay)
        operation = Operation.objects.get(resource_id=bay.pk)
        limited = Quota.objects.update_or_create(pk="limited", defaults={"hard_limit": 1})[0]
        names: dict[str, Any] = {
            "bay": bay.pk,
            "model": model.pk,
            "unused": unused.pk,
            "operation": operation.pk,
            "group": group.pk,
        }
        names |= {"project": self.blue.pk, "limited": limited.pk}
        if isinstance(body, dict):
            body = {
                key: value.format(**names) if isinstance(value, str) else value for key, value in body.items()
            }
        where = self.red if number > 3 else self.blue
        path = path if path.startswith("/container-infra") else f"{BASE}{path}"
        answer = self.client.generic(
            method,
            path.format(**names),
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers=self.as_user(person, where, **{HEADER: LATEST}) if person else {HEADER: LATEST},
        )
        return answer, bay

    def test_the_matrix(self):
        for method, path, body, expected in ROUTES:
            for number, (person, status) in enumerate(zip(self.people, expected, strict=True)):
                with self.subTest(method=method, path=path, person=str(person), number=number):
                    answer, bay = self.answer_of(person, number, method, path, body)
                    self.assertEqual(answer.status_code, status, answer.content)
                    if status >= 400:
                        self.refused(answer, status)
                        self.assertEqual(Bay.objects.get(pk=bay.pk).status, "CREATE_COMPLETE")

    def test_it_leaves_out_no_route_and_no_method(self):
        there = set()
        for pattern in routes():
            view: Any = pattern.callback
            there |= {(method, pattern.pattern.regex.pattern) for method in view.view_class.policy}
        tried = set()
        for method, path, _, _ in ROUTES:
            full = path if path.startswith("/container-infra") else f"/container-infra/v1{path}"
            full = full.partition("?")[0].lstrip("/")
            below = full.removeprefix("container-infra/v1/")
            tried |= {
                (method, p.pattern.regex.pattern) for p in routes() if p.resolve(full) or p.resolve(below)
            }
        self.assertLessEqual(there, tried)


def routes() -> list[URLPattern]:
    """Return the patterns of the service, those below version 1 without it."""
    every = [each for top in urls.urlpatterns for each in getattr(top, "url_patterns", [top])]
    return [each for each in every if isinstance(each, URLPattern)]
