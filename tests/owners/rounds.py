"""The synchronizer over many projects: one list call each, nobody's stacks but the owners', strays found."""

from __future__ import annotations

import uuid
from typing import Any
from unittest.mock import patch

from django.db.models.functions import Now

from bays import delegations
from bays.delegations import mark, sealed
from bays.models import Bay
from bays.states import Status
from clouds.heat import IDS_PER_CALL
from clouds.trusts import Trust
from lifecycle.models import Operation
from sync import stacks, trusts
from sync.invariants import violations
from sync.models import Stray
from sync.orphans import OWNERS_ORPHANS, remove_orphans_of_owners
from sync.stacks import DRIFT, MISSING
from sync.trusts import AGE, TRUSTS, Why, remove_trusts, strays
from tests import make
from tests.bays.base import Statements
from tests.clouds import settled, tiny_request
from tests.owners.base import SECOND, OwnersCase


class Round(OwnersCase):
    def lent(self, user, project) -> str:
        """Return a trust, of which any number of bays may make use here."""
        token = self.token(user, project)
        return delegations.trustee().delegate(
            token,
            trustor=self.users[user],
            project_id=self.projects[project],
            roles=["member", "reader"],
            mark="a test's",
        )

    def a_row(self, project, trust_id, status="CREATE_IN_PROGRESS", **over) -> Bay:
        pk = uuid.uuid4()
        bay = make.bay(status, model=self.model, id=pk, project_id=self.projects[project])
        told = {"stack_id": uuid.uuid4(), "delegation": sealed(pk, trust_id), **over}
        Bay.objects.filter(pk=pk).update(**told)
        return bay

    def test_bays_of_several_projects_cost_one_list_call_for_each_and_one_login(self):
        lent = {"demo": self.lent("demo", "demo"), "alt": self.lent("stranger", "alt")}
        for project, trust_id in lent.items():
            for _ in range(20):
                self.a_row(project, trust_id, watched=True, not_before=Now() - SECOND)
        self.a_row("demo", lent["demo"], delegation=None, watched=True, not_before=Now() - SECOND)
        self.proxy.calls.clear()
        stacks.watch()
        self.assertEqual(self.proxy.total(), 3, "demo's, alt's and the service project's")
        self.assertEqual(delegations.trustee().logins, 2)
        Bay.objects.update(not_before=Now() - SECOND)
        with Statements() as statements:
            stacks.watch()
        self.assertEqual((self.proxy.total(), delegations.trustee().logins), (6, 2), "tokens are kept")
        self.assertLessEqual(len(statements.work), 2 + 3)
        Bay.objects.update(not_before=Now() + 60 * SECOND)
        with Statements() as statements:
            stacks.watch()
        self.assertLessEqual(len(statements.work), 2, "an idle tick")
        self.assertEqual(self.proxy.total(), 6)

    def test_a_project_with_more_bays_than_a_call_takes_costs_one_more(self):
        mine, other = self.lent("demo", "demo"), self.lent("stranger", "alt")
        for _ in range(IDS_PER_CALL + 10):
            self.a_row("demo", mine, watched=True, not_before=Now() - SECOND)
            self.a_row("alt", other, watched=True, not_before=Now() - SECOND)
        self.proxy.calls.clear()
        stacks.watch()
        self.assertEqual(self.proxy.total(), 4)

    def test_any_delegation_of_a_project_that_works_lends_its_token(self):
        broken = self.lent("demo", "demo")
        self.there._ask("DELETE", f"/OS-TRUST/trusts/{broken}")
        good = self.lent("demo", "demo")
        for trust_id in (broken, broken, good):
            self.a_row("demo", trust_id, watched=True, not_before=Now() - SECOND)
        stacks.watch()
        self.assertEqual(
            Bay.objects.filter(watched=True).count(), 3, "in progress or gone, as far as is told"
        )
        self.assertEqual(self.proxy.total("GET", "stacks"), 1)

    def test_rounds_over_settled_and_missing_ones_are_grouped_alike(self):
        bays = [self.created(), self.created(user="stranger", project="alt")]
        self.proxy.calls.clear()
        self.a_round_begins(DRIFT)
        self.assertEqual((stacks.drift(), self.proxy.total()), (0, 2))
        for bay in bays:
            Bay.objects.filter(pk=bay.pk).update(**self.in_progress(bay))
        self.a_round_begins(MISSING)
        self.assertEqual((stacks.find_missing(), self.proxy.total()), (0, 4))

    def in_progress(self, bay) -> dict[str, Any]:
        operation = Operation.objects.create(
            resource_type="bay", resource_id=bay.pk, project_id=bay.project_id, action="update"
        )
        return {
            "status": Status.UPDATE_IN_PROGRESS,
            "operation": operation,
            "deadline_at": Now() + 600 * SECOND,
            "watched": True,
        }

    def test_orphans_in_an_owners_project_are_found_there_and_invariants_hold(self):
        bay = self.created()
        self.created(user="stranger", project="alt")
        self.assertEqual(list(violations(with_storage=False)), [])
        copied = self.heat("demo", "demo")
        request = tiny_request("roadstead", f"roadstead-bay-{bay.pk}")
        twin = copied.create(request)
        settled(copied, twin)
        self.assertTrue(list(violations(with_storage=False)))
        self.a_round_begins(OWNERS_ORPHANS)
        self.assertEqual(remove_orphans_of_owners(), 1)
        self.assertEqual(settled(copied, twin).state, "DELETE_COMPLETE")


