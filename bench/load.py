"""Closed-loop clients: each thread sends its next request when it has the answer to the last."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Measured:
    """How long each request took (seconds), and all of them together."""

    latencies: Sequence[float]
    seconds: float
    answers: Sequence[Any]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency (seconds) that `share` of the requests stayed within."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Client:
    """One connection to the API, kept open."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._headers = {**headers, "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send a request and return what it answers.

        :raises RuntimeError: it was refused.
        """
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, self._headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {raw[:300]!r}")
        return json.loads(raw) if raw else None


def run(client: Callable[[], Client], jobs: Sequence[Callable[[Client], Any]], concurrency: int) -> Measured:
    """Do the jobs, so many at a time, and return what each took."""
    waiting = iter(enumerate(jobs))
    lock = threading.Lock()
    latencies, answers = [0.0] * len(jobs), [None] * len(jobs)
    errors: list[BaseException] = []
    gate = threading.Barrier(concurrency + 1)

    def work() -> None:
        own = client()
        gate.wait()
        try:
            while True:
                with lock:
                    number, job = next(waiting, (-1, None))
                if job is None:
                    return
                began = time.perf_counter()
                answers[number] = job(own)
                latencies[number] = time.perf_counter() - began
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return Measured(latencies, time.perf_counter() - began, answers)
