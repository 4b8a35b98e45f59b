"""Each node restarted in turn behind a load balancer, with clients that ask all the while: no request fails."""

from __future__ import annotations

import signal
from functools import partial
from typing import Any, ClassVar

import requests

from bays.models import Bay
from bays.states import Status
from lifecycle.models import Operation
from tests.faults.balancer import Balancer
from tests.faults.base import FaultTestCase
from tests.faults.storage_ground import Yard, yard
from tests.faults.traffic import Traffic, create_volume, list_volumes, log_in
from tests.faults.whole import PASSWORD, say
from volumes.models import Pool, Volume

DRAIN = "3"  # seconds; the balancer looks each 0.2


class RollingRestartTests(FaultTestCase):
    node_count = 3
    yard: ClassVar[Yard]

    @classmethod
    def setUpClass(cls) -> None:
        cls.yard = cls.enterClassContext(yard())
        super().setUpClass()

    @classmethod
    def telling(cls, number: int) -> dict[str, str]:
        return {
            **super().telling(number),
            "API_DRAIN": DRAIN,
            "ROADSTEAD_BACKENDS": str(cls.yard.file),
            "ROADSTEAD_SERVES": "fast",
            "BAY_QUOTA": "1000",
            "VOLUME_QUOTA": "-1",
            "GIGABYTE_QUOTA": "-1",
        }

    def _fixture_teardown(self) -> None:
        Volume.objects.all().delete()  # they hold on to their operations
        super()._fixture_teardown()
        Pool.objects.all().delete()

    def test_no_request_fails_while_each_node_is_restarted_in_turn(self) -> None:
        headers = log_in(self.nodes[0].url, "demo", PASSWORD)
        users = {"volume": create_volume, "volumes": list_volumes, "clusters": list_clusters}
        with Balancer([node.port for node in self.nodes]) as balancer:
            self.await_(lambda: len(balancer.healthy) == 3, "all nodes are well")
            self.await_(Pool.objects.open().exists, "the back-end reports")
            bays = Traffic(
                [balancer.url], headers, {"cluster": partial(create_cluster, self.model)}, clients=1, pause=1
            )
            with Traffic([balancer.url], headers, users, clients=4) as traffic, bays:
                for node in self.nodes:
                    self.await_(lambda: len(balancer.healthy) == 3, "all nodes are well")
                    node.supervisor.hold(node.name, signal.SIGTERM)
                    self.assertEqual(node.deaths, [0], f"not stopped in peace:\n{node.last_words()}")
                    node.release()
                    node.await_ready()
        answers = [*traffic.answers, *bays.answers]
        failed = [*traffic.failed(), *bays.failed()]
        self.assertEqual([(answer.what, answer.status, answer.told) for answer in failed], [])
        self.assertEqual({answer.status for answer in answers}, {200, 202})
        say(f"rolling restart of three nodes: {len(answers)} requests, none failed: {traffic.counts()}")
        made = [answer.ident for answer in traffic.accepted()]
        ready = Volume.objects.filter(pk__in=made, status="available")
        self.await_(lambda: ready.count() == len(made), "all volumes are available")
        wanted = len(bays.accepted())
        ready_bays = Bay.objects.filter(status=Status.CREATE_COMPLETE)
        self.await_(lambda: ready_bays.count() == wanted, "all bays are complete")
        self.assertEqual(Operation.objects.filter(state="FAILED").count(), 0)


def create_cluster(model: str, session: requests.Session, url: str) -> requests.Response:
    body: dict[str, Any] = {"name": "rolling", "cluster_template_id": model, "node_count": 0}
    body["labels"] = {"boot_seconds": "2"}
    return session.post(f"{url}/container-infra/v1/clusters", json=body, timeout=30)


def list_clusters(session: requests.Session, url: str) -> requests.Response:
    return session.get(f"{url}/container-infra/v1/clusters?limit=3", timeout=30)
