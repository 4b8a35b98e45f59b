"""The verdict on a run of real rows and files: well when all is well, and each planted harm is seen for what it is."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from django.test import TestCase
from django.utils import timezone

from chaos.history import Call
from chaos.linearizable import Answer
from chaos.verdict import Harm, Verdict, judge
from identity.models import Project
from lifecycle.models import Event, Node, Operation
from tests import make
from tests.volumes.storing import Stored
from volumes.actions import volumes
from volumes.actions.volumes import Wish
from volumes.models import Connection, Quota, Volume

ONE = "one"


class Here:
    """A ground on which Django is set up already."""

    def look(self) -> None:
        pass


class VerdictTests(Stored, TestCase):
    def setUp(self):
        self.set_up_storage(self)
        Project.objects.create(id=make.PROJECT, name=ONE)
        self.calls: list[Call] = []
        self.clock = 0
        self.volume = self.created("v1")

    # --- a run ----------------------------------------------------------------------------------------------
    def call(self, action: str, resource: str | None, status: int | None, **told: Any) -> str:
        """Record a call, and return its request id, under which it is to be carried out."""
        answer, key, error = told.pop("answer", None), told.pop("key", None), told.pop("error", "")
        request_id = told.pop("request_id", None) or f"req-{uuid.uuid4()}"
        self.clock += 10
        args = {"tenant": ONE, "request_id": request_id, **told}
        times = (self.clock, self.clock + 5)
        self.calls.append(
            Call(0, len(self.calls), action, resource, args, key, *times, status, answer, error)
        )
        return request_id

    def created(self, name: str) -> Volume:
        request_id = f"req-{uuid.uuid4()}"
        volume: Volume = self.work(volumes.create(self.by, request_id, Wish(size=1, name=name)))
        answer = {"id": str(volume.pk), "size": 1}
        self.call(
            "volume.create", str(volume.pk), 202, answer=answer, name=name, key=name, request_id=request_id
        )
        return volume

    def extended(self, size: int) -> None:
        request_id = self.call("volume.extend", str(self.volume.pk), 202, new_size=size, key=f"to {size}")
        self.volume = self.work(volumes.extend(self.by, request_id, self.volume, size, in_use=False))

    def judged(self) -> Verdict:
        return judge(Here(), self.calls, [], with_heat=False)

    def assert_harm(self, harm: Harm, said: str, *others: Harm) -> None:
        """Assert that this harm was found, and none but `others` besides."""
        found = {each: sentences for each, sentences in self.judged().harms.items() if sentences}
        self.assertIn(harm, found)
        self.assertIn(said, " | ".join(found[harm]))
        self.assertEqual(found.keys() - {harm, *others}, set(), found)

    # --- and what is said of it -----------------------------------------------------------------------------
    def test_it_finds_nothing_where_all_is_well(self):
        self.extended(2)
        request_id = self.call("volume.delete", str(self.volume.pk), 202, cascade=False)
        self.work(volumes.delete(self.by, request_id, self.volume))
        verdict = self.judged()
        self.assertTrue(verdict.ok, verdict.harms)
        self.assertEqual(verdict.checked["volume", Answer.YES], 1)
        self.assertEqual(verdict.outcomes["volume delete", "COMPLETE"], 1)

    def test_an_accepted_request_of_which_nothing_is_known(self):
        self.call("volume.create", str(uuid.uuid4()), 202, answer={"size": 1}, name="v2", key="v2")
        self.assert_harm(Harm.LOST, "no operation knows of it", Harm.UNEXPLAINED)

    def test_a_request_that_was_carried_out_twice(self):
        unanswered = self.calls[0].args["request_id"], f"req-{uuid.uuid4()}"
        self.calls.insert(0, replace(self.calls[0], status=None, args={**self.calls[0].args}))
        self.calls[0].args["request_id"] = unanswered[1]
        self.work(volumes.create(self.by, unanswered[1], Wish(size=1, name="v1")))
        self.assert_harm(Harm.DOUBLED, "was carried out 2 times")

    def test_a_request_that_was_refused_and_carried_out(self):
        self.extended(2)
        self.calls[-1] = replace(self.calls[-1], status=409, error="being read by somebody")
        self.assert_harm(Harm.WRONG, "was refused and carried out", Harm.UNEXPLAINED)

    def test_a_file_that_is_gone(self):
        self.file(self.volume).unlink()
        self.assert_harm(Harm.LOST, "should be stored")

    def test_a_file_of_nobody(self):
        (self.root / "fast" / "volumes" / str(uuid.uuid4())).write_bytes(b"")
        self.assert_harm(Harm.ORPHAN, "which no row and no record knows")

    def test_a_row_that_never_comes_to_rest(self):
        request_id = self.call("volume.extend", str(self.volume.pk), 202, new_size=2, key="x")
        volumes.extend(self.by, request_id, self.volume, 2, in_use=False)
        self.assert_harm(Harm.STUCK, "is still extending")

    def test_attempts_that_ran_out(self):
        self.extended(2)
        Operation.objects.filter(action="extend").update(reason="Gave up after 20 attempts.", state="FAILED")
        Event.objects.filter(event="extended").delete()
        self.assert_harm(Harm.STUCK, "Gave up after 20 attempts", Harm.LOST, Harm.WRONG)

    def test_a_failure_that_has_a_reason_is_counted_and_no_harm(self):
        pool = self.root / "fast" / "volumes"
        request_id = self.call("volume.extend", str(self.volume.pk), 202, new_size=3, key="x")
        volume = volumes.extend(self.by, request_id, self.volume, 3, in_use=False)
        (pool / str(volume.pk)).unlink()
        self.work(volume)
        verdict = self.judged()
        self.assertEqual(sum(verdict.failed.values()), 1, verdict.failed)
        self.assertTrue(verdict.ok, verdict.harms)

    def test_a_quota_that_counts_wrongly(self):
        Quota.objects.update(gigabytes=7)
        self.assert_harm(Harm.WRONG, "its quota says 7")

    def test_a_state_that_no_order_of_the_calls_explains(self):
        Volume.objects.update(name="another")
        self.assert_harm(Harm.UNEXPLAINED, f"name {self.volume.pk}: 1 of 2 calls make sense")

    def test_a_connection_for_nobody(self):
        Volume.objects.update(status="in-use")
        Connection.objects.create(
            volume=self.volume,
            backend="fast",
            pool="one",
            host="host",
            connector={},
            status="connected",
        )
        self.assert_harm(Harm.ORPHAN, "for nobody", Harm.WRONG, Harm.UNEXPLAINED)

    def test_it_counts_the_writes_that_were_refused(self):
        self.calls[0] = replace(self.calls[0], begun=0)
        Node.objects.update(stale_refused=3, seen_at=timezone.now())
        self.assertEqual(self.judged().stale_refused, 3)

    def test_what_the_harness_saw_stuck_is_stuck(self):
        verdict = judge(Here(), self.calls, [], ["node2 is not up"], with_heat=False)
        self.assertEqual(verdict.harms[Harm.STUCK], ["node2 is not up"])
        self.assertFalse(verdict.ok)
