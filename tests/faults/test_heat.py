"""Heat dies, answers late or wrongly, or loses stacks: one stack per bay, and no bay is stuck."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable

from django.db.models.functions import Now

from bays.models import Bay
from bays.states import Health, Status
from chaos.heat_proxy import Fault, Spoil
from chaos.processes import send
from clouds.heat import StackRequest
from deploy import ready
from lifecycle.models import Operation
from sync import invariants
from sync.models import Cursor
from sync.orphans import ORPHANS
from sync.stacks import DRIFT
from tests.clouds import settled
from tests.faults.base import FaultTestCase

LATE = 4.0  # seconds, past the client's patience
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def lost_answers(method: str, kind: str) -> list[Fault]:
    """Ways for a call to take effect without a word of it that makes sense."""

    def spoil(how: Spoil, **more: object) -> Fault:
        return Fault(method, kind, how, **more)  # type: ignore[arg-type]

    return [
        spoil(Spoil.DELAY, seconds=LATE),
        spoil(Spoil.DROP_AFTER),
        spoil(Spoil.REPLACE, status=500),
        spoil(Spoil.REPLACE, status=502, body=HTML, content_type="text/html"),
        spoil(Spoil.REPLACE, status=201, body=b'{"stack": {"id": 7}}'),
    ]


class HeatTests(FaultTestCase):
    told = {"ROADSTEAD_CLOUD_QUIET": "20"}  # longer than a worker takes to start again

    def test_a_create_whose_answer_is_lost_is_adopted_not_repeated(self) -> None:
        self.proxy.faults = lost_answers("POST", "stacks")
        bays = self.create(len(self.proxy.faults))
        self.await_status(bays, Status.CREATE_COMPLETE)
        self.assertEqual([fault for fault in self.proxy.faults if fault.times], [])
        self.assertEqual(self.proxy.total("POST", "stacks"), len(bays))
        self.assert_all_is_well()

    def test_what_was_done_while_all_were_down_counts_though_its_deadline_has_passed(self) -> None:
        (bay,) = self.create(boot_seconds=20)
        waiting = Bay.objects.filter(pk=bay, watched=True)
        self.await_(waiting.exists, "it waits for Heat")
        self.have(0)
        waiting.update(deadline_at=Now())
        row = waiting.get()
        assert row.stack_id is not None
        settled(self.ground.heat, row.stack_id)
        self.proxy.faults = [Fault(None, None, Spoil.DROP_BEFORE, times=2)]  # Heat comes back a moment later
        self.have(1)
        self.await_status([bay], Status.CREATE_COMPLETE)
        self.assertEqual(self.proxy.total("POST", "stacks"), 1)
        self.assert_all_is_well()

    def test_an_update_whose_answer_is_lost_is_not_repeated(self) -> None:
        faults = lost_answers("PUT", "stack")[:4]  # Heat's answer to an update has no body to spoil
        bays = self.created(len(faults))
        self.proxy.faults = faults
        for bay in bays:
            self.resize(bay, 1)
        self.await_status(bays, Status.UPDATE_COMPLETE)
        self.assertEqual([fault for fault in self.proxy.faults if fault.times], [])
        self.assertEqual(self.proxy.total("PUT", "stack"), len(bays))
        addresses = Bay.objects.filter(pk__in=bays).values_list("node_addresses", flat=True)
        self.assertEqual([len(found) for found in addresses], [1] * len(bays))
        self.assert_all_is_well()

    def test_a_delete_whose_answer_is_lost_is_not_repeated(self) -> None:
        bays = self.created(3)
        for bay, fault in zip(bays, lost_answers("DELETE", "stack"), strict=False):
            # Heat answers a delete by id with a redirect, which passes; what it leads to is spoilt.
            self.proxy.calls.clear()
            self.proxy.faults = [Fault("DELETE", "stack", Spoil.DELAY), fault]
            self.delete(bay)
            self.await_gone(bay)
            self.assertEqual(fault.times, 0)
            self.assertEqual(self.proxy.total("DELETE", "stack"), 2)
        self.assert_all_is_well()

    def test_a_killed_heat_loses_only_what_it_had_begun_and_that_ends_at_our_deadline(self) -> None:
        (begun,) = self.create(boot_seconds=600)
        self.await_(lambda: Bay.objects.get(pk=begun).watched, "Heat works on the first bay")
        self.ground.kill("heat")
        self.addCleanup(self.restart_heat)
        with self.proxy.hold("POST", "stacks"):
            unsent = self.create(3)
            self.restart_heat()
        self.await_status(unsent, Status.CREATE_COMPLETE)
        self.assertEqual(Bay.objects.get(pk=begun).status, Status.CREATE_IN_PROGRESS)
        Bay.objects.filter(pk=begun).update(deadline_at=Now())
        self.await_status([begun], Status.CREATE_FAILED)
        self.assertIn("Deadline passed", Bay.objects.get(pk=begun).status_reason)
        self.delete(begun)
        self.await_gone(begun)
        self.assert_all_is_well()

    def restart_heat(self) -> None:
        self.ground.restart("heat")
        port = int(self.ground.cloud["OS_ENDPOINT"].split(":")[2].split("/")[0])
        child = self.ground.servers.supervisors["heat"]["heat"]
        ready.until(lambda: ready.answers(port, "/v1/roadstead/stacks?limit=1"), child, 60)

    def test_a_delete_overtakes_a_create_that_is_on_its_way_to_heat(self) -> None:
        with self.proxy.hold("POST", "stacks") as hold:
            (bay,) = self.create()
            self.await_(lambda: hold.held, "the create is on its way to Heat")
            self.delete(bay)
        self.assert_gone_without_a_trace(bay)

    def test_a_delete_waits_for_a_create_whose_answer_was_lost(self) -> None:
        self.proxy.faults = [Fault("POST", "stacks", Spoil.DROP_AFTER)]
        with self.proxy.hold("POST", "stacks") as hold:
            (bay,) = self.create()
            self.await_(lambda: hold.held, "the create is on its way to Heat")
            self.delete(bay)
        self.assert_gone_without_a_trace(bay)

    def test_a_delete_finds_the_stack_that_a_killed_worker_had_asked_for(self) -> None:
        (node,) = self.nodes
        with self.proxy.hold("POST", "stacks") as hold:
            (bay,) = self.create()
            self.await_(lambda: hold.held, "the create is on its way to Heat")
            self.delete(bay)
            self.proxy.calls.clear()
            send([node.pid("worker")], signal.SIGKILL)
            self.await_(
                lambda: self.proxy.total("GET", "stacks"), "whoever takes over looks, and finds nothing"
            )
            held = Bay.objects.filter(pk=bay, holder__isnull=False)
            self.await_(lambda: not held.exists(), "that look has come to its end")
            self.assertTrue(
                Bay.objects.filter(pk=bay).exists(), "gone, though its create may still take effect"
            )
        self.assert_gone_without_a_trace(bay)

    def assert_gone_without_a_trace(self, bay: uuid.UUID) -> None:
        self.await_gone(bay)
        states = dict(Operation.objects.filter(resource_id=bay).values_list("action", "state"))
        self.assertEqual(states, {"create": "SUPERSEDED", "delete": "COMPLETE"})
        self.assert_all_is_well()

    def test_a_stack_deleted_behind_our_back_fails_the_create(self) -> None:
        (bay,) = self.create(boot_seconds=600)
        self.await_(lambda: Bay.objects.get(pk=bay).watched, "Heat works on the bay")
        self.lose_stack(bay)
        self.await_status([bay], Status.CREATE_FAILED)
        self.assertIn("was not found in Heat", Bay.objects.get(pk=bay).status_reason)
        self.assert_all_is_well(without_stack=[bay])

    def test_a_stack_deleted_behind_our_back_makes_a_settled_bay_unhealthy(self) -> None:
        bay, other = self.created(2)
        self.lose_stack(bay)
        Cursor.objects.filter(job=DRIFT).update(not_before=Now())
        self.tick("sync.observe_drift")
        self.await_(lambda: Bay.objects.get(pk=bay).health_status == Health.UNHEALTHY, "the loss is observed")
        found = Bay.objects.get(pk=bay)
        self.assertEqual(found.status, Status.CREATE_COMPLETE)
        self.assertIn("DELETE_COMPLETE", found.health_status_reason["stack"])
        self.assertEqual(Bay.objects.get(pk=other).health_status, Health.HEALTHY)
        self.assert_all_is_well(without_stack=[bay])

    def test_a_stack_of_ours_without_a_bay_is_found_and_removed(self) -> None:
        gone, living = self.created(2)
        self.delete(gone)
        self.await_gone(gone)
        resources = {"one": {"type": "OS::Heat::TestResource"}}
        template = {"heat_template_version": "2021-04-16", "resources": resources}
        tags = ("roadstead", f"roadstead-bay-{gone}")
        orphan = self.ground.heat.create(StackRequest(f"orphan-{gone}", tags, template))
        self.await_(self.shows(orphan, "CREATE_COMPLETE"), "the orphan is there")
        (complaint,) = invariants.violations()
        self.assertIn(f"stack {orphan}", complaint)
        Cursor.objects.filter(job=ORPHANS).update(not_before=Now())
        self.tick("sync.remove_orphans")
        self.await_(self.shows(orphan, "DELETE_COMPLETE"), "the orphan is removed")
        self.assertEqual(list(Bay.objects.values_list("pk", flat=True)), [living])
        self.assert_all_is_well()

    def lose_stack(self, bay: uuid.UUID) -> None:
        stack_id = Bay.objects.get(pk=bay).stack_id
        assert stack_id is not None
        self.ground.heat.delete(stack_id)
        self.await_(self.shows(stack_id, "DELETE_COMPLETE"), "Heat has deleted the stack")

    def shows(self, stack_id: uuid.UUID, state: str) -> Callable[[], bool]:
        return lambda: self.ground.heat.show(stack_id).state == state
