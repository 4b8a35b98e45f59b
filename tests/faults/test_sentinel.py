"""Valkey behind sentinels: the primary's machine lost, both servers wiped, or restarted from their log, under load.

Bells are lost at most; every volume that was accepted is made.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from deploy.sentinel import SENTINELS, SERVERS, Watched, watched
from sync import invariants
from tests.faults.ground import Ground, ground
from tests.faults.storage_ground import Yard, yard
from tests.faults.traffic import Traffic, create_volume, log_in
from tests.faults.whole import PASSWORD, PATIENCE, NodesTestCase, say
from volumes.models import Pool, Volume

SOME = 5  # volumes made between two blows


@dataclass(frozen=True)
class SentinelGround(Ground):
    """The broker is a primary and its replica, which three sentinels watch."""

    watched: Watched

    @property
    def told(self) -> dict[str, str]:
        return {**super().told, **self.watched.env}


class SentinelTests(NodesTestCase):
    version = "volume 3.71"
    node_count = 2
    yard: ClassVar[Yard]
    broker: ClassVar[Watched]

    @classmethod
    def setUpClass(cls) -> None:
        cls.yard = cls.enterClassContext(yard())
        super().setUpClass()

    @classmethod
    def stand(cls) -> Ground:
        below = ground()
        cls.broker = cls.enterClassContext(watched(below.state))
        return SentinelGround(below.state, below.servers, cls.broker.env["BROKER_URL"], cls.broker)

    @classmethod
    def telling(cls, number: int) -> dict[str, str]:
        return {
            **super().telling(number),
            "ROADSTEAD_BACKENDS": str(cls.yard.file),
            "ROADSTEAD_SERVES": "fast",
            "VOLUME_QUOTA": "-1",
            "GIGABYTE_QUOTA": "-1",
        }

    def _fixture_teardown(self) -> None:
        Volume.objects.all().delete()
        Pool.objects.all().delete()

    def test_bells_are_lost_at_most_with_a_broker_that_fails_over_is_wiped_or_restarted(self) -> None:
        headers = log_in(self.nodes[0].url, "demo", PASSWORD)
        urls = [node.url for node in self.nodes]
        self.await_(self.broker.is_whole, "the sentinels know each other and the replica")
        self.await_(Pool.objects.open().exists, "the back-end reports")
        with Traffic(urls, headers, {"create": create_volume}, clients=2, pause=0.3) as traffic:
            self.await_made(traffic, time.monotonic())

            began = time.monotonic()
            self.broker.kill(SERVERS[0], SENTINELS[0])  # the first machine, as nodes know them
            self.await_(lambda: self.broker.primary() == SERVERS[1], "the replica is the primary")
            failed_over = time.monotonic()
            self.await_made(traffic, failed_over)
            self.tell("primary and a sentinel killed", traffic, began, failed_over)

            self.broker.start(SENTINELS[0], SERVERS[0])
            self.await_(self.broker.is_whole, "the old primary follows the new one")

            began = time.monotonic()
            self.broker.kill(*SERVERS)
            self.broker.start(*SERVERS)
            back = time.monotonic()
            self.await_made(traffic, back)
            self.tell("both servers restarted, with nothing left", traffic, began, back)

            primary = str(self.await_(self.broker.primary, "there is a primary"))
            with self.broker.server(primary) as server:
                server.config_set("appendonly", "yes")
                server.config_rewrite()
                self.await_(
                    lambda: not server.info("persistence")["aof_rewrite_in_progress"], "there is a log"
                )
            began = time.monotonic()
            self.broker.kill(primary)
            self.broker.start(primary)
            back = time.monotonic()
            self.await_made(traffic, back)
            self.tell("the primary restarted, from its log", traffic, began, back)
        self.assertEqual(
            [(answer.status, answer.told) for answer in traffic.answers if not answer.accepted], []
        )
        made = Volume.objects.filter(
            pk__in=[answer.ident for answer in traffic.accepted()], status="available"
        )
        self.await_(lambda: made.count() == len(traffic.accepted()), "all volumes are available")
        self.assertEqual(list(invariants.violations(with_heat=False, with_storage=False)), [])
        say(f"sentinel: {len(traffic.accepted())} creates accepted and made, no request refused")

    def await_made(self, traffic: Traffic, since: float) -> None:
        """Wait until volumes are made that were asked for since then."""

        def made() -> bool:
            found = [answer.ident for answer in traffic.accepted(since)]
            return Volume.objects.filter(pk__in=found, status="available").count() >= SOME

        self.await_(made, "new volumes are made", 2 * PATIENCE)

    def tell(self, what: str, traffic: Traffic, began: float, back: float) -> None:
        slowest = max(answer.ended - answer.began for answer in traffic.accepted(began))
        say(
            f"{what}: a broker again after {back - began:.2f} s, {SOME} new volumes made "
            f"{time.monotonic() - back:.2f} s after that; slowest 202 meanwhile {slowest:.2f} s"
        )
