"""The synchronizer with many bays that wait: what a look at all costs, how soon a change is seen, what idling costs."""

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
APART = 0.1  # seconds between two changes, where they come one by one
IDLE = 30.0  # seconds
TOLD = 12.0  # seconds; PostgreSQL's sessions tell what they have written up to ten seconds later
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
        _seen(report, bays, count, nodes, apart=APART)
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
    """One look at all of them, made by this process while no node ticks."""
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


def _seen(report: Report, bays: Any, count: int, nodes: str, *, apart: float = 0.0) -> None:
    """Measure how long Heat's word is out before the API shows it; the changes come so many seconds apart."""
    chosen = sorted(bays.still(bays.ids()))[: min(CHANGED, count // 2)]
    began = time.monotonic()
    moments = {bay: began + number * apart for number, bay in enumerate(chosen)}
    changed_at, seconds = dict[uuid.UUID, float](), list[float]()
    while moments or changed_at:
        if due := [bay for bay, moment in moments.items() if moment <= time.monotonic()]:
            bays.complete(due)
            changed_at |= {bay: time.monotonic() for bay in due if moments.pop(bay)}
        still, now = bays.still(list(changed_at)), time.monotonic()
        seconds += [now - changed_at.pop(bay) for bay in changed_at.keys() - still]
        if now - began > PATIENCE:
            raise StartError(f"{len(still)} changes were not seen after {PATIENCE:.0f} s.")
        time.sleep(LOOK)
    both = percentile(seconds, 0.5) * 1000, percentile(seconds, 0.99) * 1000
    what = f"{len(chosen)} changes {'apart' if apart else 'at once'}, {count:,} waiting, {nodes}"
    report.add(Figure(what, len(chosen) / (time.monotonic() - began), *both))


def _idle(bench: Bench, report: Report, writes: Any, count: int, nodes: str) -> None:
    time.sleep(TOLD)
    used, before, began = bench.used(), writes(), time.monotonic()
    time.sleep(IDLE)
    seconds = time.monotonic() - began
    cores, written = (bench.used() - used) / seconds, writes() - before
    note = f"{cores:.3f} cores, {written} rows written in {seconds:.0f} s"
    report.add(Figure(f"idle, {count:,} settled bays, {nodes}", note=note))
