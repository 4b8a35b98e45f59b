"""Traffic: clients of some APIs that ask all the while, and remember each answer or that there was none."""

from __future__ import annotations

import http
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import requests

Ask = Callable[[requests.Session, str], requests.Response]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request came to; the status is None where the connection broke or nothing came in time."""

    what: str
    began: float  # monotonic seconds
    ended: float
    status: int | None
    ident: str  # of the volume or bay that is made; empty if none is
    told: str

    @property
    def accepted(self) -> bool:
        return self.status == http.HTTPStatus.ACCEPTED

    @property
    def failed(self) -> bool:
        return self.status is None or self.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR


class Traffic:
    """So many clients, each of which goes through the same requests at one URL for as long as the block lasts."""

    def __init__(
        self,
        urls: Sequence[str],
        headers: Mapping[str, str],
        asks: Mapping[str, Ask],
        *,
        clients: int,
        pause: float = 0.05,
    ) -> None:
        self.answers: list[Answer] = []
        self._asks = asks
        self._pause = pause
        self._over = threading.Event()
        self._threads = []
        for number in range(clients):
            session = requests.Session()
            session.headers.update(headers)
            url = urls[number % len(urls)]
            self._threads.append(threading.Thread(target=self._run, args=(session, url), daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def accepted(self, since: float = 0.0) -> list[Answer]:
        """Return the requests that were sent since then and accepted, in the order of their answers."""
        found = [answer for answer in self.answers if answer.accepted and answer.began >= since]
        return sorted(found, key=lambda answer: answer.ended)

    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.failed]

    def counts(self) -> dict[str, int]:
        """Return how often each status was answered."""
        return dict(Counter(str(answer.status or "none") for answer in self.answers))

    def _run(self, session: requests.Session, url: str) -> None:
        with session:
            while True:
                for what, ask in self._asks.items():
                    if self._over.wait(self._pause):
                        return
                    self.answers.append(_answer(what, ask, session, url))


def _answer(what: str, ask: Ask, session: requests.Session, url: str) -> Answer:
    began = time.monotonic()
    try:
        answer = ask(session, url)
    except requests.RequestException as error:
        return Answer(what, began, time.monotonic(), None, "", repr(error))
    ended = time.monotonic()
    ident = ""
    if answer.status_code == http.HTTPStatus.ACCEPTED:
        document = answer.json()
        ident = str(document["volume"]["id"] if "volume" in document else document["uuid"])
    return Answer(what, began, ended, answer.status_code, ident, answer.text[:300])


def log_in(url: str, name: str, password: str) -> dict[str, str]:
    """Return the headers of a user's requests, in project demo."""
    user = {"name": name, "password": password, "domain": {"id": "default"}}
    scope = {"project": {"name": "demo", "domain": {"id": "default"}}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    answer = requests.post(f"{url}/identity/v3/auth/tokens", json=body, timeout=30)
    answer.raise_for_status()
    return {
        "X-Auth-Token": answer.headers["X-Subject-Token"],
        "OpenStack-API-Version": "volume 3.71, container-infra latest",
    }


def create_volume(session: requests.Session, url: str) -> requests.Response:
    body = {"volume": {"name": "traffic", "size": 1}}
    return session.post(f"{url}/volume/v3/volumes", json=body, timeout=30)


def list_volumes(session: requests.Session, url: str) -> requests.Response:
    return session.get(f"{url}/volume/v3/volumes?limit=5", timeout=30)
