"""A delegation that stops working while a bay needs it: it is said, waited for, and ended by another member."""

from __future__ import annotations

import time
from datetime import timedelta
from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from bays import delegations, parties
from bays.models import Bay
from bays.states import Status
from bays.steps.bays import STEPS
from lifecycle import leases
from lifecycle.advance import LAST_TRIES
from sync import stacks
from sync.stacks import DRIFT
from tests.owners.base import PATIENCE, OwnersCase

LONG = "600"  # seconds that a node takes which is still being made when the test is over


class Lost(OwnersCase):
    def waiting(self, user) -> Any:
        """Return a bay whose create is under way, as another worker finds it that knows no token yet."""
        bay = self.accepted(user=user, boot_seconds=LONG)
        bay = self.step(bay)
        self.assertTrue(bay.watched, bay.status_reason)
        return bay

    def forgotten(self):
        """Have this process be another one, which has no tokens."""
        delegations.forget()
        parties.forget()

    def taken_away(self) -> tuple[str, Any]:
        """Return a user who has lost their role, and their bay, which says so."""
        maker = self.a_user(("member", "demo"))
        bay = self.waiting(maker)
        kept = self.trust_of(bay)
        self.revoke("member", maker, "demo")
        self.forgotten()
        bay = self.step(bay)
        self.assertEqual((bay.status, bay.retries, bay.watched), (Status.CREATE_IN_PROGRESS, 1, False))
        self.assertGreater(bay.not_before, bay.updated_at)
        self.assertEqual(self.failure(bay)["code"], "delegation-lost")
        self.assertNotIn(kept, bay.status_reason)
        return maker, bay

    def test_a_role_that_is_taken_away_is_told_and_another_member_deletes_the_bay(self):
        """Our service user may remove trusts that do not work: it is an admin."""
        self.there.grant("admin", self.users["roadstead"], f"projects/{self.projects['service']}")
        self.addCleanup(self.revoke, "admin", "roadstead", "service")
        _, bay = self.taken_away()
        self.delete(bay)
        self.assertEqual(self.trusts(), [])

    def test_where_we_may_not_remove_the_old_delegation_heat_refuses_until_the_role_is_back(self):
        maker, bay = self.taken_away()
        self.assertEqual(self.ask("DELETE", f"/clusters/{bay.pk}").status_code, 204)
        bay = self.until(bay, Status.DELETE_FAILED)
        self.assertIn("Heat refused: ", bay.status_reason)
        self.there.grant("member", self.users[maker], f"projects/{self.projects['demo']}")
        self.delete(bay)

    def test_it_goes_on_when_the_role_is_back(self):
        maker = self.a_user(("member", "demo"))
        bay = self.accepted(user=maker)
        self.revoke("member", maker, "demo")
        self.assertEqual(self.step(bay).retries, 1)
        self.there.grant("member", self.users[maker], f"projects/{self.projects['demo']}")
        self.until(bay, Status.CREATE_COMPLETE)

    def test_the_deadline_ends_it_with_the_reason(self):
        maker = self.a_user(("member", "demo"))
        bay = self.accepted(user=maker)
        self.revoke("member", maker, "demo")
        self.step(bay)
        past = Now() - timedelta(seconds=1)
        Bay.objects.filter(pk=bay.pk).update(deadline_at=past, retries=LAST_TRIES)
        bay = self.step(bay)
        self.assertEqual(bay.status, Status.CREATE_FAILED)
        self.assertIn("Delegation: ", bay.status_reason)

    def test_a_user_who_is_deleted_takes_the_trust_along_and_another_member_deletes_the_bay(self):
        maker = self.a_user(("member", "demo"))
        bay = self.waiting(maker)
        self.there.remove("users", self.users[maker])
        self.forgotten()
        self.step(bay)
        self.assertEqual(self.failure(bay)["code"], "delegation-lost")
        self.delete(bay)
        self.assertEqual(self.trusts(), [])

    def test_a_trust_that_is_removed_behind_our_back_is_replaced_by_the_next_request(self):
        bay = self.waiting("demo")
        self.there._ask("DELETE", f"/OS-TRUST/trusts/{self.trust_of(bay)}")
        self.forgotten()
        self.step(bay)
        self.assertEqual(self.failure(bay)["code"], "delegation-lost")
        self.delete(bay)

    def test_while_keystone_is_down_a_create_waits_and_then_goes_on(self):
        bay = self.accepted()
        self.keystone_goes()
        bay = self.step(bay)
        self.assertEqual((bay.status, bay.retries), (Status.CREATE_IN_PROGRESS, 1))
        self.assertEqual(bay.sent_for, None)
        self.assertIn("Heat: ", bay.status_reason, "it is the cloud that is silent, not the delegation")
        self.keystone_is_back()
        bay = self.until(bay, Status.CREATE_COMPLETE)
        self.assertEqual(self.stacks(bay), [bay.stack_id])

    def test_a_row_with_another_bays_delegation_or_one_that_is_sealed_elsewhere_acts_for_nobody(self):
        one, other = self.accepted(), self.accepted()
        Bay.objects.filter(pk=one.pk).update(delegation=other.delegation)
        self.assertIn("another bay", self.step(one).status_reason)
        with self.settings(CERTIFICATE_KEYS=["x" * 32]):
            self.assertIn("CERTIFICATE_KEYS", self.step(other).status_reason)
        self.assertEqual(self.proxy.total("POST"), 0)
        self.assertEqual(self.until(other, Status.CREATE_COMPLETE).status, Status.CREATE_COMPLETE)

    def test_a_delegation_is_sealed_anew_under_another_secret(self):
        bay = self.accepted()
        kept, old = self.trust_of(bay), settings.CERTIFICATE_KEYS
        with self.settings(CERTIFICATE_KEYS=["x" * 32, *old]):
            call_command("reseal", stdout=StringIO())
        with self.settings(CERTIFICATE_KEYS=["x" * 32]):
            self.assertEqual(self.trust_of(bay), kept)
        with self.assertRaises(CommandError):
            call_command("reseal", stdout=StringIO(), stderr=StringIO())

    def test_bays_that_nobody_may_look_after_are_woken_and_settled_ones_say_so(self):
        maker, project = self.a_user(), ""
        project = self.a_project(maker)
        settled = self.created(user=maker, project=project)
        waiting = self.accepted(user=maker, project=project, boot_seconds=LONG)
        self.step(waiting)
        self.revoke("member", maker, project)
        self.forgotten()
        Bay.objects.filter(pk=waiting.pk).update(watched=True, not_before=Now() - timedelta(seconds=1))
        self.assertEqual(stacks.watch(), 1)
        self.assertFalse(Bay.objects.get(pk=waiting.pk).watched)
        for changed in (1, 0):
            self.a_round_begins(DRIFT)
            self.assertEqual(stacks.drift(), changed)
        self.assertEqual(Bay.objects.get(pk=settled.pk).health_status, "UNKNOWN")
        self.there.grant("member", self.users[maker], f"projects/{self.projects[project]}")
        self.forgotten()
        self.a_round_begins(DRIFT)
        self.assertEqual(stacks.drift(), 1)
        self.assertEqual(Bay.objects.get(pk=settled.pk).health_status, "HEALTHY")


