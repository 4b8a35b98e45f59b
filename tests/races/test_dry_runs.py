"""Dry runs among requests: they take nothing from anybody, and actions that name what they saw have one winner."""

from __future__ import annotations

from functools import partial

from django.http import HttpResponse
from django.test import override_settings

from bays.models import Bay, Quota
from lifecycle.models import Operation
from tests import make
from tests.races.requests import WIDTH, RequestRaceTestCase
from volumes.models import Quota as VolumeQuota

ROUNDS = 3


class DryRunRaceTests(RequestRaceTestCase):
    @override_settings(BAY_QUOTA=1)
    def test_any_number_of_dry_runs_leaves_the_last_place_to_the_request(self) -> None:
        body = {"cluster_template_id": str(self.model.pk)}
        tries = [partial(self.ask, "POST", "/clusters?dry_run=1", body) for _ in range(WIDTH - 1)]
        for _ in range(ROUNDS):
            answers = self.race(*tries, partial(self.ask, "POST", "/clusters", body))
            self.assertEqual(self.statuses(answers), [200] * (WIDTH - 1) + [202])
            self.assertEqual((Bay.objects.count(), Quota.objects.get().used), (1, 1))
            self.assertEqual(Operation.objects.count(), 1)
            Bay.objects.all().delete()
            Operation.objects.all().delete()
            Quota.objects.all().delete()

    def test_of_extends_that_saw_the_same_volume_one_is_carried_out(self) -> None:
        make.pool(room=100_000)
        project = self.projects["blue"].pk
        VolumeQuota.objects.create(project_id=project, volumes_limit=-1, gigabytes_limit=-1)
        for _ in range(ROUNDS):
            volume = make.volume(project_id=project)
            path = f"/volumes/{volume.pk}"
            tag = {"If-Match": self.of_volumes("GET", path)["ETag"]}
            extend = {"os-extend": {"new_size": 2}}
            tries = [partial(self.of_volumes, "POST", f"{path}/action", extend, **tag) for _ in range(WIDTH)]
            self.assertEqual(self.statuses(self.race(*tries)), [202] + [412] * (WIDTH - 1))

    def of_volumes(self, method: str, path: str, body: object = None, **headers: str) -> HttpResponse:
        """Ask the volumes' door, as the bays' is asked."""
        told = {"OpenStack-API-Version": "volume 3.71", **headers}
        return self.ask(method, f"/volume/v3{path}", body, **told)
