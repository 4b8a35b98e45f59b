"""A session of its own, of which a test decides what it does next: for orders that no luck would bring about."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connection, transaction

T = TypeVar("T")


class Session:
    """One thread with its connection; a transaction that it begins stays open until it commits."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._open: list[Any] = []

    def do(self, what: Callable[[], T]) -> T:
        return self._thread.submit(what).result(60)

    def begin(self) -> None:
        """Begin a transaction, and have it numbered."""

        def begin() -> None:
            self._open.append(transaction.atomic())
            self._open[-1].__enter__()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()")

        self.do(begin)

    def commit(self) -> None:
        self.do(lambda: self._open.pop().__exit__(None, None, None))

    def roll_back(self) -> None:
        error = RuntimeError("rolled back")
        self.do(lambda: self._open.pop().__exit__(RuntimeError, error, None))

    def close(self) -> None:
        while self._open:
            self.roll_back()
        self.do(lambda: connection.close())  # noqa: PLW0108 - it is that of the thread
        self._thread.shutdown()
