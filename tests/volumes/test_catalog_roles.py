"""Who may use which of the small routes: nobody, a reader, a member, an admin; and an admin of the system alone."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import transaction

from identity.models import Assignment, Role, User
from tests import make
from tests.volumes.base import BASE, VolumesCase
from volumes.models import (
    DefaultType,
    Encryption,
    Pool,
    QosSpecs,
    QuotaClass,
    ServiceState,
    TypeAccess,
    TypeQuota,
    VolumeType,
)
from volumes.urls import catalog
from volumes.views.absent import ABSENT

ANY = (401, 200, 200, 200)
ADMIN = (401, 403, 403, 200)
ADMIN_202 = (401, 403, 403, 202)
NOT_OFFERED = (401, 403, 403, 400)
LUKS = {"provider": "luks", "control_location": "front-end"}
SERVICE = {"host": "node1", "binary": "cinder-scheduler"}

ROUTES: list[tuple[str, str, Any, tuple[int, ...]]] = [
    ("GET", "/types", None, ANY),
    ("GET", "/types/default", None, ANY),
    ("GET", "/types/{public}", None, ANY),
    ("GET", "/types/{private}", None, (401, 404, 404, 200)),
    ("POST", "/types", {"volume_type": {"name": "new"}}, ADMIN),
    ("PUT", "/types/{public}", {"volume_type": {"description": "new"}}, ADMIN),
    ("DELETE", "/types/{public}", None, ADMIN_202),
    ("POST", "/types/{private}/action", {"addProjectAccess": {"project": "p"}}, ADMIN_202),
    ("GET", "/types/{private}/os-volume-type-access", None, ADMIN),
    ("GET", "/types/{public}/extra_specs", None, ANY),
    ("GET", "/types/{private}/extra_specs", None, (401, 404, 404, 200)),
    ("GET", "/types/{public}/extra_specs/multiattach", None, ANY),
    ("GET", "/types/{public}/extra_specs/secret", None, (401, 404, 404, 200)),
    ("POST", "/types/{public}/extra_specs", {"extra_specs": {"a": "1"}}, ADMIN),
    ("PUT", "/types/{public}/extra_specs/a", {"a": "1"}, ADMIN),
    ("DELETE", "/types/{public}/extra_specs/secret", None, ADMIN_202),
    ("GET", "/types/{private}/encryption", None, ADMIN),
    ("GET", "/types/{private}/encryption/provider", None, ADMIN),
    ("POST", "/types/{public}/encryption", {"encryption": LUKS}, ADMIN),
    ("PUT", "/types/{private}/encryption/x", {"encryption": {"key_size": 1}}, ADMIN),
    ("DELETE", "/types/{private}/encryption/x", None, ADMIN_202),
    ("GET", "/default-types", None, ADMIN),
    ("GET", "/default-types/{project}", None, ADMIN),
    ("PUT", "/default-types/{project}", {"default_type": {"volume_type": "public"}}, ADMIN),
    ("DELETE", "/default-types/{project}", None, (401, 403, 403, 204)),
    ("GET", "/qos-specs", None, ADMIN),
    ("GET", "/qos-specs/{qos}", None, ADMIN),
    ("POST", "/qos-specs", {"qos_specs": {"name": "new"}}, ADMIN),
    ("PUT", "/qos-specs/{qos}", {"qos_specs": {"a": "1"}}, ADMIN),
    ("DELETE", "/qos-specs/{qos}", None, ADMIN_202),
    ("PUT", "/qos-specs/{qos}/delete_keys", {"keys": ["a"]}, ADMIN_202),
    ("GET", "/qos-specs/{qos}/associations", None, ADMIN),
    ("GET", "/qos-specs/{qos}/associate?vol_type_id={public}", None, ADMIN_202),
    ("GET", "/qos-specs/{qos}/disassociate?vol_type_id={public}", None, ADMIN_202),
    ("GET", "/qos-specs/{qos}/disassociate_all", None, ADMIN_202),
    ("GET", "/os-quota-sets/{project}", None, ANY),
    ("GET", "/os-quota-sets/{project}/defaults", None, ANY),
    ("GET", "/os-quota-sets/{other}", None, ADMIN),
    ("GET", "/os-quota-sets/{other}/defaults", None, ADMIN),
    ("PUT", "/os-quota-sets/{project}", {"quota_set": {"volumes": 1}}, ADMIN),
    ("DELETE", "/os-quota-sets/{project}", None, ADMIN),
    ("GET", "/os-quota-class-sets/default", None, ADMIN),
    ("PUT", "/os-quota-class-sets/default", {"quota_class_set": {"volumes": 1}}, ADMIN),
    ("GET", "/limits", None, ANY),
    ("GET", "/os-services", None, ADMIN),
    ("PUT", "/os-services/enable", SERVICE, ADMIN),
    ("PUT", "/os-services/disable", SERVICE, ADMIN),
    ("PUT", "/os-services/disable-log-reason", {**SERVICE, "disabled_reason": "x"}, ADMIN),
    ("PUT", "/os-services/freeze", {"host": "node1@fast"}, ADMIN),
    ("PUT", "/os-services/thaw", {"host": "node1@fast"}, ADMIN),
    ("PUT", "/os-services/failover_host", {"host": "node1@fast"}, NOT_OFFERED),
    ("PUT", "/os-services/failover", {"host": "node1@fast"}, NOT_OFFERED),
    ("PUT", "/os-services/get-log", {}, ADMIN),
    ("PUT", "/os-services/set-log", {}, NOT_OFFERED),
    ("GET", "/os-hosts", None, ADMIN),
    ("GET", "/os-hosts/node1@fast", None, ADMIN),
    ("GET", "/clusters", None, ADMIN),
    ("GET", "/clusters/detail", None, ADMIN),
    ("GET", "/clusters/roadstead@fast", None, ADMIN),
    ("PUT", "/clusters/enable", {"name": "roadstead@fast"}, ADMIN),
    ("PUT", "/clusters/disable", {"name": "roadstead@fast"}, ADMIN),
    ("POST", "/workers/cleanup", {}, ADMIN_202),
    ("GET", "/scheduler-stats/get_pools", None, ADMIN),
    ("GET", "/capabilities/node1@fast", None, ADMIN),
    ("GET", "/os-availability-zone", None, ANY),
    ("GET", "/extensions", None, ANY),
    ("GET", "/extensions/os-hosts", None, ANY),
    ("GET", "/resource_filters", None, ANY),
]
for path in ABSENT:
    ROUTES += [
        ("GET", f"/{path}", None, ANY),
        ("POST", f"/{path}", {}, (401, 403, 400, 400)),
        *((method, f"/{path}/x", None, (401, 404, 404, 404)) for method in ("GET", "PUT", "POST", "DELETE")),
    ]


class CatalogCase(VolumesCase):
    """One of each that the routes show or change."""

    def setUp(self):
        super().setUp()
        self.qos = QosSpecs.objects.create(name="slow", specs={"a": "1"})
        public = make.volume_type("public", extra_specs={"secret": "1", "multiattach": "<is> True"})
        private = make.volume_type("private", is_public=False)
        Encryption.objects.create(type=private, provider="luks")
        DefaultType.objects.create(pk=self.blue.pk, type=private)
        make.node(uuid.uuid4(), name="node1", serves=["fast"])
        self.names = {
            "public": public.pk,
            "private": private.pk,
            "qos": self.qos.pk,
            "project": self.blue.pk,
            "other": self.red.pk,
        }

    def rows(self):
        """Return what a refused request must leave as it was."""
        models = (
            VolumeType,
            QosSpecs,
            Encryption,
            DefaultType,
            TypeAccess,
            QuotaClass,
            TypeQuota,
            ServiceState,
            Pool,
        )
        rows = {model.__name__: list(model._default_manager.order_by("pk").values()) for model in models}
        return {**super().rows(), **rows}


class RoleMatrixTests(CatalogCase):
    def test_the_matrix(self):
        people: tuple[Any, ...] = (None, "carol", "bob", "alice")
        for method, path, body, expected in ROUTES:
            for person, status in zip(people, expected, strict=True):
                with self.subTest(method=method, path=path, person=person), transaction.atomic():
                    before = self.rows()
                    answer = self.ask(method, path.format(**self.names), body, by=person)
                    self.assertEqual(answer.status_code, status, answer.content)
                    if status >= 400:
                        self.refused(answer, status)
                        self.assertEqual(self.rows(), before)
                    transaction.set_rollback(True)  # so that no answer leans on another

    def test_it_leaves_out_no_route_and_no_method(self):
        there, tried = set(), set()
        for pattern in catalog.urlpatterns:
            view: Any = pattern.callback
            there |= {(method, pattern.pattern.regex.pattern) for method in view.view_class.policy}
        for method, path, _, _ in ROUTES:
            full = f"{BASE}{path.partition('?')[0]}".lstrip("/")
            matching = (p for p in catalog.urlpatterns if p.resolve(full))
            tried.add((method, next(matching).pattern.regex.pattern))
        self.assertEqual(there - tried, set())

    def test_an_admin_of_the_system_needs_no_project(self):
        sam = User.objects.create(username="sam", password="!")
        Assignment.objects.create(user=sam, project=None, role=Role.ADMIN)
        told = {"OpenStack-API-Version": "volume 3.71"}
        for method, path, body, expected in ROUTES:
            if method != "GET" or expected[3] != 200:
                continue
            with self.subTest(path=path):
                answer = self.client.generic(
                    method,
                    f"{BASE}{path.format(**self.names)}",
                    json.dumps(body),
                    content_type="application/json",
                    headers=self.as_user(sam, system=True, **told),
                )
                self.assertEqual(answer.status_code, 403 if path == "/limits" else 200, answer.content)
