"""What befalls the servers: the broker wiped, killed, gone for a while; PostgreSQL stopped at once; Heat killed.

A Heat that dies leaves its stacks in progress for ever, and only the deadline of the bay, an hour, ends that. The
harness lets that hour pass for the bays whose stacks were in progress then.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import redis
from amqp.exceptions import AMQPError

from chaos.eyes import Watch
from chaos.faults.base import NODES, Kind, Nothing, Scene, only
from chaos.ground import START
from clouds.heat import Heat, connect
from deploy import heat as embedded
from deploy import ready

QUEUES = ("bells", "ticks", "store.fast", "store.slow", *(f"node.{name}" for name in NODES))


class Down:
    """Ends a server with a signal and keeps it down until it is healed; what it kept may go meanwhile."""

    def __init__(self, scene: Scene, server: str, number: signal.Signals, *, erased: bool = False) -> None:
        self._ground = scene.ground
        self._server = server
        self._number = number
        self._erased = erased
        self.watch: Watch | None = None

    def strike(self) -> str:
        """End it.

        :raises Nothing: it is RabbitMQ that has not come up yet: killed in its very first start, it never does.
        """
        if (
            self._server == "broker"
            and self._ground.rabbit is not None
            and not self._ground.rabbit.is_ready()
        ):
            raise Nothing
        name = self._ground.children[self._server].name
        self._ground.supervisors[self._server].hold(name, self._number)
        if self._erased and self._ground.rabbit is not None:
            self._ground.rabbit.erase()
        return f"{name} down by {self._number.name}{', all it kept erased' if self._erased else ''}"

    def heal(self) -> None:
        """Start it again."""
        self._ground.supervisors[self._server].release(self._ground.children[self._server].name)


class HeatDown(Down):
    """Also lets the hour pass for which its stacks would be waited for."""

    def strike(self) -> str:
        """Kill it."""
        said = super().strike()
        self._at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return said

    def heal(self) -> None:
        """Start Heat again, and have those bays due that wait for what it has forgotten."""
        super().heal()
        url = self._ground.heat_url
        ready.until(lambda: _is_ready(urlsplit(url).port or 0), self._ground.children["heat"], START)
        self._let_the_hour_pass(connect({"OS_AUTH_TYPE": "none", "OS_ENDPOINT": url}, timeout=30))

    def _let_the_hour_pass(self, heat: Heat) -> None:
        from django.db.models.functions import Now  # noqa: PLC0415 - Django is set up by now

        from bays.models import Bay  # noqa: PLC0415
        from bays.stacks import OWNER_TAG, bay_of  # noqa: PLC0415

        forgotten = [
            bay
            for stack in heat.tagged(OWNER_TAG)
            if (bay := bay_of(stack)) is not None
            and stack.status == "IN_PROGRESS"
            and (stack.updated_at or stack.created_at) <= self._at
        ]
        Bay.objects.filter(pk__in=forgotten, operation__isnull=False).update(deadline_at=Now())


class Wipe:
    """Has the broker forget every message that waits."""

    def __init__(self, scene: Scene) -> None:
        self._ground = scene.ground
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Wipe it.

        :raises Nothing: it is out just now.
        """
        try:
            if self._ground.rabbit is not None:
                return f"{self._ground.rabbit.purge(*QUEUES)} messages purged"
            with redis.Redis.from_url(self._ground.broker_url, socket_timeout=5) as broker:
                keys = broker.dbsize()
                broker.flushall()
        except (OSError, redis.RedisError, AMQPError) as error:
            raise Nothing from error
        return f"{keys} keys flushed"

    def heal(self) -> None:
        """Do nothing: there is nothing to bring back."""


def _is_ready(port: int) -> bool:
    try:
        embedded.wait_ready(port, timeout=0.5)
    except TimeoutError:
        return False
    return True


def _down(
    server: str, number: signal.Signals, *, erased: bool = False
) -> Callable[[Scene, str, random.Random], Down]:
    return lambda scene, _target, _rng: Down(scene, server, number, erased=erased)


BROKER, POSTGRES = only("outage:broker"), only("outage:postgres")
KINDS = [
    Kind("wipe-broker", "broker", ("broker",), lambda scene, _, __: Wipe(scene), weight=4),
    Kind(
        "kill-broker", "broker", ("broker",), _down("broker", signal.SIGKILL), BROKER, (0.1, 2), 10, weight=2
    ),
    Kind("broker-gone", "broker", ("broker",), _down("broker", signal.SIGKILL), BROKER, (10, 60), 10),
    Kind(
        "erase-broker",
        "broker",
        ("broker",),
        _down("broker", signal.SIGKILL, erased=True),
        BROKER,
        (0.5, 3),
        10,
    ),
    Kind(
        "stop-postgres",
        "postgres",
        ("postgres",),
        _down("postgres", signal.SIGQUIT),
        POSTGRES,
        (0.1, 4),
        10,
        weight=2,
    ),
    Kind(
        "kill-heat",
        "heat",
        ("heat",),
        lambda scene, _, __: HeatDown(scene, "heat", signal.SIGKILL),
        only("heat:down"),
        (1, 10),
        12,
    ),
]
