"""How long work stands still when who does it is killed with -9, over many kills, on three nodes.

Long copies are always under way. A process that holds one is killed; the time runs until the row is claimed again, by
whichever process. Workers take seconds to start anew, so that of three at most one is down at a time.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg2

from bench.report import Figure, Report, percentile
from bench.volumes import BASE, Bench, create
from deploy.demo_volumes import CONNECTOR
from deploy.stack import Stack
from deploy.state import StartError

TYPE = "slow-copies"
DENSE = 96 * 2**20  # bytes to copy, at 32 MiB a second
COPIES = 6  # under way at once
PATIENCE = 60.0
LOOK = 0.005


@dataclass(frozen=True, slots=True)
class Hit:
    """A row whose holder is about to be killed."""

    row: str
    epoch: int
    node: str
    pid: int


class TakeOvers:
    """A stack of three nodes, its rows as the database has them, and copies that never end."""

    def __init__(self, running: Stack) -> None:
        self._stack = running
        self._bench = Bench(running)
        self._client = self._bench.client()
        self._admin = Bench(running, "admin").client()
        self._connection = psycopg2.connect(running.env["DATABASE_URL"])
        self._connection.autocommit = True
        self._source = self._make_source()
        self._random = random.Random(1)  # noqa: S311 - who is hit next

    def measure(self, report: Report, kills: int) -> None:
        """Kill in turn a child of a worker and a whole worker, `kills` times in all."""
        found: dict[str, list[float]] = {"child": [], "worker": []}
        for number, what in enumerate(itertools.islice(itertools.cycle(found), kills)):
            if number % 10 == 0:
                self._remove_copies()
            found[what].append(self._kill(what))
        for what, seconds in found.items():
            self._tell(report, f"take-over, {what} killed", seconds)
        self._tell(report, f"take-over, all {kills} kills", [*found["child"], *found["worker"]])
        self._end()

    def _tell(self, report: Report, what: str, seconds: list[float]) -> None:
        both = percentile(seconds, 0.5) * 1000, percentile(seconds, 0.99) * 1000
        report.add(Figure(what, None, *both, note=f"{len(seconds)} kills, max {max(seconds) * 1000:.0f} ms"))

    def _kill(self, what: str) -> float:
        hit = self._choose(whole=what == "worker")
        os.kill(self._worker_of(hit) if what == "worker" else hit.pid, signal.SIGKILL)
        began = time.monotonic()
        self._await(lambda: self._is_held_again(hit), f"{hit} was taken over")
        return time.monotonic() - began

    def _choose(self, *, whole: bool) -> Hit:
        """Return a row that is held, once every node has a worker."""
        self._await(lambda: len(self._workers()) == len(self._stack.urls), "every node had its worker")
        hits: list[Hit] = []

        def there() -> bool:
            self._keep_copying()
            hits[:] = self._held()
            return bool(hits)

        self._await(there, "a row was held")
        hit = self._random.choice(hits)
        return hit if not whole or self._worker_of(hit) else self._choose(whole=whole)

    def _held(self) -> list[Hit]:
        rows = self._ask(
            "SELECT id::text, epoch, holder_id::text, holder_pid FROM volumes_volume "
            "WHERE status = 'creating' AND holder_id IS NOT NULL AND claimed_at < now() - interval '50 milliseconds'"
        )
        return [Hit(*row) for row in rows]

    def _is_held_again(self, hit: Hit) -> bool:
        rows = self._ask("SELECT epoch, holder_id FROM volumes_volume WHERE id = %s", hit.row)
        return not rows or rows[0][0] > hit.epoch

    def _workers(self) -> list[str]:
        alive = "SELECT id::text FROM lifecycle_node WHERE kind = 'worker' AND stopped_at IS NULL AND pid = ANY(%s)"
        pids = [pid for name, pid in self._stack.pids().items() if name.endswith(".worker")]
        return [row[0] for row in self._ask(alive, pids)]

    def _worker_of(self, hit: Hit) -> int:
        rows = self._ask("SELECT pid FROM lifecycle_node WHERE id = %s AND stopped_at IS NULL", hit.node)
        return int(rows[0][0]) if rows else 0

    # --- the copies -----------------------------------------------------------------------------------------
    def _make_source(self) -> str:
        types = self._admin.ask("GET", f"{BASE}/types")["volume_types"]
        if not any(each["name"] == TYPE for each in types):
            body = {"volume_type": {"name": TYPE, "extra_specs": {"volume_backend_name": "slow"}}}
            self._admin.ask("POST", f"{BASE}/types", body)
        source = str(create(self._client, volume_type=TYPE, size=1)["volume"]["id"])
        self._bench.await_no_more("volumes", "creating")
        path = f"{BASE}/volumes/{source}/action"
        made = self._client.ask("POST", path, {"os-initialize_connection": {"connector": CONNECTOR}})
        with open(made["connection_info"]["data"]["device_path"], "r+b") as file:  # noqa: PTH123 - a device
            file.write(os.urandom(DENSE))
        self._client.ask("POST", path, {"os-terminate_connection": {"connector": CONNECTOR}})
        snapshot = {"snapshot": {"volume_id": source, "name": "bench"}}
        taken = str(self._client.ask("POST", f"{BASE}/snapshots", snapshot)["snapshot"]["id"])
        self._bench.await_no_more("snapshots", "creating")
        return taken

    def _keep_copying(self) -> None:
        """Have COPIES copies under way."""
        for _ in range(COPIES - len(self._copies("creating"))):
            create(self._client, snapshot_id=self._source, volume_type=TYPE, size=1)

    def _remove_copies(self) -> None:
        for done in self._copies("available"):
            self._client.ask("DELETE", f"{BASE}/volumes/{done}")

    def _copies(self, status: str) -> list[str]:
        rows = self._ask(
            "SELECT id::text FROM volumes_volume WHERE status = %s AND snapshot_id = %s", status, self._source
        )
        return [row[0] for row in rows]

    def _end(self) -> None:
        self._await(lambda: not self._copies("creating"), "the last copies were done")
        self._remove_copies()
        self._connection.close()

    def _ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def _await(self, there: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not there():
            if time.monotonic() > end:
                raise StartError(f"Waited {PATIENCE:.0f} s in vain until {what}.")
            time.sleep(LOOK)


def measure_take_overs(running: Stack, report: Report, kills: int) -> None:
    """Measure take-overs and leave nothing of them."""
    TakeOvers(running).measure(report, kills)
