"""An admin of the system alone, and the small routes."""

from __future__ import annotations

import uuid

from identity.models import Assignment, Role, User
from tests import make
from tests.matrix import catalog
from tests.volumes.base import VolumesCase
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


class SystemTests(CatalogCase):
    def test_an_admin_of_the_system_needs_no_project(self):
        sam = User.objects.create(username="sam", password="!")
        Assignment.objects.create(user=sam, project=None, role=Role.ADMIN)
        told = {"OpenStack-API-Version": "volume 3.71"}
        for row in catalog.rows():
            if row.method != "GET" or 200 not in (row.status, row.admins):
                continue
            with self.subTest(row.path):
                path = row.path.format(**self.names)
                answer = self.client.get(path, headers=self.as_user(sam, system=True, **told))
                wanted = 403 if path.endswith("/limits") else 200
                self.assertEqual(answer.status_code, wanted, answer.content)
