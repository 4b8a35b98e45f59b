"""What is expected of an operation: learned from those alike, few of them, whatever the history."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import connection
from django.test import TestCase
from django.utils import timezone

from lifecycle import durations
from lifecycle.durations import LATEST, LEAST, sized
from lifecycle.models import Operation
from tests.bays.base import Statements


def done(seconds, *, alike="demo vm, nodes 2-3", ago=0, state="COMPLETE", action="create"):
    end = timezone.now() - timedelta(seconds=ago)
    return Operation.objects.create(
        resource_type="bay",
        resource_id=uuid.uuid4(),
        resource_name="one",
        project_id="p",
        user_id="u",
        action=action,
        alike=alike,
        state=state,
        created_at=end - timedelta(seconds=seconds),
        finished_at=end,
    )


class DurationTests(TestCase):
    def test_too_few_are_no_experience(self):
        wanted = [durations.like(done(1)) for _ in range(LEAST - 1)]
        self.assertEqual(durations.expected(wanted), {})
        done(1)
        self.assertEqual(durations.expected(wanted)[wanted[0]].samples, LEAST)

    def test_the_median_and_what_nine_of_ten_took(self):
        rows = [done(seconds) for seconds in range(1, 11)]
        found = durations.expected([durations.like(rows[0])])[durations.like(rows[0])]
        self.assertEqual((found.median, found.most), (timedelta(seconds=5.5), timedelta(seconds=9.1)))

    def test_what_failed_or_was_overtaken_or_is_not_alike_does_not_count(self):
        rows = [done(1) for _ in range(LEAST)]
        for _ in range(LEAST):
            done(1000, state="FAILED")
            done(1000, state="SUPERSEDED")
            done(1000, alike="demo vm, nodes 8-15")
            done(1000, action="update")
            done(1000, alike="")
        wanted = durations.like(rows[0])
        self.assertEqual(durations.expected([wanted])[wanted].most, timedelta(seconds=1))
        self.assertEqual(durations.expected([("bay", "create", "")]), {})

    def test_only_the_latest_are_looked_at_by_the_index_in_one_statement(self):
        for number in range(LATEST + 30):
            done(1 if number < LATEST else 500, ago=number)
        Operation.objects.bulk_create(  # what else is done meanwhile, and must not be looked through
            Operation(
                resource_type="bay",
                resource_id=uuid.uuid4(),
                resource_name="one",
                project_id="p",
                user_id="u",
                action="update",
                alike=f"demo vm, nodes {number % 50}",
                state="COMPLETE",
                finished_at=timezone.now(),
            )
            for number in range(3000)
        )
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {Operation._meta.db_table}")
        wanted = ("bay", "create", "demo vm, nodes 2-3")
        with Statements() as statements:
            found = durations.expected([wanted, ("bay", "create", "other")])
        self.assertEqual(len(statements.work), 1)
        self.assertEqual((found[wanted].samples, found[wanted].most), (LATEST, timedelta(seconds=1)))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {statements.work[0]}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        self.assertIn("operation_alike", plan)
        self.assertNotIn("Sort Key: one.finished_at", plan)

    def test_sizes_are_classed_by_powers_of_two(self):
        classes = [sized(number) for number in (0, 1, 2, 3, 4, 7, 8, 1000)]
        self.assertEqual(classes, ["0", "1", "2-3", "2-3", "4-7", "4-7", "8-15", "512-1023"])
