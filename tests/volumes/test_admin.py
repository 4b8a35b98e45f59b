"""The operator's pages of volumes: every page with rows in it, and the buttons out of the transition tables."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client, TestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from identity.models import Project, User
from lifecycle import leases, requests
from lifecycle.models import Event, Operation
from lifecycle.requests import Asked
from lifecycle.swap import swap
from tests import make
from tests.bays.base import Statements
from volumes.admin import quotas
from volumes.admin import snapshots as snapshot_pages
from volumes.admin import volumes as volume_pages
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
from volumes.states import ATTACHMENT_STATUSES, CONNECTION, SNAPSHOT, VOLUME

BUTTON = re.compile(r'action="/admin/volumes/\w+/[^/"]+/request/(\w+)/"')
HOSTILE = "<script>alert(1)</script>"
SHOWN = {
    *(Attachment, Connection, DefaultType, Message, Pool, QosSpecs, Quota, QuotaClass, ServiceState),
    *(Snapshot, Transfer, TypeQuota, Volume, VolumeType),
}
# Steps that clients make, one after the other: an operator ends them all at once, by "Detach all".
CLIENTS = {
    *("reserve", "unreserve", "attach", "attach_failed", "begin_detaching", "roll_detaching", "detach"),
    *("initialize_connection", "remove_attachment", "reserve_attachment", "update_attachment"),
    *("complete_attachment", "transfer", "accept_transfer", "cancel_transfer"),
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
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[admin.utils.quote(row.pk)])

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


class VolumeButtonTests(OperatorCase):
    def test_each_move_of_the_tables_has_a_button_or_is_left_to_clients(self):
        for machine, buttons in ((VOLUME, volume_pages.BUTTONS), (SNAPSHOT, snapshot_pages.BUTTONS)):
            moves = {*machine.requests, *machine.changes}
            self.assertEqual(set(buttons), moves - CLIENTS)

    def test_the_buttons_are_what_the_status_accepts(self):
        for status in VOLUME.statuses:
            volume = make.volume(status)
            make.snapshot(volume)
            self.attachment(volume)
            offered = {move.event for move in VOLUME.offered(status)} - CLIENTS
            self.assertEqual(set(self.buttons(volume)), offered, status)
        volume = make.volume("available")
        for status in SNAPSHOT.statuses:
            snapshot = make.snapshot(volume, status)
            offered = {move.event for move in SNAPSHOT.offered(status)} - CLIENTS
            self.assertEqual(set(self.buttons(snapshot)), offered, status)
        connection = self.connection(volume)
        self.assertEqual(CONNECTION.offered(connection.status)[0].event, "connect")
        self.assertEqual(self.buttons(connection), [])

    def test_what_there_is_nothing_for_has_no_button(self):
        self.assertFalse({"revert", "force_detach"} & set(self.buttons(make.volume())))

    def test_pressing_one_makes_the_request_in_the_operators_name(self):
        volume = make.volume(size=2)
        self.assertContains(self.press(volume, "extend", new_size="5"), "Accepted: extend volume1.")
        row = Volume.objects.get()
        self.assertEqual((row.status, row.new_size), ("extending", 5))
        operation: Any = row.operation
        self.assertEqual((operation.user_id, operation.project_id), (self.root.pk, volume.project_id))
        self.assertRegex(operation.request_id, "^req-")
        self.assertEqual(Quota.objects.get().gigabytes, 5)
        self.assertEqual(Event.objects.last().reason, f"asked by user {self.root.pk}")  # type: ignore[union-attr]
        self.assertIn("extend", LogEntry.objects.get().change_message)

    def test_each_button_does_what_it_says(self):
        other = make.volume_type("other")
        volume = make.volume(name="v")
        latest = make.snapshot(volume, name="latest")
        self.press(volume, "retype", type="other")
        self.press(volume, "set_readonly")
        self.press(volume, "set_bootable")
        row = Volume.objects.get()
        self.assertEqual((row.type, row.readonly, row.bootable), (other, True, True))
        self.press(volume, "set_readonly")
        self.assertIs(Volume.objects.get().readonly, False)
        self.press(volume, "revert", snapshot=f"{latest.pk} latest")
        row = Volume.objects.get()
        self.assertEqual((row.status, row.reads_snapshot), ("reverting", latest))
        self.press(volume, "reset", status="available", reason="array maintenance")
        self.press(volume, "delete")
        self.assertEqual(Volume.objects.get().status, "available")
        self.press(volume, "delete", cascade="1")
        self.assertEqual((Volume.objects.get().status, Snapshot.objects.get().status), ("deleting",) * 2)
        stuck = make.volume("set-creating")
        self.press(stuck, "force_delete")
        self.assertEqual(Volume.objects.get(pk=stuck.pk).status, "deleting")

    def test_a_snapshots_buttons_do_what_they_say(self):
        snapshot = make.snapshot(make.volume())
        self.press(snapshot, "reset", status="error", reason="checked by hand")
        self.assertEqual(Snapshot.objects.get().status, "error")
        self.press(snapshot, "delete")
        self.assertEqual(Snapshot.objects.get().status, "deleting")
        self.press(snapshot, "reset", status="error_deleting", reason="the disk is gone")
        self.press(snapshot, "force_delete")
        self.assertEqual(Snapshot.objects.get().status, "deleting")

    def test_a_status_is_not_reset_without_a_reason(self):
        volume = make.volume("error")
        for reason in ("", "   "):
            said = self.press(volume, "reset", status="available", reason=reason)
            self.assertContains(said, "Reason must be given.")
        self.assertEqual(Volume.objects.get().status, "error")
        self.press(volume, "reset", status="available", reason="the array is mended, ticket 4711")
        row = Volume.objects.get()
        self.assertEqual(row.status, "available")
        self.assertIn("ticket 4711", row.status_reason)
        operation = Operation.objects.get(action="reset")
        self.assertEqual(operation.params["reason"], "the array is mended, ticket 4711")
        self.assertEqual((operation.params["was"], operation.user_id), ("error", self.root.pk))

    def test_a_refusal_is_told_and_nothing_is_written(self):
        volume = make.volume(size=2)
        snapshot = make.snapshot(volume)
        make.volume("creating", reads_volume=volume, name="reader")
        before = Operation.objects.count()
        for event, data, said in (
            ("delete", {}, "being read by"),
            ("extend", {"new_size": "3"}, "being read by"),
            ("extend", {"new_size": "1"}, "must be greater than current size"),
            ("extend", {"new_size": "²"}, "must be a whole number"),
            ("extend", {"new_size": "9" * 30}, "must be a whole number"),
            ("extend", {}, "GiB must be given"),
            ("retype", {"type": "no-such"}, "could not be found"),
            ("revert", {"snapshot": "x"}, "could not be found"),
            ("reset", {"status": "gone", "reason": "x"}, "must be one of"),
            ("explode", {}, "no such request"),
        ):
            with self.subTest(event=event, data=data):
                self.assertContains(self.press(volume, event, **data), said)
        self.assertContains(self.press(Volume(id=uuid.uuid4()), "delete"), "no such volume")
        self.assertEqual(Operation.objects.count(), before)
        self.assertEqual(Snapshot.objects.get(), snapshot)

    def test_who_may_only_look_gets_no_button(self):
        volume = make.volume()
        staff = User.objects.create_user("staff", password="a good password", is_staff=True)
        client = Client()
        client.force_login(staff)
        self.assertEqual(client.get(self.change(volume)).status_code, 403)
        staff.user_permissions.set(Permission.objects.filter(codename="view_volume"))
        shown = client.get(self.change(volume))
        self.assertEqual(shown.status_code, 200)
        self.assertEqual(BUTTON.findall(shown.content.decode()), [])
        self.assertEqual(self.press(volume, "delete", client).status_code, 403)
        self.assertEqual(Volume.objects.get().status, "available")

    def test_it_takes_a_post_with_its_csrf_token(self):
        volume = make.volume()
        path = self.change(volume).replace("/change/", "/request/delete/")
        self.assertEqual(self.client.get(path).status_code, 405)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(self.root)
        self.assertEqual(strict.post(path).status_code, 403)
        self.assertEqual(Volume.objects.get().status, "available")


class UseButtonTests(OperatorCase):
    def test_an_attachment_is_ended_though_its_server_is_not_asked(self):
        volume = make.volume("in-use")
        row = self.attachment(volume, instance_id=str(uuid.uuid4()))
        self.press(row, "detach")
        self.assertFalse(Attachment.objects.exists())
        self.assertEqual(Volume.objects.get().status, "available")

    def test_a_server_that_may_be_using_the_volume_loses_its_host_too(self):
        volume = make.volume("in-use")
        way = self.connection(volume)
        swap(
            Connection,
            pk=way.pk,
            values={**leases.at_rest(Connection, "connected", ""), "info": {"data": {}}},
        )
        Operation.objects.filter(pk=way.operation_id).update(state="COMPLETE", finished_at=Now())
        row = self.attachment(volume, instance_id=str(uuid.uuid4()), connection=way)
        self.press(row, "detach")
        self.assertEqual(Attachment.objects.get().status, "detaching")
        self.assertEqual(Connection.objects.get().status, "disconnecting")
        self.assertEqual(self.buttons(row), [])

    def test_all_attachments_are_ended_at_once(self):
        volume = make.volume("in-use", multiattach=True)
        for _ in range(2):
            self.attachment(volume, instance_id=str(uuid.uuid4()))
        self.press(volume, "force_detach")
        self.assertFalse(Attachment.objects.exists())
        self.assertEqual(Volume.objects.get().status, "available")

    def test_an_offer_is_withdrawn(self):
        volume = make.volume("awaiting-transfer")
        offer = Transfer.objects.create(volume=volume, project_id=volume.project_id, name="to blue")
        self.assertContains(self.press(offer, "cancel_transfer"), "Accepted: withdraw to blue.")
        self.assertFalse(Transfer.objects.exists())
        self.assertEqual(Volume.objects.get().status, "available")


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
