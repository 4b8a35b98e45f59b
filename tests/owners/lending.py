"""What a request lends: before it is accepted, given back if it is not, and made sure of by each change."""

from __future__ import annotations

import threading
import uuid
from unittest.mock import patch

from django.db import OperationalError, connection
from django.db.models.functions import Now
from psycopg2.errors import LockNotAvailable

from api.problems import Conflict
from bays import actions, delegations
from bays.lending import give_back, lent_for_new
from bays.models import Bay, Quota
from bays.states import Status
from sync.models import Stray
from sync.trusts import AGE, TRUSTS, remove_trusts
from tests.owners.base import OwnersCase

KEY = {"Idempotency-Key": "order 66"}


class Lending(OwnersCase):
    def test_a_create_that_is_refused_leaves_no_trust(self):
        Quota.objects.create(project_id=self.projects["demo"], hard_limit=0)
        self.assertIn("limit", self.error(self.ask("POST", "/clusters", self.wish()), 403)["detail"])
        unknown = {**self.wish(), "cluster_template_id": str(uuid.uuid4())}
        self.error(self.ask("POST", "/clusters", unknown), 400)
        self.error(self.ask("POST", "/clusters", unknown, **KEY), 400)
        self.assertEqual(self.trusts(), [])

    def test_what_cannot_be_understood_is_not_taken_to_keystone(self):
        self.ask("GET", "/clusters")  # from here on the token is known to this process
        self.keystone_goes()
        self.error(self.ask("POST", "/clusters", {**self.wish(), "node_count": "many"}), 400)

    def test_the_same_key_twice_makes_one_bay_and_leaves_one_trust(self):
        first, second = (self.ask("POST", "/clusters", self.wish(), **KEY) for _ in range(2))
        self.assertEqual((first.status_code, second.json()), (202, first.json()))
        bay = Bay.objects.get()
        self.assertEqual(self.trusts(), [self.trust_of(bay)])

    def test_a_key_that_is_forgotten_at_this_moment_makes_no_bay_without_a_trust(self):
        with patch("api.idempotency.is_known", return_value=True):  # it was, a moment ago
            self.error(self.ask("POST", "/clusters", self.wish(), **KEY), 409)
        self.assertFalse(Bay.objects.exists())
        self.assertEqual(self.trusts(), [])

    def test_what_was_lent_for_a_bay_is_not_written_to_another_that_has_its_name_by_now(self):
        self.ask("POST", "/clusters", self.wish())
        bay = Bay.objects.get()
        kept = bytes(bay.delegation or b"")
        other = lent_for_new(self.caller(), self.token())
        with self.assertRaises(Conflict):
            actions.delete(other, "", bay)
        give_back(other)
        bay.refresh_from_db()
        self.assertEqual(bytes(bay.delegation or b""), kept)

    def test_twins_under_one_key_leave_one_trust(self):
        """Both find the key unused, both are lent to; one of them carries the request out."""
        gate, token = threading.Barrier(2, timeout=60), self.token()
        lend = delegations.trustee().delegate

        def together(*args, **kwargs):
            lent = lend(*args, **kwargs)
            gate.wait()
            return lent

        answers = []

        def send():
            try:
                answers.append(self.ask("POST", "/clusters", self.wish(), token=token, **KEY))
            finally:
                connection.close()

        with patch.object(delegations.trustee(), "delegate", together):
            twins = [threading.Thread(target=send) for _ in range(2)]
            for twin in twins:
                twin.start()
            for twin in twins:
                twin.join()
        self.assertEqual({answer.content for answer in answers}, {answers[0].content})
        self.assertEqual(self.trusts(), [self.trust_of(Bay.objects.get())])

    def test_what_has_waited_too_long_for_a_lock_gives_its_trust_back(self):
        """The database has ended the transaction, so surely nothing was done."""
        waited = OperationalError("canceling statement due to lock timeout")
        waited.__cause__ = LockNotAvailable()
        with patch.object(actions, "create", side_effect=waited):
            self.error(self.ask("POST", "/clusters", self.wish()), 503)
        self.assertEqual(self.trusts(), [])

    def test_what_nobody_knows_the_outcome_of_keeps_its_trust(self):
        """The connection breaks in the commit: the bay may be there."""
        with patch.object(actions, "create", side_effect=OperationalError("gone")):
            self.error(self.ask("POST", "/clusters", self.wish()), 503)
        self.assertEqual(len(self.trusts()), 1)

    def test_a_token_that_may_not_delegate_is_told_what_to_do(self):
        own = self.keystone_as("demo")
        path = f"/users/{self.users['demo']}/application_credentials"
        for unrestricted in (False, True):  # Keystone 30 lets neither
            name = f"cred-{uuid.uuid4().hex[:8]}"
            told = {"name": name, "unrestricted": unrestricted}
            made = own._ask("POST", path, json={"application_credential": told})["application_credential"]
            token = self.login(
                {
                    "OS_AUTH_TYPE": "v3applicationcredential",
                    "OS_AUTH_URL": self.cloud.auth_url,
                    "OS_APPLICATION_CREDENTIAL_ID": made["id"],
                    "OS_APPLICATION_CREDENTIAL_SECRET": made["secret"],
                }
            )
            error = self.error(self.ask("POST", "/clusters", self.wish(), token=token), 403)
            self.assertEqual(error["code"], "container-infra.delegation-refused")
            self.assertIn("password", error["detail"])
        self.assertEqual((Bay.objects.count(), self.trusts()), (0, []))

    def test_while_keystone_is_down_the_request_may_come_again(self):
        self.ask("GET", "/clusters")
        self.keystone_goes()
        answer = self.ask("POST", "/clusters", self.wish())
        self.error(answer, 503)
        self.assertTrue(answer["Retry-After"])
        self.assertEqual(Bay.objects.count(), 0)

    def test_a_change_makes_sure_of_the_delegation_and_replaces_one_that_does_not_work(self):
        bay = self.created()
        kept = self.trust_of(bay)
        resize = f"/clusters/{bay.pk}/actions/resize"
        self.assertEqual(self.ask("POST", resize, {"node_count": 2}).status_code, 202)
        self.until(bay, Status.UPDATE_COMPLETE)
        self.assertEqual(self.trust_of(bay), kept, "it works, and stays")
        self.there._ask("DELETE", f"/OS-TRUST/trusts/{kept}")
        self.assertEqual(self.ask("POST", resize, {"node_count": 1}).status_code, 202)
        self.assertNotEqual(self.trust_of(bay), kept)
        bay = self.until(bay, Status.UPDATE_COMPLETE)
        self.assertEqual((bay.node_count, self.trusts()), (1, [self.trust_of(bay)]))

    def test_a_change_that_is_refused_gives_back_what_it_lent(self):
        bay = self.created()
        self.there._ask("DELETE", f"/OS-TRUST/trusts/{self.trust_of(bay)}")
        Bay.objects.filter(pk=bay.pk).update(status=Status.CREATE_FAILED)
        for headers in ({}, KEY):
            answer = self.ask("POST", f"/clusters/{bay.pk}/actions/resize", {"node_count": 2}, **headers)
            self.error(answer, 409)
        self.assertEqual(self.trusts(), [])
        self.assertEqual(self.ask("DELETE", f"/clusters/{bay.pk}").status_code, 204)
        self.assertEqual(len(self.trusts()), 1)

    def test_another_member_changes_and_deletes_a_bay(self):
        bay = self.created()
        other = self.a_user(("member", "demo"))
        kept = self.trust_of(bay)
        self.delete(bay, user=other)
        self.assertNotIn(kept, self.trusts())

    def test_an_admin_of_another_project_acts_under_the_delegation_that_is_there(self):
        bay = self.created()
        patch_health = [{"op": "replace", "path": "/health_status", "value": "UNHEALTHY"}]
        path = f"/clusters/{bay.pk}"
        self.there._ask("DELETE", f"/OS-TRUST/trusts/{self.trust_of(bay)}")
        answer = self.ask("DELETE", path, user="admin", project="admin")
        self.assertIn(f"a member of the project {bay.project_id}", self.error(answer, 403)["detail"])
        answer = self.ask("PATCH", path, patch_health, user="admin", project="admin")
        self.assertEqual(
            (answer.status_code, self.trusts()), (202, []), "what is said of its health asks nobody"
        )
        Bay.objects.filter(pk=bay.pk).update(delegation=None)
        with self.settings(DELEGATED_ROLES=["member", "reader"]):
            bay = self.created()
        self.assertEqual(
            self.ask("DELETE", f"/clusters/{bay.pk}", user="admin", project="admin").status_code, 204
        )
        self.until(bay, None)

    def test_a_bay_that_was_accepted_before_stays_in_the_service_project(self):
        with self.settings(IDENTITY="own"):
            bay = self.accepted()
        self.assertEqual((bay.delegation, self.trusts()), (None, []))
        bay = self.until(bay, Status.CREATE_COMPLETE)
        self.assertEqual(self.stacks(bay, "roadstead", "service"), [bay.stack_id])
        self.assertEqual(
            self.ask("POST", f"/clusters/{bay.pk}/actions/resize", {"node_count": 2}).status_code, 202
        )
        self.until(bay, Status.UPDATE_COMPLETE)
        self.delete(bay)
        self.assertEqual(self.trusts(), [])


class Late(OwnersCase):
    """Delegations that stop working while work waits: see also `tests.owners.lost`."""

    def test_a_request_that_died_before_it_was_accepted_leaves_a_trust_that_is_found(self):
        token = self.token()
        lent_for_new(self.caller(), token)
        kept = self.trust_of(self.accepted())
        self.assertEqual(len(self.trusts()), 2)
        self.a_round_begins(TRUSTS)
        self.assertEqual((remove_trusts(), Stray.objects.count()), (0, 1))
        self.assertEqual(len(self.trusts()), 2, "it may be just about to be written down")
        Stray.objects.update(found_at=Now() - 2 * AGE)
        self.assertEqual(remove_trusts(), 0, "the round rests")
        self.a_round_begins(TRUSTS)
        self.assertEqual((remove_trusts(), self.trusts()), (1, [kept]))
