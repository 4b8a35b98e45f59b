"""The table of the spike that tried Celery for Nova's zones in 2011: so many `add`, by so many workers, some killed.

Its figures there (Ubuntu 10.10 in virtual machines, RabbitMQ 1.8 to 2.3): 1,000 `add` in 80.5 s by one worker, 21.7 s
by two, 16.7 s by three; 24.6 s with one of three killed on the way and 35.7 s with two, and none lost.

What a killed worker had taken Redis holds back until its visibility time-out, five minutes here: such tasks are counted
apart. It is why Roadstead does not rest on the broker to bring work back.
"""

from __future__ import annotations

import time

from bench.report import Figure, Report
from bench.workers import publishing, told, workers
from deploy.stack import Stack

STILL = 5.0  # seconds without a task that was done
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
        done = pool.await_still(count, STILL)
        seconds = (max(done.values()) - began) / 1e9
        again, held = sum(pool.runs().values()) - len(done), count - len(done)
    what = f"{count} add, workers: {many}" + (f", {killed} killed on the way" if killed else "")
    late = f", {held} held back" if held else ""
    note = f"{seconds:.2f} s, {again} run twice{late}; 1,000 in 2011: {THEN[many, killed]}"
    report.add(Figure(what, len(done) / seconds, note=note))
