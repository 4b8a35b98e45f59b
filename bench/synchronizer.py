"""The synchronizer with many bays that wait: what a tick costs, how soon a change is seen, and what idling costs."""

from __future__ import annotations

import os
import signal
import time
import uuid
from typing import Any

from bench.bays import BASE, make, model_of
from bench.load import Client
from bench.report import Figure, Report, percentile
from bench.volumes import Bench
from bench.workers import told
from deploy.stack import Stack
from deploy.state import StartError

CHANGED = 100
IDLE = 30.0  # seconds
PATIENCE = 120.0
LOOK = 0.02


def measure_synchronizer(running: Stack, report: Report, counts: list[int]) -> None:
    """Measure it with each of these numbers of waiting bays, then an idle installation of the last."""
    told(running)
    from bench import waiting  # noqa: PLC0415 - Django's settings read the environment

    bench = Bench(running)
    heat_url = running.env["DATABASE_URL"].rpartition("/")[0] + "/heat"
    bays = waiting.Waiting(heat_url, _one_bay(bench.client()))
    nodes = f"{len(running.urls)} node" + ("s" if len(running.urls) > 1 else "")
    for count in counts:
        bays.have(count)
        _tick(running, report, bays, count)
        _seen(report, bays, count, nodes)
    bays.settle()
    _idle(bench, report, waiting.writes, counts[-1], nodes)
    bays.forget()


def _one_bay(client: Client) -> uuid.UUID:
    """Return the id of a bay that Heat has made."""
    bay = make(client, model_of(client))["uuid"]
    end = time.monotonic() + PATIENCE
    while (status := client.ask("GET", f"{BASE}/clusters/{bay}")["status"]) != "CREATE_COMPLETE":
        if time.monotonic() > end or status == "CREATE_FAILED":
            raise StartError(f"The bay to be copied is {status}.")
        time.sleep(LOOK)
    return uuid.UUID(bay)


def _tick(running: Stack, report: Report, bays: Any, count: int) -> None:
    """One tick over all of them, made by this process while no node ticks."""
    workers = [pid for name, pid in running.pids().items() if name.endswith((".worker", ".beat"))]
    _send(workers, signal.SIGSTOP)
    try:
        began = time.perf_counter()
        calls, statements = bays.tick()
        seconds = time.perf_counter() - began
    finally:
        _send(workers, signal.SIGCONT)
    note = f"{calls} calls to Heat, {statements} statements, {seconds:.2f} s"
    report.add(Figure(f"tick over {count:,} waiting bays", note=note))


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def _seen(report: Report, bays: Any, count: int, nodes: str) -> None:
    """Measure how long Heat's word is out before the API shows it."""
    changed = bays.ids()[:CHANGED]
    bays.complete(changed)
    began = time.monotonic()
    seconds: list[float] = []
    while (still := bays.still(changed)) or len(seconds) < len(changed):
        now = time.monotonic() - began
        seconds += [now] * (len(changed) - len(seconds) - len(still))
        if now > PATIENCE:
            raise StartError(f"{len(still)} of {len(changed)} changes were not seen after {PATIENCE:.0f} s.")
        time.sleep(LOOK)
    both = percentile(seconds, 0.5) * 1000, percentile(seconds, 0.99) * 1000
    what = f"{len(changed)} changes seen, {count:,} waiting, {nodes}"
    report.add(Figure(what, len(changed) / max(seconds), *both))


def _idle(bench: Bench, report: Report, writes: Any, count: int, nodes: str) -> None:
    time.sleep(LOOK)
    used, before, began = bench.used(), writes(), time.monotonic()
    time.sleep(IDLE)
    seconds = time.monotonic() - began
    cores, written = (bench.used() - used) / seconds, writes() - before
    note = f"{cores:.3f} cores, {written} rows written in {seconds:.0f} s"
    report.add(Figure(f"idle, {count:,} settled bays, {nodes}", note=note))
