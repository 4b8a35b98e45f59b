"""How long Heat has been done before we show it, with its notifications and without: a real Heat and a real RabbitMQ.

One Heat notifies in either case; only in one of them do the nodes listen. That a stack is COMPLETE is read in Heat's
own database, that its bay is in ours, both again and again by the same process.
"""

from __future__ import annotations

import os
import time
from functools import partial

import psycopg2

from bench.bays import BASE, MODEL, remove
from bench.load import Client
from bench.report import Figure, Report, percentile
from bench.volumes import Bench
from deploy.heat import NOTIFIED
from deploy.servers import servers
from deploy.stack import Stack, stack
from deploy.state import DEFAULT, StartError, State

POLLS = (1, 10)  # seconds between two looks at a stack: the default, and a rare one
AT_ONCE = 4  # bays under way; Heat and the nodes share the machine
BOOT = 2  # seconds that each stack takes
LOOK = 0.005
PATIENCE = 120.0
HEAT = "SELECT id::text FROM stack WHERE status = 'COMPLETE' AND action = 'CREATE' AND id = ANY(%s)"
OURS = "SELECT stack_id::text FROM bays_bay WHERE status = 'CREATE_COMPLETE' AND id::text = ANY(%s)"
STACKS = "SELECT stack_id::text FROM bays_bay WHERE stack_id IS NOT NULL AND id::text = ANY(%s)"


def measure_notifications(report: Report, count: int, quota: dict[str, str]) -> None:
    """Measure each of the polls with and without, `count` bays each.

    :raises StartError: there is no RabbitMQ here, or something does not start.
    """
    heats, want = State(DEFAULT / "bench" / "heats"), {"rabbitmq"}
    with servers(heats, want=want, own=want) as running:
        os.environ[NOTIFIED] = url = str(running.env["BROKER_URL"])
        try:
            for poll in POLLS:
                for listening in (False, True):
                    told = {NOTIFIED: url if listening else "", "ROADSTEAD_HEAT_POLL": str(poll)}
                    with stack(
                        1,
                        state_dir=DEFAULT / "bench",
                        env=quota | told,
                        own={"postgres", "valkey", "heat"},
                        purpose="make bench",
                    ) as whole:
                        _measure(whole, report, count, poll, listening=listening)
        finally:
            del os.environ[NOTIFIED]


def _measure(running: Stack, report: Report, count: int, poll: int, *, listening: bool) -> None:
    client = Bench(running).client()
    made = client.ask("POST", f"{BASE}/clustertemplates", {**MODEL, "name": "told"})["uuid"]
    lags: list[float] = []
    while len(lags) < count:
        bays = [_make(client, made) for _ in range(min(AT_ONCE, count - len(lags)))]
        lags += _lags(running, [bay["uuid"] for bay in bays])
        remove(client, bays)
    client.ask("DELETE", f"{BASE}/clustertemplates/{made}")
    how = "with notifications" if listening else "without them"
    both = percentile(lags, 0.5) * 1000, percentile(lags, 0.99) * 1000
    note = f"{count} stacks, slowest {max(lags) * 1000:.0f} ms"
    report.add(Figure(f"lag, a look each {poll} s, {how}", None, *both, note=note))


def _make(client: Client, model: str) -> dict[str, str]:
    body = {
        "name": "told",
        "cluster_template_id": model,
        "node_count": 0,
        "labels": {"boot_seconds": str(BOOT)},
    }
    found: dict[str, str] = client.ask("POST", f"{BASE}/clusters", body)
    return found


def _lags(running: Stack, bays: list[str]) -> list[float]:
    """Return for how many seconds each stack was COMPLETE in Heat before its bay was here."""
    url = running.env["DATABASE_URL"]
    ours, heats = psycopg2.connect(url), psycopg2.connect(f"{url.rpartition('/')[0]}/heat")
    try:
        for link in (ours, heats):
            link.autocommit = True
        done, seen = dict[str, float](), dict[str, float]()
        end = time.monotonic() + PATIENCE
        while len(seen) < len(bays):
            if time.monotonic() > end:
                raise StartError(f"{len(bays) - len(seen)} bays were not complete after {PATIENCE:.0f} s.")
            stacks = _ask(ours, STACKS, bays)
            for at, found in (
                (done, partial(_ask, heats, HEAT, stacks)),
                (seen, partial(_ask, ours, OURS, bays)),
            ):
                told, now = found(), time.monotonic()
                at.update({stack_id: now for stack_id in told if stack_id not in at})
            time.sleep(LOOK)
    finally:
        ours.close()
        heats.close()
    return [seen[stack_id] - done[stack_id] for stack_id in seen]


def _ask(link: psycopg2.extensions.connection, sql: str, ids: list[str]) -> list[str]:
    with link.cursor() as cursor:
        cursor.execute(sql, [ids])
        return [row[0] for row in cursor.fetchall()]
