"""A bay that is accepted in one statement: the baymodel that a process remembers decides nothing by itself."""

from __future__ import annotations

import uuid
from datetime import timedelta
from unittest.mock import patch

from django.test import TransactionTestCase, override_settings

from bays import actions, tasks
from bays.models import Bay, BayModel, Quota
from bays.steps.bays import STEPS
from bays.tasks import advance_bay
from lifecycle import advance as advance_module
from lifecycle import local
from lifecycle.outcome import Watch
from tests import make
from tests.bays.base import BayCase, Statements
from workers import bell


@override_settings(CATALOG_CACHE=3600)
class RememberedTests(BayCase):
    """The baymodel was looked up before, and was changed since."""

    def setUp(self):
        super().setUp()
        self.forget()
        self.addCleanup(self.forget)
        self.model = self.a_model()
        Quota.objects.create(project_id=self.blue.pk)
        self.assertEqual(self.create().status_code, 202)

    def forget(self):
        actions._models._held.clear()
        actions._step_by_step._held.clear()

    def create(self, called=None, **headers):
        return self.post("/clusters", {"cluster_template_id": called or str(self.model.pk)}, **headers)

    def test_it_is_one_statement(self):
        with Statements() as statements:
            self.assertEqual(self.create().status_code, 202)
        (accepted,) = [sql for sql in statements.work if "bays_" in sql]
        self.assertTrue(accepted.startswith("WITH need_0"), accepted[:200])

    def test_a_baymodel_that_is_gone_by_now_is_refused(self):
        Bay.objects.all().delete()
        self.model.delete()
        self.refused(self.create(), 400, "could not be found")
        self.assertEqual((Bay.objects.count(), Quota.objects.get().used), (0, 1))

    def test_what_the_baymodel_says_by_now_is_what_the_bay_is_made_of(self):
        Bay.objects.all().delete()
        changed = BayModel.objects.get(pk=self.model.pk)
        actions.update_baymodel(make.caller("member", project=self.blue.pk), changed, {"flavor_id": "large"})
        made = self.create().json()["uuid"]
        self.assertEqual(Bay.objects.get(pk=made).flavor_id, "large")

    def test_a_baymodel_that_was_published_and_is_no_more_is_not_for_others(self):
        actions.update_baymodel(make.caller("admin", project=self.blue.pk), self.model, {"public": True})
        self.assertEqual(self.create(user="erin").status_code, 202)
        published = BayModel.objects.get(pk=self.model.pk)
        actions.update_baymodel(make.caller("admin", project=self.blue.pk), published, {"public": False})
        actions._step_by_step._held.clear()
        self.refused(self.create(user="erin"), 400, "could not be found")

    def test_a_name_that_two_bear_by_now_is_ambiguous(self):
        self.assertEqual(self.create(self.model.name).status_code, 202)
        self.a_model()
        self.refused(self.create(self.model.name), 409, "More than one")


class OneBellForManyTests(TransactionTestCase):
    """Bays that came fast share a bell: whoever answers passes it on before it waits for Heat."""

    def setUp(self):
        self.node = make.node()
        self.enterContext(patch.object(local, "node_id", self.node.pk))
        self.enterContext(patch.object(advance_module, "MOMENT", 3600.0))
        self.rung: list[uuid.UUID] = []
        self.enterContext(patch.object(bell, "ring", lambda task, row: self.rung.append(row.pk)))
        self.order: list[list[uuid.UUID]] = []
        self.enterContext(patch.object(tasks, "STEPS", dict.fromkeys(STEPS, self.step)))

    def step(self, held):
        self.order.append(list(self.rung))
        return Watch(after=timedelta(seconds=60))

    def test_it_is_passed_on_before_the_step_if_there_are_more(self):
        first, _ = make.bay(), make.bay()
        advance_bay(pk=str(first.pk))
        self.assertEqual(self.order, [[first.pk]])

    def test_for_a_bay_alone_no_other_bell_is_rung(self):
        advance_bay(pk=str(make.bay().pk))
        self.assertEqual((self.order, self.rung), ([[]], []))

    def test_the_others_are_taken_without_a_bell_of_their_own(self):
        bays = [make.bay() for _ in range(3)]
        advance_bay.apply(kwargs={"pk": str(bays[1].pk)}, task_id=str(uuid.uuid4()))
        self.assertEqual(len(self.order), 3)
        self.assertFalse(Bay.objects.filter(watched=False).exists())
