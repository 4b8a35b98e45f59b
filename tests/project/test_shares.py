"""A limit of the whole installation, kept by processes that do not speak with one another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from django.db.models import Max

from lifecycle.models import Node
from tests.project.apis import ApiCase

BURST = 60
EACH = 200  # requests to each node: enough for every process to be asked more often than its share
AT_ONCE = 40  # since refusals are told late


class ShareTests(ApiCase):
    def test_four_processes_of_two_nodes_let_through_what_one_would(self) -> None:
        told = {
            "API_PROCESSES": "2",
            "ROADSTEAD_HEARTBEAT": "0.1",
            "ROADSTEAD_RATE_ADDRESS": f"0.001,{BURST}",
        }
        ports = [self.serve(**told) for _ in range(2)]
        self.until(self.all_have_counted, "every process has counted all of them")
        with ThreadPoolExecutor(AT_ONCE) as askers:
            answers = [*askers.map(lambda port: self.status(port, "/volume/"), ports * EACH)]
        self.assertEqual(set(answers), {300, 429})
        let_through = answers.count(300)
        self.assertTrue(BURST / 2 < let_through <= BURST, let_through)
        self.assertEqual(self.status(ports[0], "/healthz"), 200)

    def all_have_counted(self) -> bool:
        nodes = Node.objects.alive().filter(kind=Node.Kind.API)
        last = nodes.aggregate(Max("started_at"))["started_at__max"]
        return nodes.count() == 4 and nodes.filter(seen_at__gt=last).count() == 4
