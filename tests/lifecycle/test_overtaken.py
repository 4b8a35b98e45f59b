"""A request may ask for the state that a row is in already: then only the operation tells whose work it is."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.test import TestCase

from lifecycle import leases, requests
from lifecycle.errors import Overtaken
from lifecycle.models import Operation
from lifecycle.requests import Asked
from tests import make
from volumes.models import Connection

ASKED = Asked("u" * 32, make.PROJECT)


class SameStateTests(TestCase):
    """A host that connects again, otherwise, while it is being connected."""

    def setUp(self) -> None:
        row = Connection(id=uuid.uuid4(), volume=make.volume("in-use"), host="h1", backend="fast", pool="one")
        with transaction.atomic():
            requests.birth(row, "connect", ASKED, name="h1")
        enter: Any = self.settings(SERVES=["fast"])
        self.enterContext(enter)
        held = leases.claim(Connection, row.pk)
        assert held is not None
        self.held = held
        self.second = requests.request(held.row, "connect", ASKED, name="h1", values={"read_only": True})

    def test_the_outcome_of_the_first_request_is_not_that_of_the_second(self) -> None:
        with self.assertRaises(Overtaken):
            leases.move(self.held, "connected", fields={"info": {"of": "the first"}})
        row = Connection.objects.get()
        self.assertEqual(
            (row.status, row.info, row.operation_id), ("connecting", None, self.second.operation_id)
        )
        states = dict(Operation.objects.filter(action="connect").values_list("pk", "state"))
        self.assertEqual(
            states, {self.held.operation_id: "SUPERSEDED", self.second.operation_id: "IN_PROGRESS"}
        )

    def test_the_second_is_due_at_once_however_long_the_first_would_rest(self) -> None:
        leases.rest(self.held, after=timedelta(hours=1), retry="out of reach")
        again = leases.claim(Connection, self.held.row.pk)
        assert again is not None
        self.assertEqual((again.row.operation_id, again.row.status_reason), (self.second.operation_id, ""))
