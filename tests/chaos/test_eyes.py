"""What the chaos harness sees of rows under leases, on committed rows and through a connection of its own."""

from __future__ import annotations

import os
from datetime import timedelta

from django.db.models.functions import Now
from django.test import TransactionTestCase

from bays.models import Bay
from chaos.eyes import MOST, Eyes, Row
from lifecycle import leases
from lifecycle.models import Node
from lifecycle.requests import Asked
from tests import make
from tests.faults.nodes import database_url
from workers.bootsteps import leased_models

ASKED = Asked("u" * 32, make.PROJECT)
PATIENCE = 20.0


class EyesTests(TransactionTestCase):
    def setUp(self) -> None:
        make.node()
        self.eyes = self.enterContext(
            Eyes(database_url(), [model._meta.db_table for model in leased_models()])
        )
        self.bay = make.bay()

    def _take(self) -> leases.Held[Bay]:
        held = leases.claim(Bay, self.bay.pk)
        assert held is not None
        return held

    def test_it_sees_who_holds_what(self) -> None:
        self.assertEqual(self.eyes.held([os.getpid()]), [])
        self._take()
        (row,) = self.eyes.held([os.getpid()])
        self.assertEqual((row.pk, row.epoch, row.pid), (str(self.bay.pk), 1, os.getpid()))
        self.assertEqual(self.eyes.held([1]), [])
        self.assertEqual(len(self.eyes.held()), 1)

    def test_it_sees_when_a_lost_row_is_claimed_by_another(self) -> None:
        self._take()
        watch = self.eyes.watch(self.eyes.held())
        self.assertFalse(watch.ended.wait(0.1))
        Bay.objects.update(lease_until=Now() - timedelta(seconds=1))
        self._take()
        self.assertTrue(watch.ended.wait(PATIENCE))
        (told,) = watch.told()
        self.assertEqual((told["resource"], told["how"]), (str(self.bay.pk), "claimed"))
        self.assertGreaterEqual(told["seconds"], 0.1)

    def test_it_sees_when_the_work_is_over(self) -> None:
        held = self._take()
        watch = self.eyes.watch(self.eyes.held())
        leases.move(held, "create_failed", reason="for the test")
        self.assertTrue(watch.ended.wait(PATIENCE))
        self.assertEqual(watch.told()[0]["how"], "over")

    def test_it_sees_when_the_holder_lets_go_after_all_and_waits_on_when_it_was_given_up(self) -> None:
        held = self._take()
        watch = self.eyes.watch(self.eyes.held())
        leases.give_up(Bay, held.node_id, why="for the test")
        self.assertFalse(watch.ended.wait(0.2))
        watch = self.eyes.watch([self.eyes_row(self._take())])
        leases.rest(leases.Held(Bay.objects.get(), held.node_id, 2), after=timedelta(hours=1))
        self.assertTrue(watch.ended.wait(PATIENCE))
        self.assertEqual(watch.told()[0]["how"], "over")

    def eyes_row(self, held: leases.Held[Bay]) -> Row:
        (row,) = self.eyes.held()
        self.assertEqual(row.epoch, held.epoch)
        return row

    def test_it_says_never_of_what_nobody_takes_up(self) -> None:
        self._take()
        watch = self.eyes.watch(self.eyes.held())
        self.eyes.__exit__()
        self.assertTrue(watch.ended.is_set())
        self.assertEqual([row["seconds"] for row in watch.told()], [None])

    def test_no_row_is_struck_too_often(self) -> None:
        self._take()
        rows = self.eyes.held()
        self.assertEqual([self.eyes.may_strike(rows) for _ in range(MOST + 1)], [True] * MOST + [False])

    def test_it_counts_what_is_owed(self) -> None:
        self.assertEqual(self.eyes.busy(), {"bays_bay CREATE_IN_PROGRESS": 1})
        leases.move(self._take(), "create_failed", reason="for the test")
        self.assertEqual(self.eyes.busy(), {})
        self.assertTrue(Node.objects.exists())
