"""The last unit goes to one of any number of requests, also while the limit of its type is only being set."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import OperationalError

from api.problems import BadRequest, OverQuota
from sync.invariants.volumes import quotas_equal_what_is_there
from tests import make
from tests.races.base import RaceTestCase, raised
from volumes.actions import quotas, types, volumes
from volumes.actions.volumes import Wish
from volumes.models import Quota, TypeQuota, Volume, VolumeType

WIDTH = 16
ROUNDS = 5


class QuotaRaceCase(RaceTestCase):
    def setUp(self):
        make.pool(room=10_000)
        make.volume_type()
        self.gold = make.volume_type("gold")
        self.projects = iter(f"{number:032x}" for number in range(1000))

    def tearDown(self):
        self.assertEqual(list(quotas_equal_what_is_there()), [])

    def create(self, project, kind="gold", size=1):
        return volumes.create(make.caller(project=project), "", Wish(size=size, type=kind))

    def made(self, results: Sequence[object]) -> int:
        """Check that all the others were told of the limit, and return how many won."""
        won = sum(isinstance(result, Volume) for result in results)
        self.assertEqual(len(raised(results, OverQuota)), len(results) - won, results)
        return won


class LastUnitTests(QuotaRaceCase):
    def test_the_last_unit_of_each_limit_goes_to_one_of_sixteen(self):
        for limit, size in (
            ({"volumes": 3}, 1),
            ({"gigabytes": 9}, 3),
            ({"volumes_gold": 3}, 1),
            ({"gigabytes_gold": 9}, 3),
        ):
            with self.subTest(limit=limit):
                project = next(self.projects)
                quotas.set_limits(project, {"volumes": -1, "gigabytes": -1, **limit}, check=False)
                for _ in range(2):
                    self.create(project, size=size)
                results = self.race(*[partial(self.create, project, size=size)] * WIDTH)
                self.assertEqual(self.made(results), 1)
                self.assertIn(next(iter(limit)), str(raised(results, OverQuota)[0]))

    def test_the_last_unit_of_a_limit_that_holds_by_default_goes_to_one_of_sixteen(self):
        """Nobody has counted the type in this project yet, and all sixteen are about to."""
        quotas.set_defaults("default", {"volumes": -1, "volumes_gold": 3})
        for _ in range(ROUNDS):
            project = next(self.projects)
            make.volume(project_id=project, type=self.gold)
            self.create(project)
            self.assertEqual(self.made(self.race(*[partial(self.create, project)] * WIDTH)), 1)


class SetLimitTests(QuotaRaceCase):
    def test_creates_against_the_setting_of_their_types_limit_lose_not_one_unit(self):
        """Whichever order they come in: what was made before is counted, what comes after is held to the limit."""
        for number in range(ROUNDS * 2):
            project = next(self.projects)
            quotas.set_limits(project, {"volumes": -1}, check=False)
            setting = partial(quotas.set_limits, project, {"volumes_gold": 4}, check=False)
            creates: list[partial[object]] = [partial(self.create, project)] * (WIDTH - 1)
            racers: list[partial[Any]] = [*creates[:number], setting, *creates[number:]]
            results = self.race(*racers)
            set_ = results.pop(number)
            self.assertIsNone(set_)
            won = self.made(results)
            row = TypeQuota.objects.get(project_id=project)
            self.assertEqual((row.volumes, row.gigabytes), (won, won))
            self.assertGreaterEqual(won, 4)
            self.assertEqual(self.made(self.race(*[partial(self.create, project)] * 4)), 0)

    def test_sixteen_settings_count_a_type_once(self):
        project = next(self.projects)
        make.volume(project_id=project, type=self.gold, size=2)
        settings = [
            partial(quotas.set_limits, project, {"volumes_gold": n}, check=False) for n in range(WIDTH)
        ]
        self.assertEqual(self.race(*settings), [None] * WIDTH)
        row = TypeQuota.objects.get()
        self.assertEqual((row.volumes, row.gigabytes), (1, 2))
        self.assertEqual(Quota.objects.get(pk=project).typed, [str(self.gold.pk)])

    def test_limits_set_for_other_types_at_once_are_all_kept(self):
        project = next(self.projects)
        names = [make.volume_type(f"t{number}").name for number in range(WIDTH)]
        self.race(
            *(partial(quotas.set_limits, project, {f"volumes_{name}": 1}, check=False) for name in names)
        )
        self.assertEqual(len(Quota.objects.get(pk=project).typed), WIDTH)
        defaults = [partial(quotas.set_defaults, "default", {f"volumes_{name}": 1}) for name in names]
        self.assertEqual(self.race(*defaults), [None] * WIDTH)
        limits = quotas.default_limits(make.caller("admin"))
        self.assertEqual({limits[f"volumes_{name}"] for name in names}, {1})


class TypeDeletionTests(QuotaRaceCase):
    def test_a_type_deleted_against_creates_of_it_leaves_no_volume_without_one(self):
        for number in range(ROUNDS):
            kind = make.volume_type(f"silver{number}")
            project = next(self.projects)
            quotas.set_limits(project, {f"volumes_{kind.name}": 10}, check=False)
            creates: list[partial[object]] = [partial(self.create, project, kind.name)] * (WIDTH - 1)
            deleted, *created = self.race(partial(types.delete, kind), *creates)
            won = sum(isinstance(result, Volume) for result in created)
            self.assertEqual(raised([deleted, *created], OperationalError), [])
            self.assertIsInstance(deleted, BadRequest if won else type(None))
            self.assertEqual(VolumeType.objects.filter(name=kind.name).exists(), won > 0)
            self.assertEqual(Volume.objects.filter(project_id=project).count(), won)
