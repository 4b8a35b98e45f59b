"""Rows that one bell stands for are claimed in turn, by any number of workers, each by one of them."""

from __future__ import annotations

from functools import partial

from django.db import transaction

from bays.models import Bay
from lifecycle import leases
from lifecycle.leases import Held
from lifecycle.models import Event
from tests import make
from tests.races.base import RaceTestCase

ROWS = 12
WIDTH = 8


class ClaimNextTests(RaceTestCase):
    def test_each_row_is_claimed_once_and_none_is_left(self):
        model = make.baymodel()
        for number in range(ROWS):
            make.bay(name=f"bay{number}", model=model)

        def claim_all() -> list[Held[Bay]]:
            found = []
            while (held := leases.claim_next(Bay)) is not None:
                found.append(held)
            return found

        results = self.race(*[claim_all] * WIDTH)
        claimed = [held.row.pk for found in results if isinstance(found, list) for held in found]
        self.assertEqual(len(claimed), ROWS, results)
        self.assertEqual(set(claimed), set(Bay.objects.values_list("pk", flat=True)))
        self.assertEqual(set(Bay.objects.values_list("epoch", "attempts")), {(1, 1)})
        self.assertFalse(Event.objects.filter(event="take_over").exists())

    def test_nobody_waits_for_a_row_that_another_is_just_claiming(self):
        model = make.baymodel()
        first, second = (make.bay(name=name, model=model) for name in ("first", "second"))
        with transaction.atomic():
            Bay.objects.select_for_update().get(pk=first.pk)
            (held,) = self.race(partial(leases.claim_next, Bay))
        assert isinstance(held, Held)
        self.assertEqual(held.row.pk, second.pk)
