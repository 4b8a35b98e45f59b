"""The brokers that a fault test can break, and what it can ask of either kind."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import redis

from deploy.rabbitmq import Rabbit

PAUSE = 0.05
LONGEST = 120.0  # seconds


class Broker(Protocol):
    @property
    def servers(self) -> list[str]:
        """The names of its supervised processes."""

    def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue."""

    def clear(self, queue: str) -> None:
        """Remove those."""

    def forget(self) -> None:
        """Remove all that wait in any queue."""

    def await_up(self) -> None:
        """Return when all of it answers."""


@dataclass(frozen=True)
class Valkey:
    url: str
    servers: list[str]

    def waiting(self, queue: str) -> int:
        return int(self._client.llen(queue))

    def clear(self, queue: str) -> None:
        self._client.delete(queue)

    def forget(self) -> None:
        self._client.flushall()

    def await_up(self) -> None:
        end = time.monotonic() + LONGEST
        while not self._answers():
            assert time.monotonic() < end, "it does not come up"
            time.sleep(PAUSE)

    def _answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.ConnectionError:
            return False

    @property
    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


@dataclass(frozen=True)
class RabbitMQ:
    """One node or several; any that is up is asked."""

    nodes: list[Rabbit]

    @property
    def servers(self) -> list[str]:
        return [node.name for node in self.nodes]

    def waiting(self, queue: str) -> int:
        return self._up.waiting(queue)

    def clear(self, queue: str) -> None:
        self._up.purge(queue)

    def forget(self) -> None:
        self._up.purge()

    def await_up(self) -> None:
        end = time.monotonic() + LONGEST
        while not all(node.is_ready() for node in self.nodes):
            assert time.monotonic() < end, "they do not come up"
            time.sleep(PAUSE)

    @property
    def _up(self) -> Rabbit:
        return next(node for node in self.nodes if node.is_ready())
