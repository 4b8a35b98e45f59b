"""The operator's pages of volumes: every page with rows in it, what it tells and what it costs."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models.functions import Now
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from identity.models import Project, User
from lifecycle import leases, requests
from lifecycle.requests import Asked
from tests import make
from tests.bays.base import Statements
from volumes.backends.base import GIB
from volumes.models import (
    Attachment,
    Connection,
    DefaultType,
    Encryption,
    Message,
    Pool,
    QosSpecs,
    Quota,
    QuotaClass,
    ServiceState,
    Snapshot,
    Transfer,
    TypeAccess,
    TypeQuota,
    Volume,
    VolumeType,
)
from volumes.states import ATTACHMENT_STATUSES, SNAPSHOT, VOLUME

BUTTON = re.compile(r'action="/admin/volumes/\w+/[^/"]+/request/(\w+)/"')
HOSTILE = "<script>alert(1)</script>"
SHOWN = {
    *(Attachment, Connection, DefaultType, Message, Pool, QosSpecs, Quota, QuotaClass, ServiceState),
    *(Snapshot, Transfer, TypeQuota, Volume, VolumeType),
}


class OperatorCase(TestCase):
    root: User
    pool: Pool

    @classmethod
    def setUpTestData(cls):
        cls.root = User.objects.create_superuser("root", password="a good password")
        cls.pool = make.pool(room=100_000)
        make.volume_type()
        Quota.objects.create(
            project_id=make.PROJECT, volumes_limit=-1, snapshots_limit=-1, gigabytes_limit=-1
        )

    def setUp(self):
        self.client.force_login(self.root)

    def page(self, path, status=200):
        answer = self.client.get(path)
        self.assertEqual(answer.status_code, status, path)
        return answer.content.decode()

    def change(self, row):
        meta = type(row)._meta
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[quote(row.pk)])

    def listed(self, model):
        return reverse(f"admin:volumes_{model._meta.model_name}_changelist")

    def press(self, row, event, client=None, **data):
        path = self.change(row).replace("/change/", f"/request/{event}/")
        return (client or self.client).post(path, data, follow=True)

    def buttons(self, row):
        return BUTTON.findall(self.page(self.change(row)))

    def connection(self, volume, host="compute-1"):
        row = Connection(
            volume=volume, host=host, connector={"host": host}, backend=volume.backend, pool=volume.pool
        )
        requests.birth(row, "connect", Asked("u" * 32, volume.project_id), name=host)
        return row

    def attachment(self, volume, **over):
        values = {"project_id": volume.project_id, "user_id": "u" * 32, "status": "attached", "mode": "rw"}
        return Attachment.objects.create(volume=volume, **{**values, **over})


@override_settings(SERVES=["fast"])
class PageTests(OperatorCase):
    def furnish(self):
        """One row of everything, in every status, with what a user may have made of names and reasons."""
        project = Project.objects.create(name=HOSTILE)
        Quota.objects.create(project_id=project.pk, volumes_limit=-1)
        for status in VOLUME.statuses:
            make.volume(status, name=f"{HOSTILE}{status}", project_id=project.pk, metadata={HOSTILE: HOSTILE})
        volume = make.volume("in-use", name="used", hints={"same_host": [HOSTILE]})
        for status in SNAPSHOT.statuses:
            make.snapshot(volume, status, name=HOSTILE)
        for status in ATTACHMENT_STATUSES:
            self.attachment(volume, status=status, connector={"host": HOSTILE}, host=HOSTILE)
        self.connection(volume, HOSTILE)
        source = make.snapshot(volume, name="source")
        clone = make.volume("creating", name="clone", reads_snapshot=source)
        Volume.objects.filter(pk=clone.pk).update(copied=GIB // 4, tried=[{"pool": "x#y", "reason": HOSTILE}])
        held: Any = leases.claim(Volume, clone.pk)
        leases.rest(held, after=timedelta(0), retry=HOSTILE, fields={"copied": GIB // 4})
        leases.claim(Volume, clone.pk)
        kind = make.volume_type("gold", is_public=False, extra_specs={HOSTILE: HOSTILE})
        TypeAccess.objects.create(type=kind, project_id=project.pk)
        Encryption.objects.create(type=kind, provider=HOSTILE)
        DefaultType.objects.create(project_id=project.pk, type=kind)
        QosSpecs.objects.create(name=HOSTILE, specs={HOSTILE: HOSTILE})
        TypeQuota.objects.create(project_id=project.pk, type=kind, volumes_limit=1)
        QuotaClass.objects.create(name="default", limits={"volumes": 7, f"volumes:{kind.pk}": 2})
        Transfer.objects.create(
            volume=volume, project_id=project.pk, salt="SALTED", key_hash="HASHED", name=HOSTILE
        )
        Message.objects.create(
            project_id="gone",
            resource_type="VOLUME",
            resource_id=volume.pk,
            event_id="E",
            user_message=HOSTILE,
            guaranteed_until=Now(),
        )
        make.node(serves=["fast"], name="node1")
        ServiceState.objects.create(node="node1", backend="fast", disabled=True, disabled_reason=HOSTILE)
        make.pool("slow", down_since=timezone.now(), down_reason=HOSTILE)
        make.pool("odd name", "#/_", disabled=True, disabled_reason=HOSTILE)
        make.pool("old", reported_at=timezone.now() - timedelta(days=9), frozen=True)
        make.pool("new", reported_at=None, promisable_gb=0, total_gb=0)
        return clone

    def test_every_page_answers_with_rows_in_it(self):
        self.furnish()
        for model in SHOWN:
            with self.subTest(model=model.__name__):
                self.assertTrue(model._default_manager.exists())
                self.assertNotIn("<script>alert", self.page(self.listed(model)))
                self.page(f"{self.listed(model)}?q=x")
                self.page(f"{self.listed(model)}?q={uuid.uuid4()}")
                for row in model._default_manager.all():
                    page = self.page(self.change(row))
                    self.assertNotIn("<script>alert", page)
                    self.assertNotRegex(page, "SALTED|HASHED")
        self.assertLessEqual(SHOWN, set(admin.site._registry))

    def test_it_tells_what_is_done_by_whom_and_how_far(self):
        clone = self.furnish()
        page = self.page(self.change(clone))
        self.assertIn("create: held by node1, attempt 1, 25 % copied", page)
        self.assertIn("fast#one", page)
        source = self.page(self.change(clone.reads_snapshot))
        self.assertIn(str(clone.pk), source)
        self.assertIn("25 % copied", source)

    def test_a_status_set_by_hand_is_told_from_work(self):
        volume = make.volume("set-deleting")
        page = self.page(self.change(volume))
        self.assertIn("deleting, set by hand", page)
        self.assertIn("at rest", page)

    def test_statuses_are_filtered_singly_and_in_groups(self):
        rows = {status: make.volume(status, name=status) for status in VOLUME.statuses}
        wanted = {
            "busy": set(VOLUME.busy),
            "failed": {"error", "error_deleting", "error_extending"},
            "set by hand": {s for s in VOLUME.statuses if s.startswith("set-")},
            "available": {"available"},
        }
        for value, statuses in wanted.items():
            page = self.page(f"{self.listed(Volume)}?status={value}")
            found = {status for status, row in rows.items() if str(row.pk) in page}
            self.assertEqual(found, statuses, value)

    def test_a_list_costs_the_same_whatever_its_length(self):
        kind = make.volume_type("many")
        costs: dict[Any, int] = {}
        for round_ in range(2):
            for number in range(50 if round_ else 1):
                project = Project.objects.create(name=f"p{round_}-{number}").pk
                volume = make.volume("creating", project_id=project)
                self.attachment(volume)
                self.connection(volume, f"host{number}")
                source = make.snapshot(volume)
                make.volume("creating", project_id=project, reads_snapshot=source)
                make.volume_type(f"t{round_}-{number}")
                make.pool("many", f"p{round_}-{number}")
                make.node(uuid.uuid4(), name=f"n{round_}-{number}", serves=["fast"])
                TypeQuota.objects.create(project_id=project, type=kind)
                DefaultType.objects.create(project_id=project, type=kind)
                Transfer.objects.create(volume=volume, project_id=project)
            for model in SHOWN - {QuotaClass, QosSpecs, Message}:
                with Statements() as statements:
                    self.page(self.listed(model))
                count = len(statements.work)
                self.assertLess(count, 12, model)
                self.assertEqual(costs.setdefault(model, count), count, (model, *statements.work))

    @override_settings(BACKENDS_FILE="/nowhere/backends.toml")
    def test_no_page_needs_the_storage(self):
        self.furnish()
        for model in SHOWN:
            self.page(self.listed(model))
            for row in model._default_manager.all()[:3]:
                self.page(self.change(row))

    def test_nothing_that_the_system_writes_can_be_written_by_hand(self):
        self.furnish()
        for model in SHOWN - {Quota, TypeQuota, QuotaClass}:
            row: Any = model._default_manager.first()
            path = self.change(row)
            for tail in ("/change/", "/delete/"):
                answer = self.client.post(path.replace("/change/", tail), {"post": "yes", "status": "error"})
                self.assertEqual(answer.status_code, 403, model)
            self.assertEqual(self.client.get(f"{self.listed(model)}add/").status_code, 403, model)
