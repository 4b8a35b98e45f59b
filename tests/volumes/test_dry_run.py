"""dry_run on volumes and snapshots: what would come of a request, without anything coming of it."""

from __future__ import annotations

from typing import Any

from django.db.models.functions import Now
from django.test import override_settings

from api.models import IdempotencyKey
from lifecycle.models import Operation
from tests import make
from tests.rung import no_bells
from tests.volumes.base import VolumesCase
from volumes.models import Pool, Quota, TypeQuota, Volume
from volumes.views.snapshots import ACTIONS as OF_SNAPSHOTS
from volumes.views.volume_actions import ACTIONS as OF_VOLUMES

PLENTY = {"volumes": -1, "gigabytes": -1, "snapshots": -1, "per_volume_gigabytes": -1}
OTHER = '"' + "0" * 20 + '"'
STATUSES = ("available", "in-use", "error", "creating", "deleting", "error_extending", "maintenance")


class DryRunCase(VolumesCase):
    def tried(self, method, path, body=None, **kwargs) -> dict[str, Any]:
        """Return what a dry run tells, having checked that it wrote nothing and rang nothing."""
        before = self.rows()
        mark = "&" if "?" in path else "?"
        with no_bells(self):
            answer = self.ask(method, f"{path}{mark}dry_run=1", body, **kwargs)
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertNotIn("Roadstead-Operation", answer)
        self.assertEqual(self.rows(), before)
        self.assertFalse(IdempotencyKey.objects.exists())
        document: dict[str, Any] = answer.json()["dry_run"]
        return document

    def agree(self, name, method, path, body=None, **headers) -> dict[str, Any]:
        """Check that what a dry run says is what then happens; return what it said."""
        said = self.tried(method, path, body, **headers)
        answer = self.ask(method, path, body, **headers)
        if answer.status_code < 400:
            self.assertEqual((said["accepted"], said["refusals"]), (True, []), name)
            self.assertEqual(said["status"], answer.status_code)
            self.assertTrue(said["changes"], name)
            self.assertIn("Roadstead-Operation", answer)
        else:
            ((_, fault),) = answer.json().items()
            (refusal,) = said["refusals"]
            self.assertEqual((said["accepted"], said["changes"]), (False, []), name)
            self.assertEqual((refusal["status"], refusal["message"]), (fault["code"], fault["message"]))
        return said


@override_settings(VOLUME_QUOTAS=PLENTY)
class AgreementTests(DryRunCase):
    def situations(self):
        """Yield a name, and a request on rows of its own: method, path, body, headers."""
        yield "create", "POST", "/volumes", {"volume": {"size": 1}}, {}
        yield (
            "create of a type that is not there",
            "POST",
            "/volumes",
            {"volume": {"size": 1, "volume_type": "x"}},
            {},
        )
        yield "create with no room", "POST", "/volumes", {"volume": {"size": 100_000}}, {}
        yield (
            "create in no zone",
            "POST",
            "/volumes",
            {"volume": {"size": 1, "availability_zone": "elsewhere"}},
            {},
        )
        yield "create with a wrong body", "POST", "/volumes", {"volume": {"size": "x"}}, {}
        for status in STATUSES:
            path = f"/volumes/{self.a_volume(status).pk}"
            yield f"extend {status}", "POST", f"{path}/action", {"os-extend": {"new_size": 2}}, {}
            source = {"volume": {"source_volid": str(self.a_volume(status).pk)}}
            yield f"clone {status}", "POST", "/volumes", source, {}
            of = {"snapshot": {"volume_id": str(self.a_volume(status).pk)}}
            yield f"snapshot {status}", "POST", "/snapshots", of, {}
            path = f"/volumes/{self.a_volume(status).pk}"
            yield f"delete {status}", "DELETE", path, None, {}
            path = f"/volumes/{self.a_volume(status).pk}"
            yield f"force {status}", "POST", f"{path}/action", {"os-force_delete": {}}, {"by": "alice"}
            path = f"/volumes/{self.a_volume(status).pk}"
            kind = make.volume_type(f"other-{status}")
            yield f"retype {status}", "POST", f"{path}/action", {"os-retype": {"new_type": kind.name}}, {}
        for status in ("available", "error", "creating", "deleting"):
            snapshot = self.a_snapshot(status=status)
            path = f"/snapshots/{snapshot.pk}"
            revert = {"revert": {"snapshot_id": str(snapshot.pk)}}
            yield f"revert {status}", "POST", f"/volumes/{snapshot.volume_id}/action", revert, {}
            clone = {"volume": {"snapshot_id": str(self.a_snapshot(status=status).pk)}}
            yield f"clone snapshot {status}", "POST", "/volumes", clone, {}
            yield f"delete snapshot {status}", "DELETE", path, None, {}
            path = f"/snapshots/{self.a_snapshot(status=status).pk}/action"
            yield f"force snapshot {status}", "POST", path, {"os-force_delete": {}}, {"by": "alice"}
        snapshot = self.a_snapshot()
        path = f"/volumes/{snapshot.volume_id}"
        yield "delete with snapshots", "DELETE", path, None, {}
        yield "shrink", "POST", f"{path}/action", {"os-extend": {"new_size": 1}}, {}
        yield "another project's", "DELETE", path, None, {"by": "eve"}
        yield "changed", "DELETE", path, None, {"If-Match": OTHER}
        yield "cascade", "DELETE", f"{path}?cascade=true", None, {}
        read = self.a_volume()
        self.a_volume("creating", reads_volume=read)
        yield "delete what is read", "DELETE", f"/volumes/{read.pk}", None, {}

    def test_it_says_what_then_happens(self):
        outcomes = set()
        for name, method, path, body, headers in self.situations():
            with self.subTest(name):
                said = self.agree(name, method, path, body, **headers)
                outcomes.add(said["status"] or said["refusals"][0]["status"])
        self.assertEqual(outcomes, {202, 400, 404, 409, 412})

    def test_pools_that_are_down_are_told_as_they_would_be(self):
        Pool.objects.update(disabled=True)
        said = self.agree("down", "POST", "/volumes", {"volume": {"size": 1}})
        self.assertEqual(said["refusals"][0]["status"], 503)


