"""Two and more sessions against each other on a real PostgreSQL, all let go at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import connection
from django.test import TransactionTestCase

T = TypeVar("T")
PATIENCE = 120.0  # seconds until who does not come to the gate fails all


class RaceTestCase(TransactionTestCase):
    """Rows are committed, and each racer has a database session of its own."""

    def race(self, *racers: Callable[[], T]) -> list[T | Exception]:
        """Run the racers at the same moment and return what each returned or raised, in their order."""
        gate = threading.Barrier(len(racers), timeout=PATIENCE)
        results: list[T | Exception] = [RuntimeError("did not run")] * len(racers)

        def run(number: int, racer: Callable[[], T]) -> None:
            try:
                connection.ensure_connection()
                gate.wait()
                results[number] = racer()
            except Exception as error:  # noqa: BLE001 - the result of the racer
                results[number] = error
            finally:
                connection.close()

        threads = [threading.Thread(target=run, args=item) for item in enumerate(racers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results


def raised(results: Sequence[object], kind: type[Exception]) -> list[Exception]:
    return [result for result in results if isinstance(result, kind)]
