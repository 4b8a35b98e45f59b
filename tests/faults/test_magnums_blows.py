"""The blows under which Magnum 22 was measured (docs/reliability.md), and none of what it lost under them."""

from __future__ import annotations

import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import requests
from django.db.models.functions import Now

from bays.models import Bay
from bays.states import Status
from chaos.processes import send
from lifecycle.models import Operation
from sync.models import Cursor
from tests.faults.base import FaultTestCase, say

MANY = 30
WAITING = 50
TICKS = 10  # seconds over which calls are counted: as many ticks of ours, or one of Magnum's
HANDFUL = 5


class MagnumsBlowsTests(FaultTestCase):
    """Each is what was done to Magnum, as often."""

    told = {"BAY_QUOTA": "100"}

    @contextmanager
    def a_killed_worker(self, method: str, kind: str) -> Iterator[None]:
        """Kill the node's worker with kill -9 in the middle of its calls to Heat for what the block has asked."""
        (node,) = self.nodes
        with self.proxy.hold(method, kind) as hold:
            yield
            self.await_(lambda: hold.held >= 2, "some are on their way to Heat")
            held = self.held_by(node)
            send([node.pid("worker")], signal.SIGKILL)
            self.await_(lambda: self.events("give_up"), "the supervisor gives up what the worker held")
        self.assertTrue(held)

    def test_a_worker_killed_during_thirty_creates_leaves_none_stuck_and_one_stack_each(self) -> None:
        with self.a_killed_worker("POST", "stacks"):
            bays = self.create(MANY)
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assert_all_is_well()
        self.assertEqual(len(self.stacks()), MANY)

    def test_a_worker_killed_during_thirty_deletes_loses_none(self) -> None:
        bays = self.created(MANY)
        with self.a_killed_worker("DELETE", "stack"):
            for bay in bays:
                self.delete(bay)  # each is answered 204
        self.await_gone(*bays)
        self.assert_all_is_well()
        self.assertEqual(self.stacks(), [])
        ended = Operation.objects.filter(action="delete").values_list("state", flat=True)
        self.assertEqual(list(ended), ["COMPLETE"] * MANY)

    def test_what_is_deleted_as_soon_as_it_is_accepted_is_gone(self) -> None:
        bays = []
        for _ in range(12):
            bays += self.create()
            self.delete(bays[-1])
        self.await_gone(*bays)
        self.assert_all_is_well()
        self.assertEqual(self.stacks(), [])

    def test_what_is_deleted_two_seconds_later_is_gone_and_leaves_no_stack(self) -> None:
        bays = self.create(16, boot_seconds=3)
        for bay in bays:
            old = Bay.objects.filter(pk=bay, created_at__lte=Now() - timedelta(seconds=2))
            self.await_(old.exists, "it is two seconds old")
            self.delete(bay)
        self.await_gone(*bays)
        self.assert_all_is_well()
        self.assertEqual(self.stacks(), [])

    def test_of_eight_racing_patches_one_is_accepted_and_seven_are_told_why(self) -> None:
        (bay,) = self.created()
        with self.proxy.hold("PUT", "stack"):  # the winner's work cannot be over before the others ask
            answers = self.at_once([partial(self.patch, bay, count) for count in range(1, 9)])
            refused = [answer for answer in answers if answer.status_code == 409]
            self.assertEqual(sorted(answer.status_code for answer in answers), [202] + [409] * 7)
            for answer in refused:
                self.assertIn("whose status is UPDATE_IN_PROGRESS", answer.json()["errors"][0]["detail"])
            (wanted,) = (count for count, answer in enumerate(answers, 1) if answer.status_code == 202)
        self.await_status([bay], Status.UPDATE_COMPLETE)
        self.assertEqual(Bay.objects.get().node_count, wanted)
        self.assertEqual(len(Bay.objects.get().node_addresses), wanted)
        self.assertEqual(Operation.objects.filter(action="update").count(), 1)
        self.assert_all_is_well()

    def test_a_tick_over_fifty_in_progress_asks_heat_a_handful_on_one_node_and_on_three(self) -> None:
        bays = self.create(WAITING, boot_seconds=600)
        self.await_(lambda: Bay.objects.filter(watched=True).count() == WAITING, "all wait for Heat")
        one = self.calls_a_tick()
        self.have(3)
        three = self.calls_a_tick()
        say(f"calls to Heat a second, {WAITING} in progress: one node {one:.1f}, three nodes {three:.1f}")
        self.assertGreater(one, 0)
        self.assertLessEqual(max(one, three), HANDFUL)
        for bay in bays:
            self.delete(bay)
        self.await_gone(*bays)
        self.assert_all_is_well()

    def calls_a_tick(self) -> float:
        """Return how many calls of any kind Heat gets while so many seconds pass by the database's clock."""
        Cursor.objects.update(not_before=Now())
        since, before = self.now(), self.proxy.total()
        self.await_(lambda: self.now() >= since + timedelta(seconds=TICKS), "the time to count is over")
        return (self.proxy.total() - before) / TICKS

    def patch(self, bay: uuid.UUID, count: int) -> requests.Response:
        body = [{"op": "replace", "path": "/node_count", "value": count}]
        url = f"{self.nodes[0].url}/container-infra/v1/clusters/{bay}"
        return requests.patch(url, json=body, headers=dict(self.log_in("demo").headers), timeout=30)

    def at_once(self, racers: list[Callable[[], Any]]) -> list[Any]:
        """Run all at the same moment and return what each returned, in their order."""
        gate = threading.Barrier(len(racers))
        answers: list[Any] = [None] * len(racers)

        def run(number: int, racer: Callable[[], Any]) -> None:
            gate.wait()
            answers[number] = racer()

        threads = [threading.Thread(target=run, args=each) for each in enumerate(racers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers
