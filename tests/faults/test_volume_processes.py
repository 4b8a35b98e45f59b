"""Workers and nodes die or freeze in the middle of a long copy: it goes on elsewhere, and late bytes change nothing."""

from __future__ import annotations

import signal
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from chaos.processes import runs, send
from lifecycle.models import Node
from tests.faults.nodes import WholeNode
from tests.faults.storage_ground import MIB, scribble
from tests.faults.volume_base import VolumeFaultCase
from volumes.models import Pool, Snapshot, Volume


class ProcessTests(VolumeFaultCase):
    told = {**VolumeFaultCase.told, "ROADSTEAD_COPY_SLICE": "3"}  # whoever holds a copy holds it for a while
    rate = 2 * MIB

    def old_and_new(self) -> tuple[Volume, Snapshot, str, str]:
        """Return a volume, its snapshot, and the contents of the snapshot and of the volume."""
        volume = self.created("slow")
        old = self.content(volume)
        snapshot = self.snap(volume)
        self.await_status("available", snapshot)
        return volume, snapshot, old, scribble(self.path(volume), self.rng)

    def taken_over(self, *rows: Volume | Snapshot) -> bool:
        wanted = {row.pk for row in rows}
        return wanted <= {event.resource_id for event in self.events("take_over")}

    def frozen(self, node: WholeNode) -> uuid.UUID:
        """Freeze the node's worker with its children; return the worker's Node."""
        worker = node.worker_node()
        assert worker is not None
        tree = node.worker_tree()
        self.addCleanup(send, tree, signal.SIGCONT)
        send(tree, signal.SIGSTOP)
        return worker.pk

    def frozen_with(self, row: Volume) -> tuple[WholeNode, uuid.UUID]:
        """Freeze the worker that copies the row; return its node, and the worker's Node."""
        while True:
            node = self.node_of(self.under_way(row))
            worker = self.frozen(node)
            if self.now_of(row).holder_id == worker:
                return node, worker
            send(node.worker_tree(), signal.SIGCONT)  # it has just handed it on

    def awake(self, node: WholeNode, worker: uuid.UUID) -> None:
        """Let the frozen worker go on, and wait until it has come to see that it is too late, or was ended for that."""
        _, *children = tree = node.worker_tree()
        send(tree, signal.SIGCONT)

        def over() -> bool:
            refused = Node.objects.filter(pk=worker, stale_refused__gt=0).exists()
            # Or the time limit of a step came first.
            timed_out = node.said("SoftTimeLimitExceeded") or not all(map(runs, children))
            return refused or timed_out or node.said("double prevented")

        self.await_(over, "its late write is refused")

    def test_a_frozen_worker_wakes_after_the_user_has_written_and_changes_no_byte(self) -> None:
        volume, snapshot, old, new = self.old_and_new()
        self.revert(volume, snapshot)
        node, worker = self.frozen_with(volume)
        frozen_at = self.now()
        self.await_status("available", volume)
        self.assertTrue(self.taken_over(volume))
        self.assertEqual(self.content(volume), old)
        attachment = self.attach(volume)
        written = scribble(self.path(volume), self.rng)
        self.awake(node, worker)
        self.assertEqual(self.content(volume), written)
        self.assertNotIn(written, {old, new})
        self.say_take_overs("SIGSTOP of a worker in the middle of a revert", frozen_at, "volumes")
        self.detach(attachment)
        self.assert_all_is_well()

    def test_a_frozen_clone_wakes_after_its_successor_was_written_to_or_deleted(self) -> None:
        volume, snapshot, old, new = self.old_and_new()
        kept, deleted = self.clone(snapshot), self.clone(volume)
        self.under_way(deleted)
        node, worker = self.frozen_with(kept)  # whether it holds the other copy too is left to chance
        self.await_status("available", kept, deleted)
        self.assertEqual((self.content(kept), self.content(deleted)), (old, new))
        written = scribble(self.path(kept), self.rng)
        self.delete(deleted)
        self.await_gone(deleted)
        self.awake(node, worker)
        self.assertEqual(self.content(kept), written)
        self.assertFalse(self.path(deleted).exists())
        self.assert_all_is_well()

    def test_a_killed_child_and_a_killed_worker_lose_a_second_of_copying_each(self) -> None:
        volume, snapshot, old, new = self.old_and_new()
        clones = [self.clone(snapshot), self.clone(volume)]
        for clone in reversed(clones):
            self.under_way(clone)
        killed_at = self.now()
        send([self.under_way(clones[0]).holder_pid], signal.SIGKILL)
        send([self.node_of(self.under_way(clones[1])).pid("worker")], signal.SIGKILL)
        self.await_status("available", *clones)
        self.assertTrue(self.taken_over(clones[0]))
        self.assertEqual([self.content(clone) for clone in clones], [old, new])
        self.say_take_overs("kill -9 in the middle of a copy", killed_at, "volumes")
        self.assert_all_is_well()

    def test_a_node_that_is_killed_whole_is_made_up_for_by_the_one_that_serves_both(self) -> None:
        """The N+1 layout: node3 does the work of node1, and of node2 as before."""
        _, snapshot, old, _ = self.old_and_new()
        first, _, third = self.nodes
        everything = first.everything()
        self.addCleanup(first.await_ready)
        first.hold()
        self.addCleanup(first.release)
        self.await_(lambda: not any(map(runs, everything)), "nothing of node1 is left")
        made = [self.create("fast", node=1) for _ in range(4)]
        self.await_status("available", *made)
        worker = third.worker_node()
        assert worker is not None
        done = {
            event.node_id for event in self.events("created") if event.resource_id in {v.pk for v in made}
        }
        self.assertEqual(done, {worker.pk})
        clone = self.clone(snapshot, node=1)
        victim = self.node_of(self.under_way(clone))
        killed_at = self.now()
        send(victim.everything(), signal.SIGKILL)
        self.await_status("available", clone)
        self.assertEqual(self.content(clone), old)
        self.say_take_overs("the end of a whole node in the middle of a copy", killed_at, "volumes")
        victim.await_ready()
        self.assert_all_is_well()

    def went_on(self, clone: Volume) -> bool:
        """Tell whether a step of its copy has ended, or all of it."""
        found = self.now_of(clone)
        return bool(found.copied > 0 or found.status == "available")

    def test_copies_go_on_while_the_broker_forgets_all_and_is_gone(self) -> None:
        volume = self.created("slow")
        data = self.content(volume)
        clones = [self.clone(volume) for _ in range(4)]
        for clone in clones[:2]:
            self.under_way(clone)
        self.ground.broker.forget()
        self.await_(lambda: self.went_on(clones[0]), "they go on")
        self.ground.kill("valkey")
        self.addCleanup(self.ground.restart, "valkey")
        late = [self.create("fast") for _ in range(3)]  # accepted all the same
        self.assertEqual(Volume.objects.filter(pk__in=[each.pk for each in late]).count(), 3)
        self.ground.restart("valkey")
        self.await_status("available", *clones, *late)
        self.assertEqual({self.content(clone) for clone in clones}, {data})
        self.assert_all_is_well()

    def test_of_a_hundred_creates_that_three_apis_take_at_once_as_many_are_accepted_as_there_is_room_for(
        self,
    ) -> None:
        room = Pool.objects.get(pk="fast#one").promisable_gb
        size = room // 51 + 1
        self.assertEqual(room // size, 50)

        def ask(number: int) -> int:
            body = {"volume": {"size": size, "volume_type": "fast"}}
            for _ in range(
                20
            ):  # one after the other once it is full: who waits too long is told to come again
                answer = self.request("POST", "volume/v3/volumes", body, node=number % 3)
                if answer.status_code != 503:
                    break
            return answer.status_code

        with ThreadPoolExecutor(16) as pool:
            answers = Counter(pool.map(ask, range(100)))
        self.assertEqual(answers, {202: 50, 409: 50})
        self.assertEqual(Pool.objects.get(pk="fast#one").allocated_gb, 50 * size)
        self.await_status("available", *Volume.objects.all())
        self.assert_all_is_well()
