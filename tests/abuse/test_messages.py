"""Messages that no bell of ours is (18): nothing is executed, nothing changes, and the worker lives on."""

from __future__ import annotations

import uuid
from typing import Any

from django.test import TestCase

from bays.models import Bay
from bays.tasks import advance_bay
from lifecycle.models import Event
from tests import make
from volumes.models import Volume
from volumes.tasks import advance_connection, advance_snapshot, advance_volume

FORGED = (
    "",
    "x",
    "%00",
    "\x00",
    "1",
    "../x",
    "0" * 10_000,
    str(uuid.UUID(int=0)),
    "{'$ne': 1}",
    str(uuid.uuid4()),
)


class MessageTests(TestCase):
    def setUp(self) -> None:
        make.pool()
        make.volume_type()
        self.bay, self.volume = make.bay("CREATE_COMPLETE"), make.volume("available")

    def rows(self) -> list[Any]:
        return [list(Bay.objects.values()), list(Volume.objects.values()), Event.objects.count()]

    def test_ids_that_are_none_of_ours_do_nothing(self) -> None:
        before = self.rows()
        tasks: tuple[Any, ...] = (advance_bay, advance_volume, advance_snapshot, advance_connection)
        for task in tasks:
            for pk in (*FORGED, None, 7, [], {}, str(self.bay.operation_id)):
                with self.subTest(task.name, pk=str(pk)[:20]):
                    task(pk=pk)
        self.assertEqual(self.rows(), before)

    def test_an_old_bell_and_one_for_another_kind_do_nothing(self) -> None:
        before = self.rows()
        tasks: tuple[Any, ...] = (advance_bay, advance_volume)
        for task in tasks:
            for row in (self.bay, self.volume):
                for _ in range(3):
                    task(pk=str(row.pk), epoch=0, status="DELETE_IN_PROGRESS", operation="delete")
        self.assertEqual(self.rows(), before)
