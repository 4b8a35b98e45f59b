"""How many statements a request may cost, counted on committed rows, and that no broker is needed for a 202."""

from __future__ import annotations

from django.test import TransactionTestCase, override_settings

from identity import tokens
from identity.models import Assignment, Project, Role, User
from tests import make
from tests.bays.base import Statements
from tests.bays.test_budgets import broker_down
from tests.volumes.base import BASE
from volumes.models import Volume

PLENTY = {"volumes": -1, "gigabytes": -1, "snapshots": -1, "per_volume_gigabytes": -1}


@override_settings(TOKEN_CACHE_SECONDS=3600, VOLUME_QUOTAS=PLENTY)
class BudgetCase(TransactionTestCase):
    def setUp(self):
        project = Project.objects.create(name="blue")
        bob = User.objects.create(username="bob", password="!")
        Assignment.objects.create(user=bob, project=project, role=Role.MEMBER)
        self.project, self.token = project.pk, tokens.issue(bob, project.pk)
        self.addCleanup(tokens.forget)
        make.pool()
        make.volume_type()
        self.ask("GET", "/volumes")  # from here on the token is known to this process
        self.ask("POST", "/volumes", {"volume": {"size": 1}})  # and the project's quota is made

    def ask(self, method, path, body=None):
        send = getattr(self.client, method.lower())
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        told = {"X-Auth-Token": self.token, "OpenStack-API-Version": "volume 3.71"}
        return send(f"{BASE}{path}", headers=told, **sent)

    def a_volume(self, status="available", **over):
        return make.volume(status, project_id=self.project, **over)

    def a_snapshot(self, status="available", **over):
        return make.snapshot(self.a_volume(), status, **over)

    def within(self, budget, method, path, body=None, *, expected=202):
        """Check that a request needs at most so many statements, in one transaction if it writes."""
        with Statements() as statements:
            answer = self.ask(method, path, body)
        self.assertEqual(answer.status_code, expected, answer.content)
        shown = "\n".join(sql[:200] for sql in statements.work + statements.marks)
        self.assertLessEqual(len(statements.work), budget, shown)
        if method != "GET":
            marks = [mark for mark in statements.marks if "SAVEPOINT" not in mark]
            self.assertIn(marks, ([], ["BEGIN", "COMMIT"], ["BEGIN", "ROLLBACK"]), shown)


class BudgetTests(BudgetCase):
    def test_accepting_requests(self):
        # three of them, the type, the pools and the default limits, once per CATALOG_CACHE only
        self.within(4, "POST", "/volumes", {"volume": {"size": 1}})
        source, snapshot = self.a_volume(), self.a_snapshot()
        self.within(11, "POST", "/volumes", {"volume": {"source_volid": str(source.pk)}})
        self.within(10, "POST", "/volumes", {"volume": {"snapshot_id": str(snapshot.pk)}})
        self.within(10, "POST", "/snapshots", {"snapshot": {"volume_id": str(self.a_volume().pk)}})
        self.within(8, "POST", f"/volumes/{self.a_volume().pk}/action", {"os-extend": {"new_size": 2}})
        self.within(4, "DELETE", f"/volumes/{self.a_volume().pk}")
        self.within(5, "DELETE", f"/snapshots/{self.a_snapshot().pk}")

    def test_changes(self):
        volume = self.a_volume()
        self.within(3, "PUT", f"/volumes/{volume.pk}", {"volume": {"name": "x"}}, expected=200)
        self.within(3, "POST", f"/volumes/{volume.pk}/metadata", {"metadata": {"a": "1"}}, expected=200)

    def test_showing_and_refusing(self):
        volume = self.a_volume("deleting")
        self.within(2, "GET", f"/volumes/{volume.pk}", expected=200)
        self.within(2, "DELETE", f"/volumes/{volume.pk}", expected=400)

    def test_a_page_costs_the_same_whatever_its_length(self):
        for number in range(20):
            volume = self.a_volume("in-use", name=f"v{number}")
            volume.attachments.create(project_id=self.project, user_id="u", status="attached")
            make.snapshot(volume)
        for path in ("/volumes/detail", "/volumes", "/snapshots/detail", "/messages"):
            for query in ("limit=1", "limit=20", "sort=id:asc,created_at"):
                self.within(2, "GET", f"{path}?{query}", expected=200)
        marker = Volume.objects.first()
        assert marker is not None
        self.within(3, "GET", f"/volumes/detail?marker={marker.pk}", expected=200)
        self.within(2, "GET", "/volumes/summary", expected=200)


class BrokerDownTests(BudgetCase):
    def test_the_broker_has_no_say_in_what_is_accepted(self):
        with broker_down():
            self.within(4, "POST", "/volumes", {"volume": {"size": 1}})
            self.within(10, "POST", "/snapshots", {"snapshot": {"volume_id": str(self.a_volume().pk)}})
            self.within(4, "DELETE", f"/volumes/{self.a_volume().pk}")
        self.assertEqual(Volume.objects.filter(operation__isnull=False, holder=None).count(), 3)
