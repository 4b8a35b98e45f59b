"""Accepting volumes, and whole operations from the request to the state that a client waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import requests

from bench.load import Client, Measured, run
from bench.machine import processor_seconds
from bench.report import Figure, Report
from deploy.stack import Stack
from deploy.state import StartError

BASE = "/volume/v3"
CONCURRENCIES = (1, 8, 16, 32)
PATIENCE = 300.0
LOOK = 0.05
ACCEPTED = {1: "9.9/s, 79 / 384 ms, 127 ms", 16: "11.6-14.3/s, 1354 / 1883 ms, 147 ms"}
WHOLE = {16: "12.1/s, 144 ms"}
WHOLE_16 = "create to available, c=16"

Job = Callable[[Client], Any]


class Bench:
    """One user's clients of a stack, and what all its processes have used."""

    def __init__(self, running: Stack, user: str = "demo") -> None:
        self._stack = running
        versions = "volume 3.71, container-infra latest"
        self._headers = {"X-Auth-Token": token(running, user), "OpenStack-API-Version": versions}

    def client(self) -> Client:
        return Client(self._stack.urls[0], self._headers)

    def used(self, but: str = "") -> float:
        """Return the processor seconds of all server processes so far, those of one server left out."""
        pids = [pid for name, pid in self._stack.pids().items() if name != but]
        return sum(processor_seconds(pids).values())

    def await_no_more(self, kind: str, status: str) -> float:
        """Return the moment at which nothing of a kind has the status any more.

        :raises StartError: something has failed, or it lasts too long.
        """
        client, end = self.client(), time.monotonic() + PATIENCE
        while client.ask("GET", f"{BASE}/{kind}?status={status}&limit=1")[kind]:
            if time.monotonic() > end:
                raise StartError(f"There were still {kind} {status} after {PATIENCE:.0f} s.")
            time.sleep(LOOK)
        over = time.perf_counter()
        for failed in ("error", "error_deleting", "error_extending"):
            if found := client.ask("GET", f"{BASE}/{kind}?status={failed}&limit=1")[kind]:
                raise StartError(f"One of the {kind} is {failed}: {found[0]['id']}")
        return over

    def whole(
        self, jobs: Sequence[Job], kind: str, busy: str, *, concurrency: int = 16
    ) -> tuple[Figure, Measured]:
        """Do the jobs and wait until all that they began is over.

        The rate is that of whole operations; latencies are those of the answers; the processor time counts all.
        """
        used, began = self.used(), time.perf_counter()
        measured = run(self.client, jobs, concurrency)
        over = self.await_no_more(kind, busy)
        cpu = (self.used() - used) * 1000 / len(jobs)
        rate = len(jobs) / (over - began)
        return Figure(
            "", rate, measured.percentile(0.5) * 1000, measured.percentile(0.99) * 1000, cpu
        ), measured

    def remove(self, made: Measured) -> None:
        """Delete the volumes that were made, and wait until they are gone."""
        self.whole([partial(delete, ident=ident) for ident in ids(made)], "volumes", "deleting")


def token(running: Stack, name: str = "demo", project: str = "demo") -> str:
    """Return a token of one of the stack's users."""
    user = {"name": name, "password": running.passwords[name], "domain": {"id": "default"}}
    scope = {"project": {"name": project, "domain": {"id": "default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    url = f"{running.urls[0]}/identity/v3/auth/tokens"
    return requests.post(url, json={"auth": auth}, timeout=30).headers["X-Subject-Token"]


def measure_volumes(running: Stack, report: Report, count: int) -> None:
    """Measure accepting at several concurrencies, then whole operations of each kind."""
    bench = Bench(running)
    bench.remove(bench.whole([create] * 20, "volumes", "creating", concurrency=4)[1])
    made: Measured | None = None
    for concurrency in CONCURRENCIES:
        if made is not None:
            bench.remove(made)
        figure, made = bench.whole([create] * count, "volumes", "creating", concurrency=concurrency)
        accepted = replace(figure, what=f"create accepted, c={concurrency}", rate=made.rate)
        report.add(replace(accepted, note=ACCEPTED.get(concurrency, "")))
        report.add(
            replace(figure, what=f"create to available, c={concurrency}", note=WHOLE.get(concurrency, ""))
        )
    assert made is not None
    _each_kind(bench, report, ids(made))


def _each_kind(bench: Bench, report: Report, volumes: list[str]) -> None:
    def whole(what: str, jobs: Sequence[Job], kind: str, busy: str, note: str = "") -> Measured:
        figure, measured = bench.whole(jobs, kind, busy)
        report.add(replace(figure, what=f"{what}, whole", note=note))
        return measured

    whole(
        "extend", [partial(extend, ident=ident) for ident in volumes], "volumes", "extending", "30/s, 48 ms"
    )
    jobs = [partial(snapshot, ident=ident) for ident in volumes]
    snapshots = whole("snapshot create", jobs, "snapshots", "creating", "25/s, 64 ms")
    taken = [answer["snapshot"]["id"] for answer in snapshots.answers]
    jobs = [partial(create, snapshot_id=ident) for ident in taken]
    clones = whole("create from snapshot", jobs, "volumes", "creating")
    jobs = [partial(delete, ident=ident, kind="snapshots") for ident in taken]
    whole("snapshot delete", jobs, "snapshots", "deleting", "38/s, 39 ms")
    jobs = [partial(delete, ident=ident) for ident in [*volumes, *ids(clones)]]
    whole("delete", jobs, "volumes", "deleting", "30/s, 59 ms")


def create(client: Client, **source: object) -> Any:
    return client.ask("POST", f"{BASE}/volumes", {"volume": {"name": "bench", **(source or {"size": 1})}})


def extend(client: Client, ident: str) -> Any:
    return client.ask("POST", f"{BASE}/volumes/{ident}/action", {"os-extend": {"new_size": 2}})


def snapshot(client: Client, ident: str) -> Any:
    return client.ask("POST", f"{BASE}/snapshots", {"snapshot": {"volume_id": ident, "name": "bench"}})


def delete(client: Client, ident: str, kind: str = "volumes") -> Any:
    return client.ask("DELETE", f"{BASE}/{kind}/{ident}")


def ids(measured: Measured) -> list[str]:
    return [answer["volume"]["id"] for answer in measured.answers]
