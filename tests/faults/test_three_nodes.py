"""Three nodes: any of them may vanish, and together they ask Heat no more than one would."""

from __future__ import annotations

import signal
import time
from datetime import timedelta

from django.db.models.functions import Now

from bays.models import Bay
from bays.states import Status
from chaos.processes import runs, send
from sync.models import Cursor
from tests.faults.base import FaultTestCase, say
from tests.faults.test_processes import PATIENT

WINDOW = 10.0  # seconds over which calls are counted


class ThreeNodesTests(FaultTestCase):
    node_count = 3
    told = {
        **PATIENT,
        "ROADSTEAD_HEAT_POLL": "2",  # seconds between two looks at a stack: above the second between two ticks
    }

    def test_nothing_is_lost_with_a_node_that_is_killed_whole(self) -> None:
        victim = self.nodes[1]
        with self.proxy.hold("POST", "stacks") as hold:
            bays = [bay for node in range(3) for bay in self.create(4, node=node)]
            self.await_(lambda: hold.held >= 12, "every child of all nodes holds a row")
            everything = victim.everything()
            held = self.await_(lambda: self.held_by(victim), "the victim holds some")
            killed_at = self.now()
            send(everything, signal.SIGKILL)
            bays += self.create(2, node=2)
        self.await_(lambda: not any(map(runs, everything)), "nothing of the node is left")
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assertLessEqual({row.pk for row in held}, {e.resource_id for e in self.events("take_over")})
        self.say_take_overs("the end of a whole node, its supervisor too", killed_at)
        self.assert_all_is_well()

    def test_they_ask_heat_no_more_than_one_would(self) -> None:
        bays = self.create(5, boot_seconds=600)
        self.await_(lambda: Bay.objects.filter(watched=True).count() == 5, "all five wait for Heat")
        Cursor.objects.update(
            not_before=Now() + timedelta(hours=1)
        )  # the slow rounds are not what is counted
        three = self.count_lists()
        self.have(1)
        one = self.count_lists()
        say(f"list calls to Heat in {WINDOW:g} s for five waiting bays: one node {one}, three nodes {three}")
        self.assertGreater(one, 0)
        self.assertLessEqual(three, 1.5 * one + 2)
        for bay in bays:
            self.delete(bay)
        self.await_gone(*bays)
        self.assert_all_is_well()

    def count_lists(self) -> int:
        # However far apart they fell due at first, they are soon asked for together.
        for number, bay in enumerate(Bay.objects.filter(watched=True)):
            Bay.objects.filter(pk=bay.pk).update(not_before=Now() + timedelta(milliseconds=170 * number))
        end = time.monotonic() + WINDOW
        before = self.proxy.total("GET", "stacks")
        self.await_(lambda: time.monotonic() > end, "the time to count is over")
        return self.proxy.total("GET", "stacks") - before
