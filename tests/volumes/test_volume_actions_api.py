"""POST /volumes/{id}/action: what each needs, what it does, how it is answered."""

from __future__ import annotations

import uuid
from typing import Any

from django.test import override_settings

from lifecycle.models import Event, Operation
from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Pool, Quota, Volume


class ExtendTests(VolumesCase):
    def test_it_accepts_more_and_reserves_what_it_adds(self):
        for size in (5, "5"):
            volume = self.a_volume(size=2)
            self.assertEqual(self.act(volume, "os-extend", {"new_size": size}).content, b"")
            volume.refresh_from_db()
            self.assertEqual((volume.status, volume.size, volume.new_size), ("extending", 2, 5))
            self.assertEqual(volume.was, "available")
        self.assertEqual((Quota.objects.get().gigabytes, Pool.objects.get().allocated_gb), (10, 10))

    def test_it_has_to_be_larger(self):
        volume = self.a_volume(size=2)
        for size in (2, 1):
            self.refused(
                self.act(volume, "os-extend", {"new_size": size}), 400, "must be greater", "(current: 2"
            )
        wrong: list[Any] = [None, 0, -1, "x", 2**31, 1.5, True, [3], {}]
        for value in wrong:
            self.refused(self.act(volume, "os-extend", {"new_size": value}), 400, "new_size")

    def test_a_volume_in_use_is_extended_since_3_42(self):
        volume = self.a_volume("in-use")
        self.refused(self.act(volume, "os-extend", {"new_size": 3}, version="3.41"), 400, "in-use")
        self.ok(self.act(volume, "os-extend", {"new_size": 3}, version="3.42"), 202)
        self.assertEqual(Volume.objects.get().was, "in-use")

    @override_settings(
        VOLUME_QUOTAS={"volumes": 5, "gigabytes": 5, "snapshots": 5, "per_volume_gigabytes": 4}
    )
    def test_limits_and_room_leave_it_as_it_was(self):
        volume = self.a_volume(size=2)
        self.a_volume(size=2)
        before = self.rows()
        self.refused(self.act(volume, "os-extend", {"new_size": 4}), 413, "gigabytes")
        self.refused(self.act(volume, "os-extend", {"new_size": 5}), 413, "per_volume_gigabytes")
        Pool.objects.update(promisable_gb=4)
        self.refused(self.act(volume, "os-extend", {"new_size": 3}), 409, "takes no 1 GiB more")
        self.assertEqual(self.rows(), before)

    def test_it_is_refused_while_others_read(self):
        volume = self.a_volume()
        clone = self.a_volume("creating", reads_volume=volume)
        self.refused(self.act(volume, "os-extend", {"new_size": 3}), 409, f"volume {clone.pk}")


class RetypeTests(VolumesCase):
    def test_it_takes_a_type_that_its_pool_meets(self):
        volume, gold = self.a_volume(), make.volume_type("gold")
        self.ok(self.act(volume, "os-retype", {"new_type": "gold", "migration_policy": "never"}), 202)
        self.assertEqual(Volume.objects.get().type, gold)
        self.refused(self.act(volume, "os-retype", {"new_type": str(gold.pk)}), 400, "already")

    def test_what_its_pool_does_not_meet_and_what_is_not_there(self):
        make.volume_type("fancy", extra_specs={"replication": "<is> True"})
        volume = self.a_volume()
        for policy in ("never", "on-demand", None):
            body = {"new_type": "fancy", "migration_policy": policy}
            self.refused(self.act(volume, "os-retype", body), 400, "does not meet", "replication")
        unknown: list[Any] = ["nope", "", None, 3, {}]
        for kind in unknown:
            self.refused(self.act(volume, "os-retype", {"new_type": kind}), 400)
        self.refused(self.act(volume, "os-retype", {"new_type": "x", "migration_policy": "now"}), 400)


class RevertTests(VolumesCase):
    def test_it_goes_back_to_the_latest_snapshot(self):
        volume = self.a_volume()
        old, new = (self.a_snapshot(volume) for _ in range(2))
        self.refused(self.act(volume, "revert", {"snapshot_id": str(old.pk)}), 400, "not the latest")
        self.ok(self.act(volume, "revert", {"snapshot_id": str(new.pk)}), 202)
        self.assertEqual(Volume.objects.get().status, "reverting")

    def test_what_forbids_it(self):
        volume = self.a_volume("in-use")
        snapshot = self.a_snapshot(volume)
        body = {"snapshot_id": str(snapshot.pk)}
        self.refused(self.act(volume, "revert", body), 409, "in-use")
        self.refused(self.act(volume, "revert", body, version="3.39"), 404, "3.40")
        Volume.objects.update(status="available")
        self.refused(self.act(volume, "revert", {"snapshot_id": str(uuid.uuid4())}), 404)
        for wrong in (None, "x", 5):
            self.refused(self.act(volume, "revert", {"snapshot_id": wrong}), 400)


