"""If-Match against writers who have seen the same: one of them wins, and the others are told to look again."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.db.models.functions import Now

from bays.models import Bay, BayModel
from bays.states import Status
from lifecycle.models import Operation
from lifecycle.swap import swap
from tests import make
from tests.races.requests import WIDTH, RequestRaceTestCase

ROUNDS = 5


class IfMatchRaceTests(RequestRaceTestCase):
    def a_bay(self, status: str = Status.CREATE_COMPLETE) -> Bay:
        return make.bay(status, model=self.model, project_id=self.projects["blue"].pk)

    def tag(self, path: str) -> dict[str, str]:
        return {"If-Match": self.ask("GET", path)["ETag"]}

    def test_sixteen_updates_of_what_all_have_seen_have_one_winner(self) -> None:
        for _ in range(ROUNDS):
            bay = self.a_bay()
            path = f"/clusters/{bay.pk}"
            patches = (
                [{"op": "replace", "path": "/node_count", "value": count}] for count in range(2, 2 + WIDTH)
            )
            tag = self.tag(path)
            answers = self.race(*(partial(self.ask, "PATCH", path, patch, **tag) for patch in patches))
            self.assertEqual(self.statuses(answers), [202] + [412] * (WIDTH - 1))
            self.assertEqual(Operation.objects.filter(resource_id=bay.pk, action="update").count(), 1)

    def test_sixteen_changes_of_a_baymodel_that_all_have_seen_have_one_winner(self) -> None:
        for _ in range(ROUNDS):
            path = f"/baymodels/{make.baymodel(project_id=self.projects['blue'].pk).pk}"
            patches = ([{"op": "replace", "path": "/name", "value": f"n{number}"}] for number in range(WIDTH))
            tag = self.tag(path)
            answers = self.race(*(partial(self.ask, "PATCH", path, patch, **tag) for patch in patches))
            self.assertEqual(self.statuses(answers), [200] + [412] * (WIDTH - 1))

    def test_a_change_of_a_baymodel_and_its_delete_do_not_both_win(self) -> None:
        for _ in range(ROUNDS):
            model = make.baymodel(project_id=self.projects["blue"].pk)
            path = f"/baymodels/{model.pk}"
            tag = self.tag(path)
            patch = [{"op": "replace", "path": "/name", "value": "new"}]
            changed, deleted = self.race(
                partial(self.ask, "PATCH", path, patch, **tag), partial(self.ask, "DELETE", path, **tag)
            )
            outcome = tuple(self.statuses([answer])[0] for answer in (changed, deleted))
            self.assertIn(outcome, {(200, 412), (404, 204)})
            self.assertEqual(BayModel.objects.filter(pk=model.pk).exists(), outcome == (200, 412))

    def test_a_write_that_comes_between_the_look_and_the_swap_is_not_passed_over(self) -> None:
        """The row stays in its status and under its operation: its time of change alone tells that it was written."""
        bay = self.a_bay(Status.CREATE_IN_PROGRESS)
        path = f"/clusters/{bay.pk}"
        with transaction.atomic():
            tag = self.tag(path)
            swap(Bay, pk=bay.pk, values={"status_reason": "no answer yet", "updated_at": Now()})
            delete = self.in_background(partial(self.ask, "DELETE", path, **tag))
        answer = delete()
        self.assertEqual(answer.status_code, 412, answer.content)
        self.assertEqual(Bay.objects.get(pk=bay.pk).status, Status.CREATE_IN_PROGRESS)
        self.assertEqual(self.ask("DELETE", path, **{"If-Match": answer["ETag"]}).status_code, 204)