class Strays(OwnersCase):
    def told(self, trust_id, bay_id, **over) -> Trust:
        values = {"trustor": "u", "trustee": "r", "project_id": "p", "mark": mark(bay_id), **over}
        return Trust(id=trust_id, **values)

    def test_only_what_is_proven_to_be_ours_and_unneeded_is_a_stray(self):
        kept, replaced, lost = (make.bay("CREATE_COMPLETE", model=self.model) for _ in range(3))
        for bay, trust_id in ((kept, "kept"), (replaced, "new")):
            Bay.objects.filter(pk=bay.pk).update(delegation=sealed(bay.pk, trust_id))
        Bay.objects.filter(
            pk=lost.pk
        ).delete()  # a database that is half restored has Operations, and no bays
        gone, unborn = uuid.uuid4(), uuid.uuid4()
        Operation.objects.create(
            resource_type="bay", resource_id=gone, action="delete", state="COMPLETE", finished_at=Now()
        )
        found = strays(
            [
                self.told("kept", kept.pk),
                self.told("old", replaced.pk),
                self.told("lost", lost.pk),
                self.told("gone", gone),
                self.told("unborn", unborn),
                self.told("forged", unborn, mark=f"{unborn}:{'0' * 64}"),
                self.told("another's", unborn, mark=None),
                self.told("odd", unborn, mark="x"),
            ]
        )
        self.assertEqual(found, {"old": Why.REPLACED, "gone": Why.DELETED, "unborn": Why.REFUSED})
        with self.settings(CERTIFICATE_KEYS=["x" * 32]):
            self.assertEqual(
                strays([self.told("old", replaced.pk)]), {}, "what cannot be read proves nothing"
            )

    def test_so_many_at_once_are_not_believed(self):
        unborn = [self.told(f"t{number}", uuid.uuid4()) for number in range(3)]
        with patch.object(type(delegations.trustee()), "trusts", lambda _: unborn):
            self.a_round_begins(TRUSTS)
            remove_trusts()
            Stray.objects.update(found_at=Now() - 2 * AGE)
            self.a_round_begins(TRUSTS)
            with patch.object(trusts, "BRAKE", 3), self.assertLogs("sync.trusts", "ERROR"):
                self.assertEqual(remove_trusts(), 0)

    def test_a_tick_between_rounds_costs_a_statement_and_no_call(self):
        self.a_round_begins(TRUSTS)
        remove_trusts()
        with Statements() as statements, self.settings(CLOUD_VARIABLES={}):
            remove_trusts()
        self.assertLessEqual(len(statements.work), 1)

    def test_what_was_a_stray_and_is_none_any_more_is_forgotten(self):
        Stray.objects.create(name="x" * 64)
        self.a_round_begins(TRUSTS)
        remove_trusts()
        self.assertEqual(Stray.objects.count(), 0)
