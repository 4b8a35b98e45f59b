"""Authorities of bays, and quotas: one winner each, and whoever reads sees the winner's."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from functools import partial

from django.db import IntegrityError, connection, transaction

from api.problems import Conflict, NotFound
from bays import actions, authorities, limits
from bays.models import Authority, Bay, Quota
from bays.states import Status
from lifecycle.errors import StateConflict
from lifecycle.models import Event, Operation
from tests import make
from tests.races.base import RaceTestCase, raised

WIDTH = 8
ROUNDS = 5
WAITING = """
    SELECT count(DISTINCT pid) FROM pg_locks AS waits JOIN pg_locks AS holds USING (pid)
    JOIN pg_database ON pg_database.oid = holds.database AND datname = current_database()
    WHERE NOT waits.granted
"""  # pg_stat_activity is looked at once in a transaction


class CertificateRaceTests(RaceTestCase):
    def setUp(self) -> None:
        self.caller = make.caller()
        self.model = make.baymodel()

    def settled(self, number: int = 0) -> Bay:
        return make.bay(Status.CREATE_COMPLETE, name=f"bay{number}", model=self.model)

    def found(self, bay: Bay) -> Bay:
        return Bay.objects.select_related("baymodel").get(pk=bay.pk)

    def show(self, bay: Bay) -> Authority:
        return authorities.authority_of(bay)

    def rotate(self, bay: Bay) -> None:
        authorities.rotate(self.caller, "", self.found(bay))

    def behind_a_lock(self, bay: Bay, *racers: Callable[[], None]) -> list[Exception | None]:
        """Let the racers go while the bay is locked, and unlock it once all of them wait for it."""
        results: list[list[Exception | None]] = []
        with transaction.atomic():
            Bay.objects.select_for_update().get(pk=bay.pk)
            run = threading.Thread(target=lambda: results.append(self.race(*racers)))
            run.start()
            end = time.monotonic() + 20
            waiting = 0
            while waiting < len(racers) and time.monotonic() < end:
                with connection.cursor() as cursor:
                    cursor.execute(WAITING)
                    (waiting,) = cursor.fetchone()
        run.join()
        self.assertEqual(waiting, len(racers))
        return results[0]

    def test_of_all_first_readers_one_makes_the_authority_and_all_see_it(self) -> None:
        for number in range(ROUNDS):
            bay = self.found(self.settled(number))
            shown = self.race(*[partial(self.show, bay)] * WIDTH)
            self.assertEqual(raised(shown, Exception), [])
            kept = Authority.objects.get(pk=bay.pk)
            self.assertEqual({row.pem for row in shown if isinstance(row, Authority)}, {kept.pem})

    def test_of_all_who_replace_the_same_authority_one_does(self) -> None:
        for number in range(ROUNDS):
            bay = self.settled(number)
            was = authorities.authority_of(self.found(bay))
            results = self.behind_a_lock(bay, *[partial(self.rotate, bay)] * WIDTH)
            self.assertEqual(len(raised(results, Conflict)), WIDTH - 1, results)
            now = Authority.objects.get(pk=bay.pk)
            self.assertEqual((now.generation, now.pem == was.pem), (2, False))
            self.assertEqual(Operation.objects.filter(resource_id=bay.pk, action="rotate_ca").count(), 1)
            self.assertEqual(Event.objects.filter(resource_id=bay.pk, event="rotate_ca").count(), 1)

    def test_a_bay_that_is_being_deleted_gets_no_new_authority(self) -> None:
        for number in range(ROUNDS):
            bay = self.settled(number)
            authorities.authority_of(self.found(bay))

            def delete(bay: Bay = bay) -> None:
                actions.delete(self.caller, "", self.found(bay))

            *rotated, deleted = self.race(*[partial(self.rotate, bay)] * WIDTH, delete)
            self.assertIsNone(deleted)
            refused = [*raised(rotated, StateConflict), *raised(rotated, Conflict)]
            self.assertEqual(len(refused) + rotated.count(None), WIDTH, rotated)
            replaced = Event.objects.filter(resource_id=bay.pk, event="rotate_ca").count()
            self.assertEqual(Authority.objects.get(pk=bay.pk).generation, 1 + replaced)
            last = Event.objects.filter(resource_id=bay.pk).order_by("pk").last()
            assert last is not None
            self.assertEqual(
                (last.event, Bay.objects.get(pk=bay.pk).status), ("delete", Status.DELETE_IN_PROGRESS)
            )

    def test_no_authority_outlives_its_bay(self) -> None:
        for number in range(ROUNDS * 2):
            bay = self.found(self.settled(number))

            def end(pk: uuid.UUID = bay.pk) -> None:
                Bay.objects.filter(pk=pk)._raw_delete("default")

            shown, ended = self.race(partial(self.show, bay), end)
            self.assertIsNone(ended)
            self.assertIsInstance(shown, Authority | NotFound | IntegrityError)
            self.assertFalse(Authority.objects.exists())


class QuotaRaceTests(RaceTestCase):
    def test_of_all_who_give_a_project_a_quota_one_does(self) -> None:
        for number in range(ROUNDS):
            project = f"project{number}"
            if number % 2:  # it has bays already, or is just getting its first
                Quota.reserve(project)
            give = [partial(limits.set_quota, project, limit) for limit in range(WIDTH)]
            reserve = partial(Quota.reserve, project)
            *given, _ = self.race(*give, reserve)
            self.assertEqual(len(raised(given, Conflict)), WIDTH - 1, given)
            (won,) = [row for row in given if isinstance(row, Quota)]
            self.assertEqual(Quota.objects.get(pk=project).hard_limit, won.hard_limit)

    def test_a_limit_that_is_set_while_bays_are_accepted_loses_no_count(self) -> None:
        for number in range(ROUNDS):
            project = f"project{number}"
            limits.set_quota(project, 100)
            change = [partial(limits.change_quota, project, 50 + limit) for limit in range(4)]
            results = self.race(*[partial(Quota.reserve, project)] * WIDTH, *change)
            self.assertEqual(raised(results, Exception), [])
            self.assertEqual(Quota.objects.get(pk=project).used, WIDTH)
