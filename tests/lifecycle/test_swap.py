from __future__ import annotations

from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.test import TestCase

from bays.models import Bay
from bays.states import Status
from lifecycle.errors import UnsafeSwap
from lifecycle.models import Event, Operation
from lifecycle.swap import swap, swap_many
from tests import make


class SwapTests(TestCase):
    def setUp(self) -> None:
        self.bay = make.bay()

    def test_it_writes_the_row_that_meets_the_conditions_and_returns_it(self) -> None:
        row = swap(
            Bay,
            pk=self.bay.pk,
            status=Status.CREATE_IN_PROGRESS,
            values={"epoch": F("epoch") + 1, "labels": {"a": "b"}},
        )
        assert row is not None
        self.assertEqual((row.pk, row.epoch, row.labels), (self.bay.pk, 1, {"a": "b"}))
        self.assertEqual(Bay.objects.get().epoch, 1)

    def test_it_returns_none_and_writes_nothing_if_a_condition_fails(self) -> None:
        row = swap(Bay, pk=self.bay.pk, status=Status.CREATE_COMPLETE, values={"epoch": 7})
        self.assertIsNone(row)
        self.assertEqual(Bay.objects.get().epoch, 0)

    def test_it_is_one_statement(self) -> None:
        with self.assertNumQueries(1):
            swap(Bay, pk=self.bay.pk, values={"epoch": 7})

    def test_it_refuses_conditions_and_values_that_reach_beyond_the_row(self) -> None:
        operations = Operation.objects.filter(state="IN_PROGRESS")
        event = Event.objects.filter(resource_id=OuterRef("pk"))
        unsafe: dict[str, tuple[list[Q], dict[str, object], dict[str, object]]] = {
            "a relation's column": ([], {"operation__state": "IN_PROGRESS"}, {}),
            "a relation's column in a Q": ([Q(baymodel__coe="demo") | Q(epoch=0)], {}, {}),
            "a subquery of keys": ([], {"pk__in": Bay.objects.filter(epoch=0)}, {}),
            "a foreign key in a subquery": ([], {"operation__in": operations}, {}),
            "Exists": ([Q(Exists(event))], {}, {}),
            "a negated Exists": ([~Q(Exists(event))], {}, {}),
            "a value out of a subquery": ([], {}, {"status_reason": Subquery(event.values("reason")[:1])}),
        }
        for what, (conditions, filters, values) in unsafe.items():
            with self.subTest(what), self.assertRaises(UnsafeSwap):
                swap_many(Bay, *conditions, values={"epoch": 7, **values}, **filters)
        self.assertEqual(Bay.objects.get().epoch, 0)
