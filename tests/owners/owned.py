"""A bay's stack is in its owner's project, by a delegation that goes no further and ends with the bay."""

from __future__ import annotations

from bays.models import Bay
from tests.owners.base import OwnersCase


class OwnedStack(OwnersCase):
    def test_a_stack_is_in_its_owners_project_and_nowhere_else(self):
        bay = self.created()
        self.assertEqual(self.stacks(bay), [bay.stack_id])
        self.assertEqual(self.stacks(bay, "roadstead", "service"), [])
        self.assertEqual(self.stacks(bay, "stranger", "alt"), [])
        self.assertEqual(
            self.ask("GET", f"/clusters/{bay.pk}", user="stranger", project="alt").status_code, 404
        )
        self.assertEqual(
            self.ask("DELETE", f"/clusters/{bay.pk}", user="stranger", project="alt").status_code, 404
        )

    def test_the_delegation_is_narrow_and_kept_sealed(self):
        bay = self.accepted(user="admin")
        trust_id = self.trust_of(bay)
        told = self.trust_told(trust_id)
        self.assertEqual({role["name"] for role in told["roles"]}, {"member", "reader"})
        self.assertEqual(told["project_id"], self.projects["demo"])
        self.assertEqual(told["trustor_user_id"], self.users["admin"])
        self.assertNotIn(trust_id.encode(), bytes(bay.delegation or b""))
        shown = self.ask("GET", f"/clusters/{bay.pk}", user="admin").content
        self.assertNotIn(trust_id.encode(), shown)

    def test_the_trust_is_gone_with_the_bay(self):
        bay = self.created()
        self.assertEqual(self.trusts(), [self.trust_of(bay)])
        self.delete(bay)
        self.assertEqual((self.trusts(), Bay.objects.count()), ([], 0))