class End(OwnersCase):
    """The last step of a bay gives its delegation back, whoever takes it and however often."""

    def at_the_end(self) -> Any:
        """Return a bay of which nothing is left but its row and its delegation."""
        bay = self.created()
        self.ask("DELETE", f"/clusters/{bay.pk}")
        self.step(bay)
        end = 0
        while self.heat().find(f"roadstead-bay-{bay.pk}") and end < 300:
            end += 1
        return bay

    def test_a_worker_that_dies_after_it_has_given_the_delegation_back_is_followed_by_one_that_ends_the_bay(
        self,
    ):
        bay = self.at_the_end()
        Bay.objects.filter(pk=bay.pk).update(watched=False, not_before=Now() - timedelta(seconds=1))
        held: Any = leases.claim(Bay, bay.pk)
        end = time.monotonic() + PATIENCE
        while self.trusts():  # its stack is told of as deleted a moment before it is gone
            STEPS[Status.DELETE_IN_PROGRESS](held)
            self.assertLess(time.monotonic(), end)
        dead = {"lease_until": Now() - timedelta(seconds=settings.LEASE)}
        Bay.objects.filter(pk=bay.pk).update(**dead)
        delegations.forget()
        self.assertIsNone(self.until(bay, None))

    def test_a_keystone_that_is_down_at_the_end_is_waited_for_a_little(self):
        bay = self.at_the_end()
        held: Any = None
        self.until_bare(bay)
        self.assertEqual(held, None)
        self.keystone_goes()
        delegations.forget()
        for retries in (1, 2, 3):
            self.assertEqual(self.step(bay).retries, retries)
        self.assertIsNone(self.step(bay))
        self.keystone_is_back()
        self.assertEqual(len(self.trusts()), 1, "for the round that looks for those that no bay keeps")

    def until_bare(self, bay):
        """Write down, as the step does, that nothing of the bay is left."""
        Bay.objects.filter(pk=bay.pk).update(change={"bare": True})
