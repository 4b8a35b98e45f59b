"""The operator's pages of pools, services and limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from identity.models import Project, User
from tests import make
from tests.volumes.test_admin import OperatorCase
from volumes.admin import quotas
from volumes.models import (
    Pool,
    Quota,
    QuotaClass,
    ServiceState,
    TypeQuota,
)


class PoolTests(OperatorCase):
    def test_a_back_end_is_frozen_and_thawed_with_all_its_pools(self):
        second = make.pool("fast", "two")
        self.press(second, "freeze")
        self.assertEqual(list(Pool.objects.values_list("frozen", flat=True)), [True, True])
        self.assertIn("thaw", self.buttons(self.pool))
        self.press(self.pool, "thaw")
        self.assertFalse(Pool.objects.filter(frozen=True).exists())

    def test_a_back_end_is_disabled_with_a_reason_and_enabled(self):
        self.assertContains(self.press(self.pool, "disable", reason=" "), "Reason must be given")
        self.assertFalse(Pool.objects.get().disabled)
        self.press(self.pool, "disable", reason="its disks are replaced")
        pool = Pool.objects.get()
        self.assertEqual((pool.disabled, pool.disabled_reason), (True, "its disks are replaced"))
        self.assertIn("its disks are replaced", self.page(self.listed(Pool)))
        self.press(self.pool, "enable")
        self.assertFalse(Pool.objects.get().disabled)

    def test_a_report_is_asked_for_now(self):
        Pool.objects.update(report_due=timezone.now() + timedelta(hours=1))
        self.press(self.pool, "report")
        self.assertTrue(Pool.objects.filter(report_due__lte=Now()).exists())

    def test_it_tells_why_a_pool_takes_nothing(self):
        for over, state, why in (
            ({}, "up", "takes new volumes"),
            (
                {"down_since": timezone.now(), "down_reason": "its marker is missing"},
                "down",
                "marker is missing",
            ),
            ({"reported_at": timezone.now() - timedelta(hours=5)}, "silent", "too old"),
            ({"reported_at": None}, "never reported", "No node has asked it"),
            ({"frozen": True}, "frozen", "nothing can be made or deleted"),
            ({"disabled": True, "disabled_reason": "old disks"}, "disabled", "old disks"),
        ):
            reset: dict[str, Any] = {"down_since": None, "frozen": False, "disabled": False}
            pool = make.pool("fast", "one", **{**reset, **over})
            page = self.page(self.change(pool))
            self.assertRegex(page, f'badge [a-z]+">{state}<')
            self.assertIn(why, page)

    def test_it_tells_what_is_promised_and_by_whom_it_is_used(self):
        blue = Project.objects.create(name="blue")
        make.volume(size=7, project_id=blue.pk)
        page = self.page(self.change(Pool.objects.get()))
        self.assertIn("7 of 100,000 GiB", page)
        self.assertRegex(page, r">blue</a></td><td>1</td><td>7</td>")


class ServiceTests(OperatorCase):
    def tell(self, what, client=None, **data):
        path = reverse("admin:volumes_servicestate_tell")
        return (client or self.client).post(path, {"host": "node1@fast", "what": what, **data}, follow=True)

    def setUp(self):
        super().setUp()
        make.node(name="node1", serves=["fast"])

    def test_a_node_is_told_to_leave_a_back_end_and_to_serve_it_again(self):
        self.assertContains(self.tell("disable", reason=" "), "A reason must be given")
        self.assertFalse(ServiceState.objects.exists())
        self.assertContains(self.tell("disable", reason="new kernel"), "new kernel")
        told = ServiceState.objects.get()
        self.assertEqual((told.node, told.backend, told.disabled_reason), ("node1", "fast", "new kernel"))
        self.assertTrue(told.disabled)
        self.tell("enable")
        self.assertFalse(ServiceState.objects.get().disabled)

    def test_a_service_that_there_is_not_is_told_as_that(self):
        self.assertContains(self.tell("disable", host="node9@fast", reason="x"), "could not be found")

    def test_who_may_only_look_cannot_tell(self):
        staff = User.objects.create_user("staff", password="a good password", is_staff=True)
        client = Client()
        client.force_login(staff)
        self.assertEqual(client.get(self.listed(ServiceState)).status_code, 403)
        staff.user_permissions.set(Permission.objects.filter(codename="view_servicestate"))
        self.assertNotIn('name="what"', client.get(self.listed(ServiceState)).content.decode())
        self.assertEqual(self.tell("disable", client, reason="x").status_code, 403)
        self.assertEqual(self.client.get(reverse("admin:volumes_servicestate_tell")).status_code, 405)


class QuotaTests(OperatorCase):
    def test_a_quotas_limits_are_written_and_nothing_else(self):
        blue = Project.objects.create(name="blue")
        row = Quota.objects.create(project_id=blue.pk, volumes=1, other_limits={"backups": 4})
        self.page(self.change(row))
        Quota.objects.filter(pk=blue.pk).update(volumes=2)
        form = {"volumes_limit": "7", "snapshots_limit": "", "gigabytes_limit": "-1", "per_volume": "50"}
        answer = self.client.post(self.change(row), {**form, "volumes": "99", "project_id": "other"})
        self.assertEqual(answer.status_code, 302)
        row.refresh_from_db()
        self.assertEqual((row.volumes_limit, row.snapshots_limit, row.gigabytes_limit), (7, None, -1))
        self.assertEqual((row.volumes, row.other_limits), (2, {"backups": 4, "per_volume_gigabytes": 50}))
        self.client.post(self.change(row), {**form, "per_volume": ""})
        row.refresh_from_db()
        self.assertEqual(row.other_limits, {"backups": 4})
        stale = Quota.objects.get(pk=blue.pk)
        Quota.objects.filter(pk=blue.pk).update(volumes=3)  # a volume is counted after the page was read
        site: Any = admin.site._registry[Quota]
        values: Any = type("Form", (), {"cleaned_data": {**dict.fromkeys(quotas.LIMITS), "per_volume": None}})
        site.save_model(None, stale, values, change=True)
        self.assertEqual(Quota.objects.get(pk=blue.pk).volumes, 3)
        for wrong in ("-2", "x", str(2**63)):
            self.assertContains(self.client.post(self.change(row), {**form, "volumes_limit": wrong}), "error")

    def test_a_project_without_limits_gets_some_by_its_name(self):
        blue = Project.objects.create(name="blue")
        add = reverse("admin:volumes_quota_add")
        self.assertContains(self.client.post(add, {"project_id": "grey"}), "no such project")
        self.client.post(add, {"project_id": "blue", "volumes_limit": "3"})
        row = Quota.objects.get(pk=blue.pk)
        self.assertEqual((row.volumes_limit, row.volumes, row.gigabytes_limit), (3, 0, None))

    def test_a_types_limit_begins_to_count_what_there_is(self):
        kind = make.volume_type("gold")
        blue = Project.objects.create(name="blue")
        make.volume(type=kind, size=3, project_id=blue.pk)
        add = reverse("admin:volumes_typequota_add")
        form = {"project_id": "blue", "type": str(kind.pk)}
        self.assertContains(self.client.post(add, form), "at least one limit")
        self.assertEqual(self.client.post(add, {**form, "gigabytes_limit": "5"}).status_code, 302)
        row = TypeQuota.objects.get()
        self.assertEqual((row.volumes, row.gigabytes, row.gigabytes_limit), (1, 3, 5))
        self.assertEqual(Quota.objects.get(pk=blue.pk).typed, [str(kind.pk)])
        TypeQuota.objects.update(volumes=2)
        self.client.post(self.change(row), {"volumes_limit": "9", "gigabytes_limit": ""})
        row.refresh_from_db()
        self.assertEqual((row.volumes_limit, row.gigabytes_limit, row.volumes), (9, None, 2))

    def test_default_limits_are_set_and_taken_back(self):
        kind = make.volume_type("gold")
        row = QuotaClass.objects.create(name="default", limits={f"volumes:{kind.pk}": 2, "volumes": 9})
        self.assertIn("gold", self.page(self.change(row)))
        self.client.post(self.change(row), {"volumes": "", "gigabytes": "50"})
        self.assertEqual(QuotaClass.objects.get().limits, {f"volumes:{kind.pk}": 2, "gigabytes": 50})
        self.assertEqual(QuotaClass.defaults()["gigabytes"], 50)