class FlagTests(VolumesCase):
    def test_readonly_shows_among_the_metadata(self):
        volume = self.a_volume()
        for flag, told in ((True, "True"), ("false", "False")):
            self.ok(self.act(volume, "os-update_readonly_flag", {"readonly": flag}), 202)
            shown = self.ok(self.get(f"/volumes/{volume.pk}"))["volume"]
            self.assertEqual(shown["metadata"]["readonly"], told)
        self.assertEqual(self.ok(self.get(f"/volumes/{volume.pk}/metadata"))["metadata"], {})
        Volume.objects.update(status="in-use")
        self.refused(self.act(volume, "os-update_readonly_flag", {"readonly": True}), 400, "in-use")

    def test_bootable_shows_as_text(self):
        volume = self.a_volume()
        for flag, told in ((True, "true"), ("False", "false")):
            self.ok(self.act(volume, "os-set_bootable", {"bootable": flag}), 200)
            self.assertEqual(self.ok(self.get(f"/volumes/{volume.pk}"))["volume"]["bootable"], told)

    def test_a_flag_is_true_or_false(self):
        volume = self.a_volume()
        neither: list[Any] = [None, "yes!", 2, [], {}]
        for wrong in neither:
            self.refused(self.act(volume, "os-set_bootable", {"bootable": wrong}), 400)
            self.refused(self.act(volume, "os-update_readonly_flag", {"readonly": wrong}), 400)
        self.refused(self.act(volume, "os-set_bootable", {}), 400, "bootable")


class OperatorTests(VolumesCase):
    def reset(self, volume, **body):
        return self.act(volume, "os-reset_status", body, by="alice")

    def test_a_reset_sets_the_status_and_says_who_and_why(self):
        volume = self.a_volume()
        for status in ("error", "available", "maintenance", "in-use", "creating", "deleting", "extending"):
            self.ok(self.reset(volume, status=status, reason="ticket 12"), 202)
            self.assertEqual(self.ok(self.get(f"/volumes/{volume.pk}"))["volume"]["status"], status)
        volume.refresh_from_db()
        self.assertEqual(volume.status, "set-extending")  # at rest: nobody works on it
        self.assertIn("(alice). ticket 12", volume.status_reason)
        operation = Operation.objects.filter(action="reset").latest("created_at")
        self.assertEqual((operation.params["reason"], operation.user_id), ("ticket 12", self.alice.pk))
        self.assertEqual(Event.objects.filter(event="reset").count(), 7)

    def test_a_reset_calls_off_the_extend_under_way_and_gives_back_its_room(self):
        volume = self.a_volume(size=1)
        self.ok(self.act(volume, "os-extend", {"new_size": 9}), 202)
        self.refused(self.reset(volume, status="available"), 400, "its extend has not come to an end")
        self.ok(self.reset(volume, status="error_extending"), 202)
        self.assertEqual((Quota.objects.get().gigabytes, Pool.objects.get().allocated_gb), (1, 1))
        # A worker that was only frozen may still make it larger: it is not called usable by way of another status.
        self.ok(self.reset(volume, status="error"), 202)
        self.refused(self.reset(volume, status="available"), 400, "may still take effect")
        self.ok(self.reset(volume, status="error_extending"), 202)
        self.refused(self.act(volume, "os-extend", {"new_size": 5}), 400, "at least that")
        self.ok(self.act(volume, "os-extend", {"new_size": 9}), 202)
        self.assertEqual((Quota.objects.get().gigabytes, Pool.objects.get().allocated_gb), (9, 9))

    def test_what_was_never_made_is_not_called_usable(self):
        volume, source = self.a_volume("creating"), self.a_volume()
        snapshot = make.snapshot(source, "creating")
        self.refused(self.reset(volume, status="available"), 400, "its creation has not come to an end")
        self.ok(self.reset(volume, status="error"), 202)
        self.refused(self.reset(volume, status="in-use"), 400, "its creation has not come to an end")
        path = f"/snapshots/{snapshot.pk}/action"
        for status, code in (("available", 400), ("error", 202), ("available", 400)):
            answer = self.ask("POST", path, {"os-reset_status": {"status": status}}, by="alice")
            self.assertEqual(answer.status_code, code, answer.content)

    def test_a_forced_delete_gives_back_what_the_extend_under_way_would_have_added(self):
        volume = self.a_volume(size=1)
        self.ok(self.act(volume, "os-extend", {"new_size": 9}), 202)
        self.ok(self.act(volume, "os-force_delete", {}, by="alice"), 202)
        self.assertEqual((Quota.objects.get().gigabytes, Pool.objects.get().allocated_gb), (1, 1))

    def test_cinderclients_whole_reset_is_taken_where_it_is_true(self):
        volume = self.a_volume("error")
        whole = {"status": "available", "attach_status": "detached", "migration_status": "none"}
        self.ok(self.reset(volume, **whole), 202)
        self.ok(self.reset(volume, attach_status="detached"), 202)
        self.refused(self.reset(volume, attach_status="attached"), 400, "detached")
        self.refused(self.reset(volume, status="available", migration_status="migrating"), 400, "migrat")

    def test_a_reset_to_detached_ends_what_is_attached(self):
        volume = self.a_volume("in-use")
        owner = {"project_id": self.blue.pk, "user_id": self.bob.pk}
        volume.attachments.create(status="attached", instance_id=str(uuid.uuid4()), **owner)
        self.refused(self.reset(volume, attach_status="attached"), 400)
        self.ok(self.reset(volume, status="error", attach_status="detached"), 202)
        shown = self.ok(self.get(f"/volumes/{volume.pk}"))["volume"]
        self.assertEqual((shown["status"], volume.attachments.count()), ("error", 0))

    def test_what_is_no_status(self):
        volume = self.a_volume()
        unknown: list[Any] = ["nonsense", "set-creating", "", 5, None, [], "x" * 5000]
        for status in unknown:
            self.refused(self.reset(volume, status=status), 400)
        self.refused(self.reset(volume), 400)
        self.refused(self.reset(volume, status="managing"), 400, "must be one of", "available")

    def test_force_delete_takes_what_delete_does_not(self):
        for status in ("creating", "maintenance", "extending", "set-deleting", "error_deleting"):
            volume = self.a_volume(status)
            self.ok(self.act(volume, "os-force_delete", {}, by="alice"), 202)
            self.assertEqual(Volume.objects.get(pk=volume.pk).status, "deleting")
        self.refused(self.act(volume, "os-force_delete", None, by="alice"), 400, "deleting")