class QuotaTests(DryRunCase):
    @override_settings(VOLUME_QUOTAS={**PLENTY, "volumes": 2, "gigabytes": 5})
    def test_quotas_and_room_are_told_before_and_after(self):
        said = self.agree("first", "POST", "/volumes", {"volume": {"size": 3, "name": "one"}})
        gigabytes = {"limit": 5, "used": {"before": 0, "after": 3}}
        self.assertEqual(said["quota"]["gigabytes"], gigabytes)
        self.assertEqual(said["quota"]["volumes"]["used"], {"before": 0, "after": 1})
        self.assertNotIn("pool fast#one", said["quota"])  # where it is stored is the operators'
        volume = Volume.objects.get()
        Volume.objects.filter(pk=volume.pk).update(status="available", operation=None, deadline_at=None)
        Operation.objects.update(state="COMPLETE", finished_at=Now())
        path = f"/volumes/{volume.pk}"
        said = self.agree("extend", "POST", f"{path}/action", {"os-extend": {"new_size": 6}})
        self.assertEqual((said["refusals"][0]["status"], said["refusals"][0]["code"]), (413, "over-quota"))
        self.assertEqual(said["quota"]["gigabytes"]["used"], {"before": 3, "after": 3})
        said = self.tried("POST", f"{path}/action", {"os-extend": {"new_size": 5}})
        self.assertEqual(said["quota"]["gigabytes"]["used"], {"before": 3, "after": 5})
        self.assertEqual(said["changes"][0]["fields"]["size"], {"before": 3, "after": 5})
        said = self.tried("DELETE", path)
        self.assertEqual(said["quota"]["gigabytes"]["used"], {"before": 3, "after": 0})
        self.assertEqual(said["quota"]["volumes"]["used"], {"before": 1, "after": 0})

    def test_operators_are_told_of_the_pool_and_cascades_of_each_snapshot(self):
        snapshot = self.a_snapshot(self.a_volume(size=2))
        said = self.tried("DELETE", f"/volumes/{snapshot.volume_id}?cascade=true", by="alice")
        self.assertEqual(said["quota"]["pool fast#one"], {"limit": 1000, "used": {"before": 4, "after": 0}})
        self.assertEqual([change["resource_type"] for change in said["changes"]], ["snapshot", "volume"])
        self.assertEqual(said["quota"]["snapshots"]["used"], {"before": 1, "after": 0})

    def test_a_limit_of_the_type_is_told_and_refuses(self):
        kind = make.volume_type("gold")
        Quota.objects.create(project_id=self.blue.pk, typed=[str(kind.pk)])
        TypeQuota.objects.create(project_id=self.blue.pk, type=kind, volumes_limit=1)
        body = {"volume": {"size": 1, "volume_type": "gold"}}
        said = self.agree("the last", "POST", "/volumes", body)
        self.assertEqual(said["quota"]["volumes_gold"], {"limit": 1, "used": {"before": 0, "after": 1}})
        said = self.agree("one too many", "POST", "/volumes", body)
        self.assertEqual((said["accepted"], said["refusals"][0]["status"]), (False, 413))


class OfferedTests(DryRunCase):
    def test_of_the_actions_those_can_be_tried_that_say_so(self):
        tried = set()
        for path, table in (
            (f"/volumes/{self.a_volume().pk}/action", OF_VOLUMES),
            (f"/snapshots/{self.a_snapshot().pk}/action", OF_SNAPSHOTS),
        ):
            for name, action in table.items():
                before = self.rows()
                answer = self.post(f"{path}?dry_run=1", {name: {}}, by="alice")
                self.assertEqual(self.rows(), before)
                if action.dry_run:
                    tried.add(name)
                    self.assertEqual(answer.status_code, 200)
                else:
                    self.refused(answer, 400, "dry_run is not offered", name)
        self.assertEqual(tried, {"os-extend", "os-retype", "revert", "os-force_delete"})

    def test_a_key_is_not_used_up(self):
        key, body = {"Idempotency-Key": "once"}, {"volume": {"size": 1}}
        self.assertTrue(self.tried("POST", "/volumes", body, **key)["accepted"])
        self.assertEqual(self.post("/volumes", body, **key).status_code, 202)
        said = self.post("/volumes?dry_run=1", body, **key).json()["dry_run"]
        self.assertEqual((said["replayed"], said["changes"]), (True, []))
        self.assertEqual(Volume.objects.count(), 1)
