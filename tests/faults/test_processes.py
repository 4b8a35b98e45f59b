"""Processes of a node die or freeze in the middle of their work: nothing is lost, nothing is done twice."""

from __future__ import annotations

import signal
import uuid
from datetime import timedelta

from django.db.models.functions import Now

from bays.models import Bay
from bays.states import Status
from chaos.processes import runs, send
from lifecycle.models import Node
from tests.faults.base import FaultTestCase
from tests.faults.ground import Hold
from tests.faults.nodes import WholeNode

PATIENT = {  # what is held back is not given up meanwhile, however slow the machine
    "ROADSTEAD_CLOUD_TIMEOUT": "10",
    "ROADSTEAD_CLOUD_QUIET": "10",
    "ROADSTEAD_STEP_LIMIT": "60",
}


class OneNodeTests(FaultTestCase):
    told = {**PATIENT, "ROADSTEAD_LEASE": "15", "ROADSTEAD_STALL": "30"}

    def test_it_gives_up_the_row_of_a_killed_child_at_once_and_leaves_its_siblings_alone(self) -> None:
        with self.proxy.hold("POST", "stacks") as hold:
            bays = self.create(2)
            self.await_(lambda: hold.held == 2, "both creates are on their way to Heat")
            victim, sibling = Bay.objects.filter(pk__in=bays)
            assert victim.holder_pid is not None
            killed_at = self.now()
            send([victim.holder_pid], signal.SIGKILL)
            gave_up = self.await_(lambda: self.events("give_up"), "the child's row is given up")
            self.assertEqual(
                [(event.resource_id, event.reason) for event in gave_up],
                [(victim.pk, f"worker process {victim.holder_pid} died")],
            )
            sibling_now = Bay.objects.get(pk=sibling.pk)
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assertEqual(
            (sibling_now.holder_id, sibling_now.holder_pid, sibling_now.epoch),
            (sibling.holder_id, sibling.holder_pid, sibling.epoch),
        )
        self.assertEqual([event.resource_id for event in self.events("take_over")], [victim.pk])
        self.say_take_overs("kill -9 of a prefork child", killed_at)
        self.assert_all_is_well()

    def test_a_worker_that_is_told_to_stop_finishes_its_steps_and_claims_no_more(self) -> None:
        (node,) = self.nodes
        worker = node.worker_node()
        assert worker is not None
        with self.proxy.hold("POST", "stacks") as hold:
            under_way = self.create(2)
            self.await_(lambda: hold.held == 2, "both creates are on their way to Heat")
            send([worker.pid], signal.SIGTERM)
            self.await_(lambda: Node.objects.get(pk=worker.pk).draining, "the worker drains")
            late = self.create(2)
        self.await_(
            lambda: node.said(f"worker (pid {worker.pid}) died, status 0"), "the worker has left in peace"
        )
        worker.refresh_from_db()
        self.assertIsNotNone(worker.stopped_at)
        self.assertEqual(self.held_by_node(worker), [])
        self.assertEqual(Bay.objects.filter(pk__in=under_way, stack_id__isnull=False).count(), 2)
        self.await_status([*under_way, *late], Status.CREATE_COMPLETE)
        self.assertEqual(
            (self.events("give_up"), self.events("take_over"), self.events("retry")), ([], [], [])
        )
        self.assertEqual(Bay.objects.filter(pk__in=late, epoch__gt=0).count(), 2)
        self.assertNotIn(
            worker.pk, {event.node_id for event in self.events("created") if event.resource_id in late}
        )
        self.assert_all_is_well()

    def test_a_node_that_is_told_to_stop_finishes_its_steps_and_leaves_in_peace(self) -> None:
        (node,) = self.nodes
        worker, pids = node.worker_node(), node.everything()
        assert worker is not None
        with self.proxy.hold("POST", "stacks") as hold:
            bays = self.create(2)
            self.await_(lambda: hold.held == 2, "both creates are on their way to Heat")
            send(pids[:1], signal.SIGTERM)
            self.await_(lambda: Node.objects.get(pk=worker.pk).draining, "the worker drains")
        self.await_(lambda: node.deaths, "the node has left")
        self.assertEqual(node.deaths, [0])
        self.assertEqual([pid for pid in pids if runs(pid)], [])
        self.assertEqual(self.held_by_node(worker), [])
        self.assertEqual(Bay.objects.filter(pk__in=bays, stack_id__isnull=False).count(), 2)
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assertEqual(
            (self.events("give_up"), self.events("take_over"), self.events("retry")), ([], [], [])
        )
        self.assert_all_is_well()

    def held_by_node(self, worker: Node) -> list[Bay]:
        return list(Bay.objects.filter(holder=worker))


