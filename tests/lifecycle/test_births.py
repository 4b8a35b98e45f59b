"""A resource is born with all that it needs, in one statement, or not at all."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.test import TestCase

from bays.models import Bay, Quota, unchanged
from lifecycle.errors import Unprovided
from lifecycle.models import Operation
from lifecycle.requests import Asked, birth
from tests import make

ASKED = Asked("u" * 32, make.PROJECT)


class BirthTests(TestCase):
    def setUp(self) -> None:
        self.model = make.baymodel()
        Quota.objects.create(project_id=make.PROJECT, hard_limit=1)

    def bear(self, **over: object) -> Bay:
        values = {"project_id": make.PROJECT, "user_id": "u", "name": "bay1", "baymodel": self.model}
        bay = Bay(**{**values, **over})
        birth(
            bay,
            "create",
            ASKED,
            name="bay1",
            provided=[unchanged(self.model), Quota.reservation(make.PROJECT)],
        )
        return bay

    def test_it_is_one_statement_and_fills_in_what_the_database_says(self) -> None:
        with self.assertNumQueries(3):  # a savepoint and its release around it, inside the test's transaction
            bay = self.bear(labels={"a": "%s"})
        stored = Bay.objects.get()
        for field in Bay._meta.concrete_fields:
            self.assertEqual(getattr(bay, field.attname), getattr(stored, field.attname), field.name)
        self.assertEqual(Operation.objects.get().pk, stored.operation_id)
        self.assertEqual(Quota.objects.get().used, 1)

    def test_without_what_it_needs_nothing_is_written(self) -> None:
        self.bear()
        with self.assertRaises(Unprovided):
            self.bear()
        self.assertEqual(
            (Bay.objects.count(), Operation.objects.count(), Quota.objects.get().used), (1, 1, 1)
        )

    def test_what_was_reserved_before_something_was_missing_is_given_back(self) -> None:
        bay = Bay(project_id=make.PROJECT, user_id="u", name="bay1", baymodel=self.model)
        changed = self.model
        type(changed).objects.filter(pk=changed.pk).update(updated_at=changed.created_at)
        provided = [Quota.reservation(make.PROJECT), unchanged(changed)]
        with self.assertRaises(Unprovided):
            birth(bay, "create", ASKED, name="bay1", provided=provided)
        self.assertEqual(Quota.objects.get().used, 0)

    def test_another_violation_is_not_taken_for_something_missing(self) -> None:
        Quota.objects.update(hard_limit=9)
        bay = self.bear()
        with self.assertRaises(IntegrityError), transaction.atomic():
            birth(
                Bay(id=bay.pk, project_id=make.PROJECT, user_id="u", name="x", baymodel=self.model),
                "create",
                ASKED,
                name="x",
            )
        nobody = {"user_id": None}
        with self.assertRaises(IntegrityError), transaction.atomic():
            self.bear(**nobody)
