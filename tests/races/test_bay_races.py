from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.db import OperationalError
from django.db.models.functions import Now

from api.problems import Conflict, OverQuota
from bays import actions, changing
from bays.actions import Wish
from bays.models import Bay, Quota
from bays.states import Status
from lifecycle import leases
from lifecycle.errors import StateConflict
from lifecycle.models import Event, Operation
from tests import make
from tests.races.base import RaceTestCase, raised

WIDTH = 16
ROUNDS = 5


class BayRaceTests(RaceTestCase):
    """One winner each; each loser is told which condition failed and what was found."""

    def setUp(self) -> None:
        self.caller = make.caller()

    def settled(self, number: int = 0) -> Bay:
        return make.bay(Status.CREATE_COMPLETE, name=f"bay{number}", model=make.baymodel())

    def resize(self, bay: Bay, count: int) -> Bay:
        return changing.resize(self.caller, "", Bay.objects.get(pk=bay.pk), count, sent={"node_count": count})

    def delete(self, bay: Bay) -> Bay:
        return actions.delete(self.caller, "", Bay.objects.get(pk=bay.pk))

    def assert_one_winner(self, results: list[Bay | Exception], found: str) -> Bay:
        winners = [result for result in results if isinstance(result, Bay)]
        losers = raised(results, StateConflict)
        self.assertEqual((len(winners), len(losers)), (1, len(results) - 1), results)
        for loser in losers:
            self.assertIn(f"whose status is {found}: the status must be one of", str(loser))
        return winners[0]

    def test_sixteen_deletes_have_one_winner(self) -> None:
        for number in range(ROUNDS):
            bay = self.settled(number)
            results = self.race(*[partial(self.delete, bay)] * WIDTH)
            self.assert_one_winner(results, "DELETE_IN_PROGRESS")
            self.assertEqual(Operation.objects.filter(resource_id=bay.pk, action="delete").count(), 1)
            self.assertEqual(Event.objects.filter(resource_id=bay.pk, event="delete").count(), 1)

    def test_sixteen_updates_have_one_winner_and_its_count_stays(self) -> None:
        for number in range(ROUNDS):
            bay = self.settled(number)
            results = self.race(*(partial(self.resize, bay, count) for count in range(2, 2 + WIDTH)))
            winner = self.assert_one_winner(results, "UPDATE_IN_PROGRESS")
            row = Bay.objects.get(pk=bay.pk)
            operation = Operation.objects.get(resource_id=bay.pk, action="update")
            self.assertEqual(row.node_count, winner.node_count)
            self.assertEqual(operation.params, {"node_count": winner.node_count})
            self.assertEqual(row.operation_id, operation.pk)

    def test_a_delete_against_updates_ends_in_a_delete(self) -> None:
        """A delete may overtake an update; an update never overtakes a delete."""
        for number in range(ROUNDS):
            bay = self.settled(number)
            updates = [partial(self.resize, bay, 5)] * (WIDTH - 1)
            *resized, deleted = self.race(*updates, partial(self.delete, bay))
            self.assertIsInstance(deleted, Bay)
            self.assertLessEqual(sum(isinstance(result, Bay) for result in resized), 1)
            self.assertEqual(
                len(raised(resized, StateConflict)) + sum(isinstance(r, Bay) for r in resized), WIDTH - 1
            )
            self.assertEqual(Bay.objects.get(pk=bay.pk).status, Status.DELETE_IN_PROGRESS)
            states = set(
                Operation.objects.filter(resource_id=bay.pk, action="update").values_list("state", flat=True)
            )
            self.assertLessEqual(states, {"SUPERSEDED"})

    def test_sixteen_creates_against_a_quota_of_five_give_five(self) -> None:
        model = make.baymodel()
        Quota.objects.create(project_id=make.PROJECT, hard_limit=5)
        wish = Wish(baymodel=str(model.pk))
        results = self.race(*[partial(actions.create, self.caller, "", wish)] * WIDTH)
        self.assertEqual(len(raised(results, OverQuota)), WIDTH - 5, results)
        self.assertEqual((Bay.objects.count(), Quota.objects.get().used), (5, 5))
        self.assertEqual(Operation.objects.count(), 5)
        self.assertIn("its limit is 5", str(raised(results, OverQuota)[0]))

    def test_the_first_creates_of_a_project_make_one_quota(self) -> None:
        model = make.baymodel()
        wish = Wish(baymodel=str(model.pk))
        results = self.race(*[partial(actions.create, self.caller, "", wish)] * 8)
        self.assertEqual(sum(isinstance(result, Bay) for result in results), 8, results)
        self.assertEqual(Quota.objects.get().used, 8)

    def test_sixteen_claims_have_one_winner(self) -> None:
        model = make.baymodel()
        for number in range(ROUNDS):
            bay = make.bay(name=f"bay{number}", model=model)
            results = self.race(*[partial(leases.claim, Bay, bay.pk)] * WIDTH)
            self.assertEqual(raised(results, OperationalError), [])
            self.assertEqual(sum(result is not None for result in results), 1)
            self.assertEqual(Bay.objects.get(pk=bay.pk).epoch, 1)

    def test_sixteen_ticks_take_each_due_row_once(self) -> None:
        model = make.baymodel()
        bays = {
            make.bay(name=f"bay{number}", model=model, project_id=f"p{number}").pk for number in range(40)
        }
        hour = {"not_before": Now() + timedelta(hours=1)}
        take = partial(leases.take_slice, Bay, leases.due(), limit=10, values=hour)
        results = self.race(*[take] * WIDTH)
        taken = [row.pk for rows in results if isinstance(rows, list) for row in rows]
        self.assertEqual(raised(results, Exception), [])
        self.assertEqual((len(taken), set(taken) <= bays), (len(set(taken)), True))
        self.assertGreaterEqual(len(taken), 10)

    def test_a_baymodel_deleted_against_a_create_leaves_no_bay_without_one(self) -> None:
        for number in range(ROUNDS):
            model = make.baymodel(name=f"model{number}")
            wish, pk = Wish(baymodel=str(model.pk)), model.pk
            create = partial(actions.create, self.caller, "", wish)
            outcome = self.race(create, partial(actions.delete_baymodel, model))
            won = isinstance(outcome[0], Bay)
            self.assertEqual(Bay.objects.filter(baymodel_id=pk).count(), int(won), outcome)
            self.assertTrue(won or outcome[1] is None, outcome)

    def test_a_baymodel_never_changes_under_a_bay_that_is_being_born(self) -> None:
        """Whoever adds a child keeps the parent: the change sees the bay, or the bay sees the change."""
        for number in range(ROUNDS):
            model = make.baymodel(name=f"model{number}", image_id="old")
            wish = Wish(baymodel=str(model.pk))
            change = partial(actions.update_baymodel, self.caller, model, {"image_id": "new"})
            born, changed = self.race(partial(actions.create, self.caller, "", wish), change)
            assert isinstance(born, Bay), born
            refused = isinstance(changed, Conflict)
            self.assertEqual(born.baymodel.image_id, "old" if refused else "new", changed)
