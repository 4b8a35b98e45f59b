"""What one project feels of another that asks without end: alone, beside a flood, and beside one that is limited."""

from __future__ import annotations

import http.client
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, MutableSequence
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any
from urllib.parse import urlsplit

import requests

from bench.load import Client, run
from bench.report import Figure, Report
from bench.volumes import BASE, create, token
from deploy.stack import Stack, stack
from deploy.state import DEFAULT

ASKED = 400  # requests of the project that behaves, one at a time
PROCESSES, THREADS = 2, 16  # of the one that does not
SPENT = 3000  # requests of a flood before anything is measured: what may be asked at once after a rest is used up then
LOOK = 0.05
PATH = f"{BASE}/volumes/detail?limit=10"
UNLIMITED = {"ROADSTEAD_RATE_PROJECT": "0"}
NEIGHBOUR = "neighbour"

Headers = Mapping[str, str]
Answered = list[MutableSequence[int]]  # of each process: how many answers, by their status


def measure_floods(report: Report, quota: Mapping[str, str]) -> None:
    """Measure a list and a create of the one project: alone, beside the other's flood, beside it with the limits."""
    own = {name: value for name, value in quota.items() if "RATE" not in name}
    for limits, told in (("unlimited", UNLIMITED), ("limited", {})):
        with stack(
            1,
            state_dir=DEFAULT / "bench",
            env=own | told,
            own={"postgres", "valkey", "heat"},
            purpose="make bench",
        ) as running:
            neighbour = {"X-Auth-Token": _neighbour(running)}
            if told:
                _measure(running, report, neighbour, "alone", [])
            with _flood(running) as answered:
                _measure(running, report, neighbour, f"beside a flood, {limits}", answered)


def _neighbour(running: Stack) -> str:
    """Return a token for a project of its own."""
    identity = f"{running.urls[0]}/identity/v3"
    with requests.Session() as admin:
        admin.headers["X-Auth-Token"] = token(running, "admin")
        made = admin.post(f"{identity}/projects", json={"project": {"name": NEIGHBOUR}}, timeout=30)
        (project,) = admin.get(f"{identity}/projects?name={NEIGHBOUR}", timeout=30).json()["projects"]
        (user,) = admin.get(f"{identity}/users?name=demo", timeout=30).json()["users"]
        (role,) = admin.get(f"{identity}/roles?name=member", timeout=30).json()["roles"]
        path = f"projects/{project['id']}/users/{user['id']}/roles/{role['id']}"
        given = admin.put(f"{identity}/{path}", timeout=30)
    assert made.status_code in {201, 409}, made.text
    given.raise_for_status()
    return token(running, project=NEIGHBOUR)


def _measure(running: Stack, report: Report, headers: Headers, how: str, answered: Answered) -> None:
    for what, job in (("list", _look), ("create", create)):
        before = _counted(answered)
        measured = run(lambda: Client(running.urls[0], dict(headers)), [job] * ASKED, concurrency=1)
        flood = _counted(answered) - before
        rates = (f"{count / measured.seconds:.0f}/s {status}" for status, count in sorted(flood.items()))
        both = measured.percentile(0.5) * 1000, measured.percentile(0.99) * 1000
        report.add(Figure(f"{what} {how}", measured.rate, *both, note=", ".join(rates)))


def _look(client: Client) -> Any:
    return client.ask("GET", PATH)


@contextmanager
def _flood(running: Stack) -> Iterator[Answered]:
    """Have the project demo ask without end, from processes of their own, while the block lasts."""
    context = multiprocessing.get_context("spawn")
    answered: Answered = [context.RawArray("Q", 600) for _ in range(PROCESSES)]
    over, headers = context.Event(), {"X-Auth-Token": token(running)}
    processes = [
        context.Process(target=_ask_on, args=(running.urls[0], headers, over, each), daemon=True)
        for each in answered
    ]
    for process in processes:
        process.start()
    try:
        while _counted(answered).total() < SPENT:
            time.sleep(LOOK)
        yield answered
    finally:
        over.set()
        for process in processes:
            process.join()


def _ask_on(url: str, headers: Headers, over: Event, answered: MutableSequence[int]) -> None:
    """Ask on as many connections at once, each again as soon as it is answered, whatever the answer is."""
    lock, parts = threading.Lock(), urlsplit(url)

    def ask() -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        while not over.is_set():
            connection.request("GET", PATH, headers=dict(headers))
            answer = connection.getresponse()
            answer.read()
            with lock:
                answered[answer.status] += 1

    threads = [threading.Thread(target=ask) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _counted(answered: Answered) -> Counter[int]:
    return Counter(
        {status: count for status in range(600) if (count := sum(each[status] for each in answered))}
    )
