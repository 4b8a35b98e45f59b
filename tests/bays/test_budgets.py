"""How many statements a request may cost, and that a broker that is down costs none of them its 202.

Counted on committed rows, so that what opens and closes a transaction is counted as in production.
"""

from __future__ import annotations

import socket
import uuid
from contextlib import contextmanager
from typing import Any

from django.test import TransactionTestCase, override_settings

from bays.models import Bay
from bays.tasks import advance_bay
from identity import tokens
from identity.models import Assignment, Project, Role, User
from project import celery
from tests import make
from tests.bays.base import BASE, HEADER, LATEST, Statements
from tests.bays.signing import csr
from workers import bell

app: Any = celery.app  # its connections are private


@contextmanager
def broker_down():
    """Point this process's Celery application at a port where nobody listens."""
    with socket.socket() as taken:  # bound, not listening: refused at once, and nobody else takes it
        taken.bind(("127.0.0.1", 0))
        there = app.conf.broker_url
        _speak_to(f"redis://127.0.0.1:{taken.getsockname()[1]}/0")
        try:
            yield
        finally:
            _speak_to(there)


def _speak_to(broker_url):
    """Have the application forget its connections and speak to this broker."""
    app.conf.broker_url = app.conf.broker_write_url = broker_url
    app.amqp._producer_pool = app._pool = None
    bell._quiet_until = 0.0


@override_settings(TOKEN_CACHE_SECONDS=3600)
class BudgetCase(TransactionTestCase):
    def setUp(self):
        project = Project.objects.create(name="blue")
        bob = User.objects.create(username="bob", password="!")
        Assignment.objects.create(user=bob, project=project, role=Role.MEMBER)
        self.project, self.token = project.pk, tokens.issue(bob, project.pk)
        self.model = make.baymodel(project_id=project.pk)
        self.addCleanup(tokens.forget)
        self.ask("GET", "/clusters")  # from here on the token is known to this process

    def ask(self, method, path, body=None, **headers):
        send = getattr(self.client, method.lower())
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        return send(f"{BASE}{path}", headers={"X-Auth-Token": self.token, HEADER: LATEST, **headers}, **sent)

    def a_bay(self, status="CREATE_COMPLETE", **over):
        return make.bay(status, model=self.model, project_id=self.project, **over)

    def within(self, budget, method, path, body=None, *, lookups=1, expected=202, headers=None):
        """Check that a request needs at most its lookups, and in its one transaction `budget` statements."""
        with Statements() as statements:
            answer = self.ask(method, path, body, **(headers or {}))
        self.assertEqual(answer.status_code, expected, answer.content)
        shown = "\n".join(sql[:100] for sql in statements.work + statements.marks)
        self.assertLessEqual(len(statements.work), lookups + budget, shown)
        self.assertIn(statements.marks, ([], ["BEGIN", "COMMIT"], ["BEGIN", "ROLLBACK"]), shown)
        return len(statements.work)


