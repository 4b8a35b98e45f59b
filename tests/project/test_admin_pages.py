"""The admin as operators use it: every page with rows in it, and the buttons of a bay out of the transition table."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client, TestCase
from django_celery_beat.models import PeriodicTask

from bays.admin import REQUESTS
from bays.models import Authority, Bay, BayModel, Quota
from bays.states import BAY
from identity.models import Project, User
from lifecycle import leases
from lifecycle.models import Event, Node, Operation
from sync.models import Cursor
from tests import make
from tests.bays.base import Statements

BUTTON = re.compile(r'action="/admin/bays/bay/[0-9a-f-]{36}/request/(\w+)/"')


class AdminCase(TestCase):
    def setUp(self):
        self.root = User.objects.create_superuser("root", password="a good password")
        self.client.force_login(self.root)
        self.model = make.baymodel(name="<b>small</b>")

    def page(self, path, status=200):
        answer = self.client.get(f"/admin/{path}")
        self.assertEqual(answer.status_code, status, path)
        return answer.content.decode()


class PageTests(AdminCase):
    def test_every_page_answers_with_rows_in_it(self):
        for status in BAY.statuses:
            make.bay(status, model=self.model, name=f"bay-{status}")
        held: Any = leases.claim(Bay, Bay.objects.get(status="CREATE_IN_PROGRESS").pk)
        leases.rest(held, after=timedelta(0), retry="<script>alert(1)</script>")
        leases.claim(Bay, held.row.pk)
        make.node(uuid.uuid4(), stopped_at=Now())
        make.node(uuid.uuid4(), draining=True)
        Node.objects.filter(pk=make.node(uuid.uuid4()).pk).update(seen_at=Now() - timedelta(days=1))
        Project.objects.create(name="blue")
        shown = {Bay, BayModel, Quota, Node, Operation, Event, PeriodicTask, User, Project}
        for model in shown:
            with self.subTest(model=model.__name__):
                meta = model._meta
                path = f"{meta.app_label}/{meta.model_name}/"
                self.assertNotIn("<script>alert", self.page(path))
                self.page(f"{path}?q=bay")
                self.page(f"{path}?q={uuid.uuid4()}")
                for row in model._default_manager.all():
                    self.assertNotIn("<script>alert", self.page(f"{path}{row.pk}/change/"))
        self.assertLessEqual(shown, set(admin.site._registry))
        self.assertNotIn(Cursor, admin.site._registry)

    def test_search_finds_by_name_and_id(self):
        one, two = (make.bay("CREATE_COMPLETE", model=self.model, name=name) for name in ("alpha", "beta"))
        for query in ("alpha", str(one.pk), str(one.pk)[:8]):
            page = self.page(f"bays/bay/?q={query}")
            self.assertIn(str(one.pk), page)
            self.assertNotIn(str(two.pk), page)
        operation = Operation.objects.get(resource_id=two.pk)
        for query in ("beta", str(two.pk), str(operation.pk)):
            self.assertIn(str(operation.pk), self.page(f"lifecycle/operation/?q={query}"))

    def test_a_list_costs_the_same_whatever_its_length(self):
        for kind in ("bays/bay/", "lifecycle/operation/", "lifecycle/event/", "lifecycle/node/"):
            counts = []
            for _ in range(2):
                for number in range(5):
                    make.bay(
                        "CREATE_COMPLETE", model=self.model, name=f"b{number}", project_id=uuid.uuid4().hex
                    )
                with Statements() as statements:
                    self.page(kind)
                counts.append(len(statements.work))
            self.assertEqual(counts[0], counts[1], kind)
            self.assertLess(counts[0], 12, kind)

    def test_nothing_that_the_system_writes_can_be_written_by_hand(self):
        bay = make.bay("CREATE_COMPLETE", model=self.model)
        rows = {
            "bays/bay": bay,
            "bays/baymodel": self.model,
            "lifecycle/node": make.node(),
            "lifecycle/operation": Operation.objects.get(),
        }
        for path, row in rows.items():
            page = self.page(f"{path}/{row.pk}/change/")
            self.assertNotRegex(page, r'<(input|select|textarea)[^>]*name="(status|name|state|epoch|holder)"')
            for tail, data in (
                ("change/", {"status": "CREATE_FAILED", "name": "x"}),
                ("delete/", {"post": "yes"}),
            ):
                self.assertEqual(self.client.post(f"/admin/{path}/{row.pk}/{tail}", data).status_code, 403)
            self.assertEqual(self.client.get(f"/admin/{path}/add/").status_code, 403)
        self.assertEqual(Bay.objects.get().status, "CREATE_COMPLETE")

    def test_an_id_that_is_none_is_led_away_and_no_fault(self):
        for ident in ("x", uuid.uuid4(), "%00", "a_2Fb"):
            self.assertIn(self.client.get(f"/admin/bays/bay/{ident}/change/").status_code, (302, 404))

    def test_a_quotas_limit_is_written_and_nothing_else(self):
        quota = Quota.objects.create(project_id="p", used=1)
        self.client.get("/admin/bays/quota/p/change/")
        Quota.objects.update(used=2)
        answer = self.client.post(
            "/admin/bays/quota/p/change/", {"hard_limit": "7", "used": "99", "project_id": "q"}
        )
        self.assertEqual(answer.status_code, 302)
        quota = Quota.objects.get()
        self.assertEqual((quota.project_id, quota.hard_limit, quota.used), ("p", 7, 2))
        Quota.objects.update(used=3)
        site: Any = admin.site._registry[Quota]
        obj = Quota(project_id="p", hard_limit=8, used=2)  # as it was read before another bay was counted
        site.save_model(None, obj, None, change=True)
        self.assertEqual(Quota.objects.values_list("hard_limit", "used").get(), (8, 3))
        self.client.post("/admin/bays/quota/add/", {"project_id": "new", "hard_limit": "1"})
        self.assertEqual(Quota.objects.get(pk="new").used, 0)


class ButtonTests(AdminCase):
    def press(self, bay, event, client=None, **data):
        return (client or self.client).post(f"/admin/bays/bay/{bay.pk}/request/{event}/", data, follow=True)

    def test_each_request_of_the_table_has_a_button_behind_it(self):
        of_groups = {"limit_nodegroup"}  # asked for through the API alone
        self.assertEqual(set(REQUESTS), {*BAY.requests, *BAY.changes} - of_groups)

    def test_the_buttons_are_what_the_status_accepts(self):
        for status in BAY.statuses:
            bay = make.bay(status, model=self.model, name="b")
            buttons = BUTTON.findall(self.page(f"bays/bay/{bay.pk}/change/"))
            self.assertEqual(
                buttons, [move.event for move in BAY.offered(status) if move.event in REQUESTS], status
            )

    def test_the_authority_of_a_bay_is_replaced_in_the_operators_name(self):
        bay = make.bay("CREATE_COMPLETE", model=self.model)
        self.assertContains(self.press(bay, "rotate_ca"), "Accepted: replace ca bay1.")
        self.assertEqual(Authority.objects.get(pk=bay.pk).generation, 2)
        self.assertEqual(Operation.objects.get(action="rotate_ca").user_id, self.root.pk)

    def test_pressing_one_makes_the_request_in_the_operators_name(self):
        bay = make.bay("CREATE_COMPLETE", model=self.model)
        self.assertContains(self.press(bay, "update", value="4"), "Accepted: update bay1.")
        row = Bay.objects.get()
        self.assertEqual((row.status, row.node_count), ("UPDATE_IN_PROGRESS", 4))
        operation = Operation.objects.get(pk=row.operation_id or uuid.UUID(int=0))
        self.assertEqual((operation.user_id, operation.project_id), (self.root.pk, bay.project_id))
        self.assertRegex(operation.request_id, "^req-")
        self.assertContains(self.press(bay, "delete"), "Accepted: delete bay1.")
        self.assertEqual(Bay.objects.get().status, "DELETE_IN_PROGRESS")

    def test_a_refusal_is_told_and_nothing_is_written(self):
        bay = make.bay("DELETE_IN_PROGRESS", model=self.model)
        for event, value, said in (
            (
                "delete",
                "",
                "Cannot delete a bay whose status is DELETE_IN_PROGRESS: the status must be one of",
            ),
            ("update", "3", "Cannot update a bay whose status is DELETE_IN_PROGRESS"),
            ("update", "", "Nodes must be given"),
            ("update", "-1", "must be a whole number"),
            ("update", "²", "must be a whole number"),
            ("update", "999", "node_count"),
            ("explode", "", "no such request"),
        ):
            with self.subTest(event=event, value=value):
                self.assertContains(self.press(bay, event, value=value), said)
        self.assertEqual((Operation.objects.count(), Bay.objects.get().node_count), (1, bay.node_count))
        self.assertContains(self.press(Bay(id=uuid.uuid4()), "delete"), "no such bay")

    def test_who_may_only_look_gets_no_button_and_who_may_not_look_no_page(self):
        bay = make.bay("CREATE_COMPLETE", model=self.model)
        for allowed, page, pressed in (
            ([], 403, 403),
            (["view_bay"], 200, 403),
            (["view_bay", "change_bay"], 200, 200),
        ):
            staff = User.objects.create_user(
                f"staff{len(allowed)}", password="a good password", is_staff=True
            )
            staff.user_permissions.set(Permission.objects.filter(codename__in=allowed))
            client = Client()
            client.force_login(staff)
            shown = client.get(f"/admin/bays/bay/{bay.pk}/change/")
            self.assertEqual(shown.status_code, page)
            if pressed == 403:
                self.assertEqual(BUTTON.findall(shown.content.decode()), [])
            self.assertEqual(self.press(bay, "update", client, value="2").status_code, pressed)
            self.assertEqual(Bay.objects.get().status == "UPDATE_IN_PROGRESS", pressed == 200)
        self.assertEqual(Client().post(f"/admin/bays/bay/{bay.pk}/request/delete/").status_code, 302)
        self.assertEqual(Bay.objects.get().status, "UPDATE_IN_PROGRESS")

    def test_it_takes_a_post_with_its_csrf_token(self):
        bay = make.bay("CREATE_COMPLETE", model=self.model)
        path = f"/admin/bays/bay/{bay.pk}/request/delete/"
        for method in ("get", "head", "put", "delete"):
            self.assertEqual(getattr(self.client, method)(path).status_code, 405)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(self.root)
        self.assertEqual(strict.post(path).status_code, 403)
        self.assertEqual(Bay.objects.get().status, "CREATE_COMPLETE")
        form = strict.get(f"/admin/bays/bay/{bay.pk}/change/").content.decode()
        token: Any = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        self.assertEqual(strict.post(path, {"csrfmiddlewaretoken": token[1]}).status_code, 302)
        self.assertEqual(Bay.objects.get().status, "DELETE_IN_PROGRESS")