class HardLimitTests(FaultTestCase):
    told = {"ROADSTEAD_STEP_LIMIT": "18"}

    def test_a_frozen_child_loses_its_row_though_its_parent_lives(self) -> None:
        with self.proxy.hold("POST", "stacks") as hold:
            bays = self.create(2)
            self.await_(lambda: hold.held == 2, "both creates are on their way to Heat")
            victim = Bay.objects.filter(pk__in=bays)[0]
            child = victim.holder_pid
            assert child is not None
            self.addCleanup(send, [child], signal.SIGCONT)
            send([child], signal.SIGSTOP)
        self.await_(lambda: not runs(child), "the hard time limit ends the frozen child")
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assertEqual({event.resource_id for event in self.events("take_over")}, {victim.pk})
        self.assert_all_is_well()


class TwoNodesTests(FaultTestCase):
    """One node loses its worker, or the worker its mind; the other goes on."""

    node_count = 2
    # The client's patience is longer than two thirds of a lease, so that a step can be held for longer than that.
    told = PATIENT

    def under_way(self, hold: Hold, node: WholeNode, count: int = 8) -> tuple[list[uuid.UUID], list[Bay]]:
        """Create bays whose calls to Heat are held; return their ids, and the rows that the node holds."""
        bays = self.create(count)
        wanted = min(count, 8)
        self.await_(lambda: hold.held >= wanted, "every child of both nodes holds a row")
        return bays, self.await_(lambda: self.held_by(node), f"{node.name} holds some of them")

    def test_what_a_killed_worker_held_is_given_up_and_taken_over(self) -> None:
        node = self.nodes[0]
        worker, *children = node.worker_tree()
        with self.proxy.hold("POST", "stacks") as hold:
            bays, held = self.under_way(hold, node)
            killed_at = self.now()
            send([worker], signal.SIGKILL)
            self.await_(lambda: self.events("give_up"), "the supervisor gives up what the worker held")
        # Killed by the kernel before anybody was told of their parent's death; a busy machine buries them later.
        self.await_(lambda: not any(map(runs, children)), "its children died with it")
        gave_up = self.events("give_up")
        self.assertEqual({event.resource_id for event in gave_up}, {row.pk for row in held})
        self.assertEqual({event.reason for event in gave_up}, {f"worker {worker} ended with status -9"})
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assertEqual({e.resource_id for e in self.events("take_over")}, {row.pk for row in held})
        self.say_take_overs("kill -9 of a worker", killed_at)
        self.assert_all_is_well()

    def test_what_a_frozen_worker_writes_late_is_refused(self) -> None:
        node = self.nodes[0]
        tree = node.worker_tree()
        worker = node.worker_node()
        assert worker is not None
        self.addCleanup(send, tree, signal.SIGCONT)
        with self.proxy.hold("POST", "stacks") as hold:
            bays, held = self.under_way(hold, node)
            frozen_at = self.now()
            send(tree, signal.SIGSTOP)
        mine = {row.pk for row in held}
        self.await_(lambda: mine <= {e.resource_id for e in self.events("take_over")}, "all are taken over")
        self.await_status(bays, Status.CREATE_COMPLETE)
        epochs = dict(Bay.objects.values_list("pk", "epoch"))
        send(tree, signal.SIGCONT)
        self.await_(
            lambda: Node.objects.get(pk=worker.pk).stale_refused >= len(mine), "each late write is refused"
        )
        self.assertEqual(dict(Bay.objects.values_list("pk", "epoch")), epochs)
        self.say_take_overs("SIGSTOP of a worker and its children", frozen_at)
        self.assert_all_is_well()

    def test_children_of_a_frozen_worker_stop_within_their_lease(self) -> None:
        node = self.nodes[0]
        parent, worker = node.pid("worker"), node.worker_node()
        assert worker is not None
        self.addCleanup(send, [parent], signal.SIGCONT)
        unsafe = timedelta(seconds=5 * 2 / 3 + 0.1)
        with self.proxy.hold("GET", "stacks") as hold:
            bays, held = self.under_way(hold, node)
            send([parent], signal.SIGSTOP)
            frozen = Node.objects.filter(pk=worker.pk, seen_at__lt=Now() - unsafe)
            self.await_(frozen.exists, "two thirds of the lease have passed without a renewal")
        self.await_(
            lambda: node.said("lease lost during a step"), "a child notices that its lease is not safe"
        )
        self.await_status(bays, Status.CREATE_COMPLETE)
        # No call of theirs has reached Heat: each row was sent once, and by the other node.
        self.assertEqual(self.proxy.total("POST", "stacks"), len(bays))
        finished = {e.node_id for e in self.events("created") if e.resource_id in {row.pk for row in held}}
        self.assertNotIn(worker.pk, finished)
        send([parent], signal.SIGCONT)
        self.await_(lambda: not frozen.exists(), "the worker renews again")
        self.created()
        self.assert_all_is_well()
