"""One clock, the database's: that of a node may say what it likes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.db.models.functions import Now
from django.test import SimpleTestCase, TestCase
from django.utils import timezone

from bays.models import Bay
from lifecycle import leases
from tests import make

CORE = ("lifecycle", "workers", "sync", "bays", "volumes")
DISTRUSTS = {
    "bays/certificates.py",  # their times are for the clocks of others, and begin an hour early for that
    "sync/beat.py",  # looks whether its node's clock has jumped, since Celery's beat goes by it
}
OF_A_NODE = {
    ("timezone", "now"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("time", "time"),
    ("time", "time_ns"),
}


@contextmanager
def off_by(error: timedelta) -> Iterator[None]:
    """Have this process's clock be wrong by this much."""
    right = timezone.now
    with patch.object(timezone, "now", lambda: right() + error):
        yield


class ClockTests(TestCase):
    def within(self, column: str, least: timedelta, most: timedelta) -> bool:
        """Tell whether the bay's column is this far from now, as the database has it."""
        return Bay.objects.filter(
            **{f"{column}__gte": Now() + least, f"{column}__lte": Now() + most}
        ).exists()

    def test_a_node_whose_clock_is_wrong_holds_no_longer_and_no_shorter(self) -> None:
        lease = timedelta(seconds=settings.LEASE)
        for error in (timedelta(hours=1), timedelta(hours=-1)):
            bay = make.bay(name=f"bay{error}", model=make.baymodel())
            with off_by(error):
                held: Any = leases.claim(Bay, bay.pk)
                self.assertTrue(self.within("lease_until", timedelta(0), lease), "claimed")
                self.assertEqual([row.pk for row in leases.renew([Bay])], [bay.pk])
                self.assertTrue(self.within("lease_until", timedelta(0), lease), "renewed")
                leases.rest(held, after=lease)
                self.assertTrue(self.within("not_before", timedelta(0), lease), "rests")
                self.assertIsNone(leases.claim(Bay, bay.pk), "its time has not come")
            Bay.objects.all().delete()

    def test_the_clock_that_is_set_wrong_here_is_a_nodes(self) -> None:
        with off_by(timedelta(hours=1)):
            self.assertGreater(
                timezone.now() - datetime.now(timezone.get_current_timezone()), timedelta(minutes=59)
            )


class SourceTests(SimpleTestCase):
    def test_the_core_asks_no_node_what_time_it_is(self) -> None:
        asked = [
            f"{path.relative_to(settings.BASE_DIR)}:{node.lineno}"
            for package in CORE
            for path in sorted((settings.BASE_DIR / package).rglob("*.py"))
            if "migrations" not in path.parts and str(path.relative_to(settings.BASE_DIR)) not in DISTRUSTS
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
            if (node.value.id, node.attr) in OF_A_NODE
        ]
        self.assertEqual(asked, [])
