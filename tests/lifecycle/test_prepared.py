"""Statements that are run often are planned once; those that are not, or no more, prepared are run as they are."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.db import DatabaseError, connection, transaction
from django.test import TransactionTestCase, override_settings

from bays.models import Bay, Quota, unchanged
from lifecycle import guarded, leases, local, prepared
from lifecycle.prepared import OFTEN, fetched
from lifecycle.requests import Asked, birth
from tests import make
from volumes.models import Pool, Volume
from volumes.models import Quota as VolumeQuota
from volumes.models.quotas import Amounts

COUNT = "UPDATE lifecycle_node SET stale_refused = stale_refused + %s WHERE id = %s RETURNING stale_refused"


class PreparedTests(TransactionTestCase):
    def setUp(self) -> None:
        connection.close()  # what was prepared before is gone with it
        self.node = make.node()
        self.addCleanup(setattr, prepared, "_kept_by_server", True)
        self.addCleanup(connection.close)

    def count(self, times: int = 1) -> int:
        for _ in range(times):
            ((counted,),) = fetched(COUNT, [1, self.node.pk])
        return int(counted)

    def on_server(self) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT statement, calls FROM (SELECT statement, generic_plans + custom_plans AS calls "
                "FROM pg_prepared_statements WHERE name LIKE 'roadstead%') AS ours ORDER BY statement"
            )
            return list(cursor.fetchall())

    def test_a_statement_that_is_run_often_is_prepared_and_does_the_same(self) -> None:
        self.assertEqual(self.count(OFTEN), OFTEN)
        self.assertEqual(self.on_server(), [])
        self.assertEqual(self.count(4), OFTEN + 4)
        ((statement, calls),) = self.on_server()
        self.assertIn("stale_refused + $1", statement)
        self.assertEqual(calls, 4)

    def test_one_that_the_server_has_dropped_is_run_once_and_nothing_is_prepared_any_more(self) -> None:
        self.count(OFTEN + 2)
        with connection.cursor() as cursor:
            cursor.execute("DEALLOCATE ALL")  # as a pooler does, or as another session of it looks
        self.assertEqual(self.count(), OFTEN + 3)
        self.assertEqual(self.count(OFTEN + 2), 2 * OFTEN + 5)
        self.assertEqual(self.on_server(), [])

    def test_a_new_connection_prepares_anew(self) -> None:
        self.count(OFTEN + 2)
        connection.close()
        self.assertEqual(self.count(OFTEN + 2), 2 * OFTEN + 4)
        ((_, calls),) = self.on_server()
        self.assertEqual(calls, 2)

    def test_within_a_transaction_nothing_is_put_at_risk(self) -> None:
        self.count(OFTEN + 2)
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("DEALLOCATE ALL")
            self.count()
        self.assertEqual(self.count(), OFTEN + 4)

    def test_what_cannot_be_prepared_is_run_as_it_is(self) -> None:
        anything = "SELECT pg_typeof(%s)::text"
        found = [fetched(anything, [5]) for _ in range(OFTEN + 3)]
        self.assertEqual(found[0], found[-1])

    def test_a_migration_under_way_is_not_noticed(self) -> None:
        self.count(OFTEN + 2)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE lifecycle_node ALTER stale_refused TYPE numeric")
            self.addCleanup(self.back)
        self.assertEqual(self.count(2), OFTEN + 4)

    def back(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE lifecycle_node ALTER stale_refused TYPE bigint")

    def test_an_error_of_the_statement_itself_is_not_run_again(self) -> None:
        self.count(OFTEN + 2)
        for _ in range(2):
            with self.assertNumQueries(1), self.assertRaises(DatabaseError):
                fetched(COUNT, [2**63 - 1, self.node.pk])
        self.assertEqual(self.count(), OFTEN + 3)

    @override_settings(DATABASE_PREPARES=False)
    def test_it_can_be_told_not_to(self) -> None:
        self.assertEqual(self.count(OFTEN + 2), OFTEN + 2)
        self.assertEqual(self.on_server(), [])


class GuardedWritesTests(TransactionTestCase):
    """Each hot write can be prepared; a claim finds its row by the index of what is due, whatever it is given."""

    def setUp(self) -> None:
        connection.close()
        self.addCleanup(connection.close)
        self.node = make.node()
        self.enterContext(patch.object(local, "node_id", self.node.pk))
        self.pool, self.kind = make.pool(), make.volume_type()
        self.enterContext(patch.object(prepared, "OFTEN", 0))
        self.warnings = self.enterContext(patch.object(prepared.log, "warning"))

    def tearDown(self) -> None:
        self.warnings.assert_not_called()

    def prepared(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT string_agg(statement, ';') FROM pg_prepared_statements WHERE name LIKE 'roadstead%'"
            )
            ((text,),) = cursor.fetchall()
        return str(text)

    def test_a_birth_with_all_that_it_needs(self) -> None:
        VolumeQuota.objects.create(project_id=make.PROJECT)
        counted = VolumeQuota.reservation(
            make.PROJECT, self.kind.pk, Amounts(volumes=1, gigabytes=1), largest=1
        )
        assert counted is not None
        values = {
            "project_id": make.PROJECT,
            "user_id": "u",
            "type": self.kind,
            "size": 1,
            "availability_zone": "nova",
        }
        volume = Volume(backend=self.pool.backend, pool=self.pool.name, metadata={"a": "%s"}, **values)
        provided = [counted, Pool.reservation(self.pool.pk, 1)]
        birth(volume, "create", Asked("u" * 32, make.PROJECT), name="", provided=provided)
        self.assertIn("INSERT INTO volumes_volume", self.prepared())
        self.assertEqual(Volume.objects.get().metadata, {"a": "%s"})

    def test_the_birth_of_a_bay(self) -> None:
        Quota.objects.create(project_id=make.PROJECT)
        model = make.baymodel()
        bay = Bay(project_id=make.PROJECT, user_id="u", name="bay1", baymodel=model)
        provided = [unchanged(model), Quota.reservation(make.PROJECT)]
        birth(bay, "create", Asked("u" * 32, make.PROJECT), name="bay1", provided=provided)
        self.assertIn("INSERT INTO bays_bay", self.prepared())

    def test_claims_rests_moves_and_renewals(self) -> None:
        for again in (False, True):
            bay = make.bay("CREATE_IN_PROGRESS")
            held = leases.claim(Bay, bay.pk) if again else leases.claim_next(Bay)
            assert held is not None
            leases.renew([Bay])
            leases.note(held, sends=1)
            leases.rest(held, after=timedelta(0), retry="Heat is away")
            held = leases.claim(Bay, bay.pk)
            assert held is not None
            stack = uuid.uuid4()
            leases.move(held, "created", fields={"stack_id": stack, "node_addresses": ["10.0.0.1"]})
            self.assertEqual(Bay.objects.get(pk=bay.pk).stack_id, stack)
        self.assertEqual(self.prepared().count("WITH won AS (UPDATE"), 4)

    def test_a_claim_that_is_planned_without_its_parameters_uses_the_index_of_what_is_due(self) -> None:
        statement = guarded.claiming_next(Bay).part(holder=self.node.pk, pid=1, lease=timedelta(seconds=5))
        numbered = statement.sql % tuple(f"${n}" for n in range(1, len(statement.params) + 1))
        with connection.cursor() as cursor:
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            cursor.execute("SET enable_seqscan = off")
            cursor.execute(f"PREPARE claim AS {numbered}")
            cursor.execute(
                f"EXPLAIN EXECUTE claim ({', '.join(['%s'] * len(statement.params))})", statement.params
            )
            plan = "\n".join(line for (line,) in cursor.fetchall())
        self.assertIn("bay_due", plan)
