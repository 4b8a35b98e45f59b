"""Reading beside many rows, and claiming beside many finished ones: nothing may grow with history."""

from __future__ import annotations

import os
import time
from functools import partial

from bench.load import Client, run
from bench.report import Figure, Report
from bench.volumes import BASE, Bench
from deploy.stack import Stack

READS = 200
CLAIMS = 500
STEPS = (10_000,)
PEER_LIST = "18/s (c=1), 30/s (c=16), 51 / 230 ms, 54 ms"
PEER_ONE = "202/s (c=16), 8 / 15 ms, 8.6 ms"


def measure_lists(running: Stack, report: Report, rows: int, finished: int) -> None:
    """Measure lists of 100 out of 10,000 and of `rows`, one volume of many, and claims beside `finished` rows."""
    os.environ.update(running.env, DJANGO_SETTINGS_MODULE="project.settings")
    from bench import filling  # noqa: PLC0415 - Django's settings read the environment

    bench = Bench(running)
    for many in (*STEPS, rows):
        ident = filling.fill(many)
        for concurrency in (1, 16):
            _read(
                bench,
                report,
                f"list 100 of {many:,}, detail, c={concurrency}",
                "volumes/detail?limit=100",
                concurrency=concurrency,
                note=PEER_LIST,
            )
        _read(bench, report, f"one of {many:,}, c=16", f"volumes/{ident}", concurrency=16, note=PEER_ONE)
    filling.fill(finished)
    began = time.perf_counter()
    latencies = filling.claim_and_rest(CLAIMS)
    seconds = time.perf_counter() - began
    latencies.sort()
    report.add(
        Figure(
            f"claim and rest beside {finished:,} rows",
            CLAIMS / seconds,
            latencies[len(latencies) // 2] * 1000,
            latencies[int(len(latencies) * 0.99)] * 1000,
        )
    )
    filling.empty()


def _read(bench: Bench, report: Report, what: str, path: str, *, concurrency: int, note: str) -> None:
    def get(client: Client, path: str) -> object:
        return client.ask("GET", path)

    used = bench.used()
    measured = run(bench.client, [partial(get, path=f"{BASE}/{path}")] * READS, concurrency)
    cpu = (bench.used() - used) * 1000 / READS
    report.add(
        Figure(
            what, measured.rate, measured.percentile(0.5) * 1000, measured.percentile(0.99) * 1000, cpu, note
        )
    )
