"""Storage goes away, fills up and turns read-only; operators send nodes away and freeze back-ends: nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest import skipIf

from django.db.models.functions import Now

from chaos.processes import send
from tests.faults.nodes import WholeNode
from tests.faults.storage_ground import MIB, mounted, prepared, read_only, scribble
from tests.faults.volume_base import VolumeFaultCase
from tests.faults.whole import say
from volumes.models import Message, Pool, Snapshot, Volume

SERVED = 1.5  # seconds, above a node's SERVING_CACHE


class TroubleTests(VolumeFaultCase):
    told = {
        **VolumeFaultCase.told,
        "ROADSTEAD_COPY_SLICE": "3",  # whoever holds a copy holds it for a while
        "ROADSTEAD_LEASE": "15",  # nobody dies here, however slow the machine
        "ROADSTEAD_STEP_LIMIT": "20",
        "ROADSTEAD_STALL": "30",
    }
    rate = 2 * MIB
    node_count = 2
    layout = ("fast,slow",)

    def slow(self) -> Pool:
        return Pool.objects.get(pk="slow#one")

    def await_down(self) -> None:
        self.await_(lambda: self.slow().down_since, "the back-end is marked down")

    def await_up(self) -> None:
        began = time.monotonic()
        self.await_(lambda: self.slow().down_since is None, "the back-end is up again")
        say(f"up again {time.monotonic() - began:.1f} s after its storage was back")

    def await_no_place(self, why: str) -> None:
        """Wait until nothing new is placed in the back-end; an API remembers for a second what the pools were like."""
        body = {"volume": {"size": 1, "volume_type": "slow"}}

        def refused() -> bool:
            answer = self.request("POST", "volume/v3/volumes", body)
            self.assertIn(answer.status_code, {409, 503}, answer.text)
            return answer.status_code == 503 and why in answer.text

        self.await_(refused, f"it is said that {why}", 10)

    @contextmanager
    def small(self, size: int) -> Iterator[Path]:
        """Mount a file system of this size where the slow back-end has its pool."""
        path = self.yard.pool("slow")
        with mounted(path, "-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
            prepared(path)
            self.report()
            self.await_(lambda: self.slow().total_gb < 1, "it has reported its size")
            yield path
        self.report()
        self.await_(lambda: self.slow().total_gb > 1, "it has reported its size again")

    def report(self) -> None:
        Pool.objects.filter(backend="slow").update(report_due=Now())

    def clear_away(self) -> None:
        for volume in Volume.objects.filter(backend="slow"):
            self.delete(volume, cascade=True)
        self.await_gone(*Volume.objects.filter(backend="slow"))

    # --- storage --------------------------------------------------------------------------------------------
    def test_a_directory_that_goes_away_in_the_middle_of_a_copy_is_waited_for(self) -> None:
        volume = self.created("slow")
        data = self.content(volume)
        doomed = self.created("slow")
        clone = self.clone(volume)
        self.under_way(clone)
        with self.yard.gone("slow"):
            self.await_down()
            self.await_no_place("take no volumes now")
            self.delete(doomed)
            elsewhere = self.created("__DEFAULT__")
            self.assertEqual(elsewhere.backend, "fast")
            self.await_(lambda: self.now_of(doomed).retries, "the delete is tried, in vain")
            self.assertIn("cannot be reached", self.now_of(doomed).status_reason)
            self.assertEqual(self.now_of(clone).status, "creating")
        self.await_up()
        self.await_status("available", clone)
        self.await_gone(doomed)
        self.assertEqual(self.content(clone), data)
        self.assertFalse(self.yard.volume("fast", clone.pk).exists())
        self.assert_all_is_well()

    def test_a_new_volume_whose_pool_is_gone_is_made_elsewhere(self) -> None:
        Pool.objects.filter(backend="fast").update(disabled=True)  # so that it is placed in the one that goes
        later = Now() + timedelta(minutes=1)  # nobody looks yet
        Pool.objects.filter(backend="slow").update(report_due=later)
        with self.yard.gone("slow"):
            moved = self.create("__DEFAULT__")
            self.assertEqual(moved.backend, "slow")
            Pool.objects.filter(backend="fast").update(disabled=False)
            self.await_status("available", moved)
        found = self.now_of(moved)
        self.assertEqual((found.backend, [each["pool"] for each in found.tried]), ("fast", ["slow#one"]))
        self.await_up()
        self.assert_all_is_well()

    def test_a_full_pool_fails_the_copy_says_so_and_leaves_no_part_of_it(self) -> None:
        with self.small(16 * MIB):
            volume = self.create("slow")
            self.await_status("available", volume)
            data = scribble(self.path(volume), self.rng, 12 * MIB)
            clone = self.clone(volume)
            self.await_(lambda: self.now_of(clone).status == "error", "the clone fails")
            self.assertIn("No space left", self.now_of(clone).status_reason)
            self.assertIn("No space left", Message.objects.get(resource_id=clone.pk).user_message)
            self.report()
            # A report that was asked for while the part was there may still come: until the next there is no room.
            snapshot = self.await_(lambda: self._snap_if_room(volume), "the part's room is free again")
            assert snapshot is not None
            self.await_(lambda: self.now_of(snapshot).status == "error", "the snapshot fails")
            self.assertEqual((self.parts(), self.content(volume)), ([], data))
            self.assertIsNone(self.slow().down_since)  # full is not down
            self.assert_all_is_well()
            self.ask("DELETE", f"snapshots/{snapshot.pk}")
            self.await_gone(snapshot)
            self.clear_away()
        self.assert_all_is_well()

    def _snap_if_room(self, volume: Volume) -> Snapshot | None:
        if self.slow().free_promisable_gb <= 0:
            return None
        try:
            return self.snap(volume)
        except AssertionError as refused:
            if "takes no" not in str(refused):
                raise
        return None

    def test_what_cannot_be_written_is_down_until_it_can(self) -> None:
        volume = self.created("slow")
        data, clone = self.content(volume), self.clone(volume)
        self.under_way(clone)
        with read_only(self.yard.pool("slow")):
            self.await_down()
            self.await_(lambda: self.now_of(clone).retries, "the copy is tried again, in vain")
            self.assertIn("Read-only", self.now_of(clone).status_reason)
            self.await_no_place("take no volumes now")
        self.await_up()
        self.await_status("available", clone)
        self.assertEqual(self.content(clone), data)
        self.assert_all_is_well()

    @skipIf(os.geteuid() == 0, "Root is denied nothing.")
    def test_what_may_not_be_entered_is_down_until_it_may(self) -> None:
        volume = self.created("slow")
        path = self.yard.pool("slow")
        path.chmod(0)
        self.addCleanup(path.chmod, 0o700)
        self.delete(volume)
        self.await_down()
        path.chmod(0o700)
        self.await_up()
        self.await_gone(volume)
        self.assert_all_is_well()

    # --- operators ------------------------------------------------------------------------------------------
    def tell(self, what: str, **body: object) -> None:
        self.ask("PUT", f"os-services/{what}", body, by="admin")

    def tell_node(self, node: WholeNode, what: str) -> None:
        began = time.monotonic()
        words = {"disable": "told not to serve", "enable": "told to serve a back-end again"}[what]
        before = sum(log.read_text(errors="replace").count(words) for log in node.logs())
        self.tell(what, binary="cinder-volume", host=f"{node.name}@fast")
        self.await_(
            lambda: sum(log.read_text(errors="replace").count(words) for log in node.logs()) > before,
            f"{node.name} hears it",
        )
        time.sleep(SERVED)  # there is nothing to wait on: each child believes for so long what it has read
        say(f"{what}: heard after {time.monotonic() - began:.1f} s")

    def test_a_node_that_is_disabled_leaves_the_work_to_the_other_and_joins_again(self) -> None:
        for leaves, stays in (self.nodes, self.nodes[::-1]):
            self.tell_node(leaves, "disable")
            worker = stays.worker_node()
            assert worker is not None
            made = [self.create("fast") for _ in range(6)]
            self.await_status("available", *made)
            done = {
                e.node_id for e in self.events("created") if e.resource_id in {volume.pk for volume in made}
            }
            self.assertEqual(done, {worker.pk})
            self.tell_node(leaves, "enable")
        self.assert_all_is_well()

    def test_a_frozen_back_end_finishes_what_it_has_begun_and_begins_nothing(self) -> None:
        volume = self.created("slow")
        data, clone = self.content(volume), self.clone(volume)
        self.under_way(clone)
        self.tell("freeze", host="roadstead@slow")
        try:
            self.await_status("available", clone)
            self.assertEqual(self.content(clone), data)
            snapshot = {"snapshot": {"volume_id": str(volume.pk)}}
            self.assertIn("frozen", self.refused(400, "POST", "snapshots", snapshot))
            self.assertIn("frozen", self.refused(400, "DELETE", f"volumes/{volume.pk}"))
            self.await_no_place("take no volumes now")
        finally:
            self.tell("thaw", host="roadstead@slow")
        self.delete(volume)
        self.await_gone(volume)
        self.assert_all_is_well()

    def test_a_worker_that_drains_hands_its_copies_on_and_nothing_is_taken_from_it(self) -> None:
        volume = self.created("slow")
        data, clone = self.content(volume), self.clone(volume)
        node = self.node_of(self.under_way(clone))
        worker = node.pid("worker")
        send([worker], signal.SIGTERM)
        self.await_status("available", clone)
        self.await_(lambda: node.said(f"worker (pid {worker}) died, status 0"), "it has left in peace")
        self.assertEqual((self.events("give_up"), self.events("take_over")), ([], []))
        self.assertEqual(self.content(clone), data)
        node.await_ready()
        self.assert_all_is_well()
