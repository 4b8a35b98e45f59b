"""Who has waited for a row too long is told to come back, and nothing of what was asked for has happened."""

from __future__ import annotations

import json
from functools import partial

from django.db import transaction

from bays.models import Bay
from lifecycle.models import Operation
from tests import make
from tests.races.requests import RequestRaceTestCase


class PatienceTests(RequestRaceTestCase):
    def test_a_request_that_waits_for_a_row_too_long_is_to_be_made_again(self) -> None:
        bay = make.bay("CREATE_COMPLETE", model=self.model, project_id=self.projects["blue"].pk)
        delete = partial(self.ask, "DELETE", f"/clusters/{bay.pk}")
        with transaction.atomic():
            Bay.objects.select_for_update().get(pk=bay.pk)
            answer = self.in_background(self.impatient(delete))()
        self.assertEqual((answer.status_code, answer["Retry-After"]), (503, "1"))
        self.assertIn("for too long", json.loads(answer.content)["errors"][0]["detail"])
        bay.refresh_from_db()
        self.assertEqual(
            (bay.status, Operation.objects.filter(action="delete").count()), ("CREATE_COMPLETE", 0)
        )
        self.assertEqual(delete().status_code, 204)
