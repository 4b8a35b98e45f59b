"""A volume that is accepted in one statement: what a process remembers of the catalog decides nothing by itself."""

from __future__ import annotations

from django.test import override_settings

from tests import make
from tests.bays.base import Statements
from tests.volumes.base import VolumesCase
from volumes import placement
from volumes.actions import encryption, types, typing
from volumes.actions.volumes import creating
from volumes.models import Pool, Quota, TypeQuota, Volume
from volumes.models import quotas as quotas_module

LUKS = {"provider": "luks", "control_location": "front-end"}


@override_settings(CATALOG_CACHE=3600)
class RememberedTests(VolumesCase):
    """The catalog was looked up before, and was changed since."""

    def setUp(self):
        super().setUp()
        self.forget()
        self.addCleanup(self.forget)
        self.gold = make.volume_type("gold")
        self.ok(self.create(), 202)
        Volume.objects.all().delete()
        Quota.objects.update(volumes=0, gigabytes=0)
        creating._step_by_step._held.clear()  # the project's quota was made just now

    def forget(self):
        placement._lately, quotas_module._defaults = (0.0, []), (0.0, {})
        typing._types._held.clear()
        creating._step_by_step._held.clear()

    def create(self, **over):
        return self.post("/volumes", {"volume": {"size": 1, "volume_type": "gold", **over}})

    def test_it_is_one_statement(self):
        self.ok(self.create(), 202)
        with Statements() as statements:
            self.ok(self.create(), 202)
        (accepted,) = [sql for sql in statements.work if "volumes_" in sql]
        self.assertTrue(accepted.startswith("WITH need_0"), accepted[:200])

    def test_a_type_that_is_to_be_encrypted_by_now_is_refused(self):
        encryption.encrypt(self.gold, LUKS)
        self.refused(self.create(), 400, "encrypted")
        self.assertEqual((Volume.objects.count(), Quota.objects.get().volumes), (0, 0))

    def test_a_type_that_is_gone_by_now_is_not_found(self):
        types.delete(self.gold)
        self.refused(self.create(), 404, "gold")

    def test_a_type_that_demands_more_by_now_is_heeded(self):
        types.set_specs(self.gold, {"volume_backend_name": "other"})
        self.refused(self.create(), 400, "No valid back-end")

    def test_a_pool_that_is_down_by_now_takes_nothing(self):
        Pool.objects.update(disabled=True)
        self.assertIn(self.create().status_code, {409, 503})
        self.assertEqual((Volume.objects.count(), Quota.objects.get().volumes), (0, 0))

    def test_a_limit_of_the_type_counts_although_it_was_set_just_now(self):
        quota = Quota.objects.get()
        quota.count_apart(self.gold.pk)
        TypeQuota.objects.update(volumes_limit=1)
        self.ok(self.create(), 202)
        self.refused(self.create(), 413, "volumes_gold")
        self.assertEqual(TypeQuota.objects.get().volumes, 1)

    def test_a_limit_of_single_volumes_counts_although_it_was_set_just_now(self):
        Quota.objects.update(other_limits={"per_volume_gigabytes": 1})
        self.refused(self.create(size=2), 413, "per_volume_gigabytes")
