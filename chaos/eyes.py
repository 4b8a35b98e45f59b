"""What the harness sees of the rows, past the links: who holds them now, and when what was lost is taken up again.

A row whose holder was struck is looked at every 20 ms, until another claim has raised its epoch or its holder has ended
its step after all.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import psycopg2

EVERY = 0.02  # seconds between two looks
PATIENCE = 60.0  # seconds until a row that nobody takes up is called lost from sight
MOST = 5  # blows that are aimed at one row's holders: its work must not rightly be given up
OPTIONS = "-c statement_timeout=2000 -c default_transaction_read_only=on"


@dataclass(frozen=True, slots=True)
class Row:
    """A row under a lease, as it was seen."""

    table: str
    pk: str
    epoch: int
    operation: str
    pid: int
    status: str


@dataclass
class Watch:
    """Rows whose holder was struck at a moment, and what became of each."""

    rows: Sequence[Row]
    since: int  # monotonic, in nanoseconds
    ended: threading.Event = field(default_factory=threading.Event)
    found: dict[str, dict[str, Any]] = field(default_factory=dict)

    def told(self) -> list[dict[str, Any]]:
        """Return for each row how many seconds it took; None: it was not taken up while we looked."""
        never = {"seconds": None, "how": "never"}
        return [{"resource": row.pk, "was": row.status, **self.found.get(row.pk, never)} for row in self.rows]


class Eyes:
    """Looks, from a thread of its own, for as long as the block lasts."""

    def __init__(self, database_url: str, tables: Sequence[str]) -> None:
        self._url = database_url
        self._tables = list(tables)
        self._lock = threading.Lock()
        self._mine: Any = None  # the connection of whoever asks
        self._watches: list[Watch] = []
        self._over = threading.Event()
        self._aimed: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="eyes", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def held(self, pids: Collection[int] | None = None) -> list[Row]:
        """Return the rows that are held, by these processes or by any; none while the database does not answer."""
        which = "holder_id IS NOT NULL" if pids is None else "holder_pid = ANY(%(pids)s)"
        query = " UNION ALL ".join(
            f"SELECT '{table}', id::text, epoch, operation_id::text, holder_pid, status FROM {table} WHERE {which}"  # noqa: S608 - names of tables
            for table in self._tables
        )
        with self._lock:
            try:
                if self._mine is None:
                    self._mine = self._connect()
                return [Row(*row) for row in _ask(self._mine, query, {"pids": list(pids or [])})]
            except psycopg2.Error:
                self._mine = None
                return []

    def busy(self) -> dict[str, int]:
        """Return how many rows are owed work, by table and status.

        :raises psycopg2.Error: the database does not answer.
        """
        query = " UNION ALL ".join(
            f"SELECT '{table} ' || status, count(*) FROM {table} WHERE operation_id IS NOT NULL GROUP BY 1"  # noqa: S608 - names of tables
            for table in self._tables
        )
        connection = self._connect()
        try:
            return dict(_ask(connection, query))
        finally:
            connection.close()

    def aim(self, pids: Collection[int], patience: float) -> None:
        """Return when one of the processes holds a row that was not struck too often, or the patience has ended."""
        end = time.monotonic() + patience
        while time.monotonic() < end and not any(
            self._aimed[row.operation] < MOST for row in self.held(pids)
        ):
            self._over.wait(EVERY)

    def may_strike(self, rows: Sequence[Row]) -> bool:
        """Tell whether none of the rows was struck too often, and count this blow."""
        if any(self._aimed[row.operation] >= MOST for row in rows):
            return False
        self._aimed.update(row.operation for row in rows)
        return True

    def watch(self, rows: Sequence[Row]) -> Watch:
        """Look from now on at when the rows are taken up."""
        found = Watch(rows, time.monotonic_ns())
        if rows:
            self._watches.append(found)
        else:
            found.ended.set()
        return found

    def _run(self) -> None:
        connection = None
        while not self._over.wait(EVERY):
            if not self._watches:
                continue
            try:
                connection = connection or self._connect()
                for watch in list(self._watches):
                    self._look(connection, watch)
            except psycopg2.Error:
                connection = None
            self._end()
        for watch in self._watches:
            watch.ended.set()

    def _look(self, connection: Any, watch: Watch) -> None:
        for table in {row.table for row in watch.rows}:
            rows = [row for row in watch.rows if row.table == table and row.pk not in watch.found]
            let_go = "holder_id IS NULL AND taken_from IS NULL"  # by its holder, not from one that was lost
            query = f"SELECT id::text, epoch, operation_id::text, {let_go} FROM {table} WHERE id = ANY(%(pks)s::uuid[])"  # noqa: S608 - a table's name
            now = {pk: rest for pk, *rest in _ask(connection, query, {"pks": [row.pk for row in rows]})}
            seconds = round((time.monotonic_ns() - watch.since) / 1e9, 3)
            for row in rows:
                epoch, operation, rested = now.get(row.pk, (row.epoch, None, True))
                if epoch > row.epoch or operation != row.operation or rested:
                    how = "claimed" if epoch > row.epoch else "over"
                    watch.found[row.pk] = {"seconds": seconds, "how": how}

    def _end(self) -> None:
        late = time.monotonic_ns() - PATIENCE * 1e9
        for watch in list(self._watches):
            if len(watch.found) == len(watch.rows) or watch.since < late:
                self._watches.remove(watch)
                watch.ended.set()

    def _connect(self) -> Any:
        connection = psycopg2.connect(self._url, connect_timeout=2, options=OPTIONS)
        connection.autocommit = True
        return connection


def _ask(connection: Any, query: str, values: dict[str, object] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values or {})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
