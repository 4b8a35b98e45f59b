"""The table of the spike that tried Celery for Nova's zones in 2011: so many `add`, by so many workers, some killed.

Its figures there (Ubuntu 10.10 in virtual machines, RabbitMQ 1.8 to 2.3): 1,000 `add` in 80.5 s by one worker, 21.7 s
by two, 16.7 s by three; 24.6 s with one of three killed on the way and 35.7 s with two, and none lost.
"""

from __future__ import annotations

import time

from bench.report import Figure, Report
from bench.workers import publishing, told, workers
from deploy.stack import Stack

THEN = {(1, 0): "80.5 s", (2, 0): "21.7 s", (3, 0): "16.7 s", (3, 1): "24.6 s", (3, 2): "35.7 s"}


def measure_spike(running: Stack, report: Report, count: int) -> None:
    """Run `count` tasks for each row of the table."""
    told(running)
    for many, killed in THEN:
        _row(running, report, count, many, killed)


def _row(running: Stack, report: Report, count: int, many: int, killed: int) -> None:
    tasks = publishing()
    with workers(running, many, concurrency=1) as pool:
        pool.begin()
        began = time.monotonic_ns()
        for number in range(count):
            tasks.add.delay(number, number, number)
        for number in range(1, killed + 1):
            pool.await_done(count * number // 4)
            pool.kill(f"bench{number}")
        done = pool.await_done(count)
        seconds = (max(done.values()) - began) / 1e9
        again = sum(pool.runs().values()) - count
    what = f"{count} add, workers: {many}" + (f", {killed} killed on the way" if killed else "")
    note = f"{seconds:.2f} s, 0 lost, {again} run twice; 1,000 in 2011: {THEN[many, killed]}"
    report.add(Figure(what, count / seconds, note=note))
