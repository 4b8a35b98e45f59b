"""Why `lifecycle.swap` refuses what it refuses: each of these looks like a compare-and-swap and is none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.test import TransactionTestCase

from bays.models import Bay
from bays.states import Status
from lifecycle.models import Operation
from lifecycle.swap import swap
from tests import make
from tests.races.requests import WAITING

Update = Callable[[], int]


class UnsafeSwapTests(TransactionTestCase):
    """Two sessions update one row; the second waits for the first one's lock and goes on after its commit."""

    def setUp(self) -> None:
        self.bay = make.bay()

    def winners(self, update: Update, undo_condition: Callable[[], object]) -> int:
        """Return how many of two simultaneous updates wrote the row."""
        written: list[int] = []

        def second() -> None:
            written.append(update())
            connection.close()

        with transaction.atomic():
            written.append(update())
            undo_condition()
            thread = threading.Thread(target=second)
            thread.start()
            self.await_a_session_that_waits_for_a_lock()
        thread.join()
        return sum(written)

    def await_a_session_that_waits_for_a_lock(self) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with connection.cursor() as cursor:
                cursor.execute(WAITING)
                if cursor.fetchone()[0]:
                    return
        self.fail("the second session did not wait for the first one's lock")

    def finish_the_operation(self) -> None:
        Operation.objects.update(state="COMPLETE", finished_at=self.bay.created_at)

    def test_conditions_on_the_row_itself_let_one_session_win(self) -> None:
        def update() -> int:
            values = {"status": Status.DELETE_IN_PROGRESS}
            return int(swap(Bay, pk=self.bay.pk, status=Status.CREATE_IN_PROGRESS, values=values) is not None)

        self.assertEqual(self.winners(update, lambda: None), 1)

    def test_a_condition_over_a_relation_lets_both_win(self) -> None:
        def update() -> int:
            rows = Bay.objects.filter(pk=self.bay.pk, operation__state="IN_PROGRESS")
            return rows.update(status_reason="won")

        self.assertEqual(self.winners(update, self.finish_the_operation), 2)

    def test_a_subquery_of_keys_lets_both_win(self) -> None:
        def update() -> int:
            rows = Bay.objects.filter(pk__in=Bay.objects.filter(status=Status.CREATE_IN_PROGRESS))
            return rows.update(status=Status.DELETE_IN_PROGRESS)

        self.assertEqual(self.winners(update, lambda: None), 2)

    def test_exists_lets_both_win(self) -> None:
        def update() -> int:
            is_open = Operation.objects.filter(pk=OuterRef("operation_id"), finished_at=None)
            return Bay.objects.filter(Exists(is_open), pk=self.bay.pk).update(status_reason="won")

        self.assertEqual(self.winners(update, self.finish_the_operation), 2)