class DispatchTests(VolumesCase):
    def test_the_body_is_one_action_and_one_only(self):
        path = f"/volumes/{self.a_volume().pk}/action"
        bodies: list[Any] = [
            {},
            [],
            None,
            "os-extend",
            {"os-extend": {"new_size": 2}, "os-reserve": {}},
            {"os-extend": []},
        ]
        for body in bodies:
            self.refused(self.post(path, body), 400)
        self.refused(self.post(path, {"os-explode": {}}), 400, "no such action: os-explode")

    def test_who_may_not_is_told_so_before_anything_is_looked_up(self):
        path = f"/volumes/{uuid.uuid4()}/action"
        self.refused(self.post(path, {"os-extend": {"new_size": 2}}, by="carol"), 403, "volume:extend")
        self.refused(self.post(path, {"os-reset_status": {"status": "error"}}), 403, "volume:reset")
        self.refused(self.post(path, {"os-extend": {"new_size": 2}}), 404)

    def test_what_is_not_offered_says_why(self):
        volume = self.a_volume()
        for name in ("os-migrate_volume", "os-migrate_volume_completion", "os-unmanage"):
            self.refused(self.act(volume, name, {"host": "x"}), 403)
            self.refused(self.act(volume, name, {"host": "x"}, by="alice"), 400)
        for name in ("os-volume_upload_image", "os-reimage"):
            self.refused(self.act(volume, name, {"image_id": "x"}), 400, "no image service")
        self.refused(self.act(volume, "os-set_image_metadata", {"metadata": {"a": "b"}}), 400)
        self.refused(self.act(volume, "os-unset_image_metadata", {"key": "a"}), 404)
        self.assertEqual(self.ok(self.act(volume, "os-show_image_metadata")), {"metadata": {}})

    def test_the_same_key_acts_once(self):
        volume = self.a_volume(size=1)
        for _ in range(2):
            self.ok(self.act(volume, "os-extend", {"new_size": 4}, **{"Idempotency-Key": "grow"}), 202)
        self.assertEqual(
            (Quota.objects.get().gigabytes, Operation.objects.filter(action="extend").count()), (4, 1)
        )
