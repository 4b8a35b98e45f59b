"""Waiting for operations: bounded, cheap, and let go by a process that ends."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models.functions import Now
from django.test import TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext

from api import waiting
from api.waiting import CROWDED, DRAINS, wait_for
from lifecycle import local
from lifecycle.models import Operation
from tests import make
from tests.faults.listening import await_

LONG = 60


def an_operation():
    make.bay("CREATE_IN_PROGRESS")
    return Operation.objects.get()


class WaitTests(TransactionTestCase):
    def setUp(self):
        self.operation = an_operation()
        self.addCleanup(self.await_rest)

    def await_rest(self):
        """Return when nobody looks any more, whose connection would keep the database."""
        for thread in threading.enumerate():
            if thread.name == "operations":
                thread.join(LONG)

    def waiter(self, seconds=LONG, operation=None) -> tuple[threading.Thread, list[Any]]:
        """Return a thread that waits, and where it puts what it was told."""
        told: list[Any] = []
        ident = (operation or self.operation).pk

        def run():
            try:
                told.append(wait_for(Operation.objects.get(pk=ident), seconds))
            finally:
                connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread, told

    @contextmanager
    def waits(self, number, seconds=LONG):
        """Have so many wait for the block, and end with it."""
        threads = [self.waiter(seconds) for _ in range(number)]
        await_(
            lambda: sum(len(events) for events in waiting.waiters._waiting.values()) >= number, "they wait"
        )
        yield [told for _, told in threads]
        for thread, _ in threads:
            thread.join(LONG / 2)  # who is let go only when its time is over has not been let go

    def cut_off(self):
        """End the connection of the thread that looks, as a restart of the server would; return how many were."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database() AND query LIKE '%finished_at\" IS NULL%'"
            )
            return cursor.fetchone()[0]

    def end(self):
        Operation.objects.update(state="COMPLETE", finished_at=Now())

    def test_all_who_wait_are_told_as_soon_as_it_is_over_by_one_thread(self):
        with override_settings(OPERATION_WAITERS=3), self.waits(3) as told:
            self.assertEqual([t.name for t in threading.enumerate()].count("operations"), 1)
            self.end()
        self.assertEqual(told, [[None]] * 3)

    def test_who_has_waited_long_enough_is_told_so(self):
        thread, told = self.waiter(seconds=0.1)
        thread.join(LONG)
        self.assertIn("not over after", told[0])

    def test_what_is_over_is_not_waited_for(self):
        self.end()
        self.operation.refresh_from_db()
        with CaptureQueriesContext(connection) as statements:
            self.assertIsNone(wait_for(self.operation, LONG))
        self.assertEqual(len(statements), 0)

    def test_no_more_wait_than_may_and_the_others_are_answered_at_once(self):
        with override_settings(OPERATION_WAITERS=1), self.waits(1) as told:
            self.assertEqual(wait_for(self.operation, 1), CROWDED)
            self.end()
        self.assertEqual(told, [[None]])
        with override_settings(OPERATION_WAITERS=1):  # and the seat is free again
            self.assertIsNone(wait_for(Operation.objects.get(), LONG))

    def test_a_process_that_ends_lets_go_whoever_waits(self):
        self.addCleanup(local._page.__setitem__, 8, 0)
        with override_settings(OPERATION_WAITERS=1), self.waits(1) as told:
            local.drain()
        self.assertEqual(told, [[DRAINS]])
        self.assertEqual(wait_for(self.operation, LONG), DRAINS)

    def test_the_look_goes_on_when_the_database_was_away(self):
        with override_settings(OPERATION_WAITERS=1), self.waits(1) as told:
            while not self.cut_off():  # the one that looks has not looked yet
                time.sleep(0.01)
            self.end()
        self.assertEqual(told, [[None]])

    def test_a_waiter_holds_no_transaction(self):
        with override_settings(OPERATION_WAITERS=1), self.waits(1):
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND state LIKE 'idle in transaction%'"
                )
                self.assertEqual(cursor.fetchone(), (0,))
            self.end()

    def test_another_operation_wakes_nobody(self):
        with override_settings(OPERATION_WAITERS=1), self.waits(1, seconds=10) as told:
            Operation.objects.create(
                resource_type="bay",
                resource_id=uuid.uuid4(),
                resource_name="x",
                project_id="p",
                user_id="u",
                action="create",
                state="COMPLETE",
                finished_at=Now(),
            )
        self.assertIn("not over", told[0][0])
