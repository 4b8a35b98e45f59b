"""What the descriptions allow, and what not, sent by Schemathesis: no fault of ours, no answer that is not described.

`make fuzz EXAMPLES=200 SEED=7 PHASES=coverage,fuzzing` goes further than `make test`, which sends a few of each.
"""

from __future__ import annotations

from api.versions import BLOCK_STORAGE, CONTAINER_INFRA, IDENTITY
from tests.fuzz.base import FuzzCase


class DescriptionTests(FuzzCase):
    def test_an_admin_of_bays(self):
        self.fuzz(CONTAINER_INFRA, "admin")

    def test_a_member_of_bays(self):
        self.fuzz(CONTAINER_INFRA, "member", version=None)

    def test_an_admin_of_volumes(self):
        self.fuzz(BLOCK_STORAGE, "admin")

    def test_a_member_of_volumes(self):
        self.fuzz(BLOCK_STORAGE, "member", version=None)

    def test_an_admin_of_users(self):
        self.fuzz(IDENTITY, "admin")

    def test_nobody(self):
        self.fuzz(IDENTITY, None)