class BudgetTests(BudgetCase):
    def test_an_accepting_request_costs_one_lookup_and_one_statement(self):
        body = {"cluster_template_id": str(self.model.pk)}
        self.within(6, "POST", "/clusters", body)  # and once in a project's life its quota is made
        self.within(1, "POST", "/clusters", body)
        self.within(1, "POST", f"/clusters/{self.a_bay().pk}/actions/resize", {"node_count": 2})
        patch = [{"op": "replace", "path": "/node_count", "value": 2}]
        self.within(1, "PATCH", f"/clusters/{self.a_bay().pk}", patch)
        self.within(1, "DELETE", f"/clusters/{self.a_bay().pk}", expected=204)
        self.within(1, "DELETE", f"/clusters/{self.a_bay('UPDATE_IN_PROGRESS').pk}", expected=204)

    def test_a_change_of_a_node_group_costs_its_lookups_and_four_statements(self):
        latest = {"OpenStack-API-Version": "container-infra latest"}

        def bay():
            row = self.a_bay(api_address="https://10.0.0.1:6443")
            return f"/clusters/{row.pk}", f"/clusters/{row.pk}/nodegroups/{make.nodegroup(row).pk}"

        path, _ = bay()
        self.within(4, "POST", f"{path}/nodegroups", {"name": "green"}, headers=latest)
        path, group = bay()
        body = {"node_count": 2, "nodegroup": group.rpartition("/")[2]}
        self.within(3, "POST", f"{path}/actions/resize", body, lookups=2)
        upgrade = {"cluster_template": str(self.model.pk)}
        self.within(1, "POST", f"{bay()[0]}/actions/upgrade", upgrade, lookups=2, headers=latest)
        patch = [{"op": "replace", "path": "/max_node_count", "value": 5}]
        self.within(4, "PATCH", bay()[1], patch, lookups=2, headers=latest)
        self.within(3, "DELETE", bay()[1], lookups=2, expected=204, headers=latest)

    def test_a_refused_request_costs_its_lookup(self):
        bay = self.a_bay("DELETE_IN_PROGRESS")
        self.within(0, "DELETE", f"/clusters/{bay.pk}", expected=409)
        self.within(0, "POST", "/clusters", {"cluster_template_id": str(uuid.uuid4())}, expected=400)

    def test_a_token_that_is_not_known_yet_costs_one_more(self):
        tokens.forget()
        self.within(0, "GET", "/clusters", lookups=2, expected=200)
        self.within(0, "GET", "/clusters", lookups=1, expected=200)

    def test_a_page_costs_the_same_whatever_its_length(self):
        for number in range(30):
            self.a_bay(name=f"b{number}")
        for path in ("/clusters", "/bays/detail", "/clustertemplates", "/operations"):
            for query, lookups in (("?limit=1", 1), ("", 1), ("?limit=2&sort_key=created_at", 1)):
                cost = self.within(0, "GET", path + query, lookups=lookups, expected=200)
                self.assertEqual(cost, lookups)
            first = self.ask("GET", f"{path}?limit=1").json()
            self.within(
                0,
                "GET",
                first.get("next", path).removeprefix(f"http://testserver{BASE}"),
                lookups=2,
                expected=200,
            )

    def test_showing_costs_its_lookup_and_an_operation_its_events_its_bay_and_what_is_known_of_others(self):
        bay = self.a_bay("CREATE_IN_PROGRESS")
        self.within(0, "GET", f"/clusters/{self.a_bay().pk}", expected=200)
        self.within(0, "GET", f"/clusters/{bay.pk}", lookups=3, expected=200)
        self.within(0, "GET", f"/operations/{bay.operation_id}", lookups=4, expected=200)

    def test_certificates_quotas_and_counts_cost_little(self):
        """An authority is made once in a bay's life, and never when the bay is accepted."""
        bay = self.a_bay()
        path = f"/certificates/{bay.pk}"
        self.within(0, "GET", path, lookups=4, expected=200)
        self.within(0, "GET", path, lookups=2, expected=200)
        self.within(
            0, "POST", "/certificates", {"cluster_uuid": str(bay.pk), "csr": csr()}, lookups=2, expected=201
        )
        self.within(2, "PATCH", path, lookups=2)
        self.within(0, "GET", "/stats", expected=200)
        self.within(0, "GET", f"/quotas/{self.project}/Cluster", expected=200)

    def test_a_bell_for_a_row_that_is_not_due_costs_one_statement(self):
        for bay in (self.a_bay(), self.a_bay("CREATE_IN_PROGRESS", watched=True)):
            with Statements() as statements:
                advance_bay(pk=str(bay.pk))
            self.assertEqual(len(statements.work), 1)

    def test_a_message_that_no_bell_of_ours_is_costs_nothing(self):
        answer: Any = advance_bay
        for pk in ("", "x", "1; DROP TABLE bays_bay", 5, None, ["x"]):
            with self.assertNumQueries(0):
                answer(pk=pk, forged=True)


class BrokerDownTests(BudgetCase):
    def test_the_broker_has_no_say_in_what_is_accepted(self):
        with broker_down():
            self.assertFalse(bell.ring(advance_bay, Bay()))
            self.assertGreater(bell._quiet_until, 0)
            body = {"cluster_template_id": str(self.model.pk)}
            for quiet_until in (0.0, bell._quiet_until):  # tried in vain, and not even tried
                bell._quiet_until = quiet_until
                self.within(6, "POST", "/clusters", body)
                self.within(1, "POST", f"/clusters/{self.a_bay().pk}/actions/resize", {"node_count": 2})
                self.within(1, "DELETE", f"/bays/{self.a_bay().pk}", expected=204)
        self.assertEqual(Bay.objects.filter(operation__isnull=False, holder=None, watched=False).count(), 6)
