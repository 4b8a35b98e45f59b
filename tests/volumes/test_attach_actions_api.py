"""The older protocol of attaching: its steps one by one, and together with a worker."""

from __future__ import annotations

from typing import Any

from lifecycle.models import Event, Operation
from tests.volumes.base import VolumesCase
from tests.volumes.connecting import OTHER, SERVER
from volumes.models import Attachment, Quota, Volume

LONG = "x" * 256
PLAIN = ("os-reserve", "os-unreserve", "os-begin_detaching", "os-roll_detaching")
DISK = {"mountpoint": "/dev/vdb", "instance_uuid": SERVER}


class StepCase(VolumesCase):
    def status(self, volume):
        return Volume.objects.get(pk=volume.pk).status

    def does(self, volume, name, body=None, **kwargs):
        """Check that the step is accepted and return the status of the volume after it."""
        self.ok(self.act(volume, name, body, **kwargs), 202)
        return self.status(volume)

    def others(self, *but):
        """Yield a volume in each of the statuses that are not named."""
        self.a_volume()
        Quota.objects.update(volumes_limit=-1)
        for status in sorted(set(Volume.machine.statuses) - set(but)):
            yield self.a_volume(status)


class StepTests(StepCase):
    def test_the_steps_of_a_server_in_their_order(self):
        volume = self.a_volume()
        self.assertEqual(self.does(volume, "os-reserve"), "attaching")
        self.assertEqual(self.does(volume, "os-attach", DISK), "in-use")
        (seen,) = self.ok(self.get(f"/volumes/{volume.pk}"))["volume"]["attachments"]
        self.assertEqual((seen["server_id"], seen["device"]), (SERVER, "/dev/vdb"))
        self.assertEqual(self.does(volume, "os-begin_detaching"), "detaching")
        self.assertEqual(self.does(volume, "os-roll_detaching"), "in-use")
        self.assertEqual(self.does(volume, "os-begin_detaching"), "detaching")
        self.assertEqual(
            self.does(volume, "os-detach", {"attachment_id": seen["attachment_id"]}), "available"
        )
        self.assertEqual(Attachment.objects.count(), 0)
        steps = (
            Operation.objects.filter(resource_id=volume.pk).exclude(action="create").order_by("created_at")
        )
        self.assertEqual(
            [one.action for one in steps],
            ["reserve", "attach", "begin_detaching", "roll_detaching", "begin_detaching", "detach"],
        )
        self.assertEqual({one.state for one in steps}, {"COMPLETE"})

    def test_the_body_of_a_plain_step_may_be_anything(self):
        for body in (None, {}, {"x": 1}):
            self.does(self.a_volume(), "os-reserve", body)

    def test_a_reservation_is_given_back(self):
        volume = self.a_volume()
        self.does(volume, "os-reserve")
        self.assertEqual(self.does(volume, "os-unreserve"), "available")

    def test_one_of_several_is_given_back_to_the_others(self):
        volume = self.a_volume(multiattach=True)
        self.does(volume, "os-attach", DISK)
        self.assertEqual(self.does(volume, "os-reserve"), "attaching")
        self.assertEqual(self.does(volume, "os-unreserve"), "in-use")

    def test_giving_back_what_is_not_held_is_passed_over(self):
        for volume in self.others("attaching"):
            before = self.rows()
            self.does(volume, "os-unreserve")
            self.assertEqual(self.rows(), before)
        for status in ("available", "in-use", "error"):
            volume = self.a_volume(status)
            before = self.rows()
            self.does(volume, "os-roll_detaching")
            self.assertEqual(self.rows(), before)

    def test_each_step_has_the_statuses_it_starts_from(self):
        for volume in self.others("available", "attaching", "in-use"):
            before = self.rows()
            for name, body in (("os-reserve", None), ("os-attach", DISK), ("os-begin_detaching", None)):
                self.refused(self.act(volume, name, body), 400, volume.status.removeprefix("set-"))
            self.assertEqual(self.rows(), before)
        self.refused(self.act(self.a_volume("in-use"), "os-reserve"), 400, "in-use")
        self.refused(self.act(self.a_volume("attaching"), "os-reserve"), 400, "attaching")
        self.refused(self.act(self.a_volume(), "os-begin_detaching"), 400, "available")

    def test_attaching_twice_is_as_good_as_once(self):
        volume = self.a_volume()
        for _ in range(2):
            self.does(volume, "os-attach", DISK)
        self.assertEqual(Attachment.objects.count(), 1)
        self.assertEqual(Event.objects.filter(event="attach").count(), 1)
        host = self.a_volume()
        for _ in range(2):
            self.does(host, "os-attach", {"mountpoint": "/dev/vdc", "host_name": "h1"})
        self.assertEqual(host.attachments.get().host, "h1")

    def test_a_volume_has_one_user_unless_it_is_multiattach(self):
        volume = self.a_volume()
        self.does(volume, "os-attach", DISK)
        before = self.rows()
        self.refused(self.act(volume, "os-attach", {**DISK, "instance_uuid": OTHER}), 400, "only one may")
        self.refused(self.act(volume, "os-attach", {"mountpoint": "x", "host_name": "h1"}), 400)
        self.assertEqual(self.rows(), before)
        shared = self.a_volume(multiattach=True)
        for server in (SERVER, OTHER):
            self.does(shared, "os-attach", {**DISK, "instance_uuid": server})
        self.refused(self.act(shared, "os-detach"), 400, "2 attachments")
        first = shared.attachments.order_by("pk")[0]
        self.assertEqual(self.does(shared, "os-detach", {"attachment_id": str(first.pk)}), "in-use")
        self.assertEqual(self.does(shared, "os-detach", {"attachment_id": None}), "available")

    def test_who_reads_keeps_writers_away(self):
        volume = self.a_volume()
        clone = self.a_volume("creating", reads_volume=volume)
        before = self.rows()
        self.refused(self.act(volume, "os-attach", DISK), 409, clone.pk)
        connector = {"connector": {"host": "h1"}}
        self.refused(self.act(volume, "os-initialize_connection", connector), 409, clone.pk)
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.does(volume, "os-attach", {**DISK, "mode": "ro"}), "in-use")

    def test_a_volume_for_reading_is_attached_for_reading(self):
        volume = self.a_volume(readonly=True)
        self.refused(self.act(volume, "os-attach", DISK), 400, "reading only")
        self.does(volume, "os-attach", {**DISK, "mode": "ro"})
        self.assertEqual(volume.attachments.get().mode, "ro")

    def test_detaching_what_is_not_attached_is_passed_over(self):
        volume = self.a_volume()
        before = self.rows()
        self.does(volume, "os-detach")
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.does(self.a_volume("detaching"), "os-detach"), "available")

    def test_an_attachment_that_is_not_there_is_404_and_nothing_is_freed(self):
        used = self.a_volume()
        self.does(used, "os-attach", DISK)
        for volume in (used, self.a_volume(), self.a_volume("detaching")):
            before = self.rows()
            self.refused(self.act(volume, "os-detach", {"attachment_id": OTHER}), 404, OTHER)
            self.assertEqual(self.rows(), before)

    def test_bad_bodies_are_refused_and_change_nothing(self):
        volume = self.a_volume()
        before = self.rows()
        bodies: Any
        for name, bodies in {
            "os-attach": (
                None,
                {},
                {"mountpoint": "/dev/vdb"},
                {"instance_uuid": SERVER},
                {**DISK, "host_name": "h1"},
                {**DISK, "mountpoint": ""},
                {**DISK, "mountpoint": LONG},
                {**DISK, "mountpoint": 5},
                {**DISK, "instance_uuid": "server"},
                {**DISK, "instance_uuid": 5},
                {"mountpoint": "x", "host_name": LONG},
                {"mountpoint": "x", "host_name": ["h1"]},
                {**DISK, "mode": "rwx"},
                {**DISK, "mode": None},
                [DISK],
            ),
            "os-detach": ({"attachment_id": "x"}, {"attachment_id": 5}, {"attachment_id": {}}, "x"),
            "os-initialize_connection": (
                None,
                {},
                {"connector": None},
                {"connector": {}},
                {"connector": "h1"},
                {"connector": {"ip": "10.0.0.1"}},
                {"connector": {"host": LONG}},
                {"connector": {"host": "h1", "x": "y" * 20_000}},
            ),
            "os-terminate_connection": (None, {}, {"connector": None}, {"connector": []}),
        }.items():
            for body in bodies:
                with self.subTest(name, body=body):
                    self.refused(self.act(volume, name, body), 400)
        for body in ({"os-force_detach": {"connector": 5}}, {"os-force_detach": {"attachment_id": "x"}}):
            self.refused(self.post(f"/volumes/{volume.pk}/action", body, by="alice"), 400)
        self.assertEqual(self.rows(), before)

    def test_each_role_may_what_the_policy_says(self):
        volume = self.a_volume()
        way = {"connector": {"host": "h1"}}
        steps = [
            *((name, None) for name in PLAIN),
            ("os-attach", DISK),
            ("os-detach", None),
            ("os-initialize_connection", way),
            ("os-terminate_connection", way),
            ("os-force_detach", {}),
        ]
        before = self.rows()
        for name, body in steps:
            with self.subTest(name):
                self.refused(self.act(volume, name, body, by=None), 401)
                self.refused(self.act(volume, name, body, by="carol"), 403, name and "not authorized")
                answer = self.act(volume, name, body, by="eve")
                self.refused(answer, 403 if name == "os-force_detach" else 404)
        self.refused(self.act(volume, "os-force_detach", {}, by="bob"), 403)
        self.assertEqual(self.rows(), before)


class ForceTests(StepCase):
    def test_an_operator_frees_a_volume_that_failed(self):
        volume = self.a_volume()
        self.does(volume, "os-attach", DISK)
        mine = volume.attachments.get()
        self.does(volume, "os-reset_status", {"status": "error"}, by="alice")
        body = {"connector": None, "attachment_id": str(mine.pk)}
        self.assertEqual(self.does(volume, "os-force_detach", body, by="alice"), "available")
        self.assertFalse(volume.attachments.exists())
        self.does(volume, "os-detach")

    def test_it_says_which_if_there_are_several_or_none(self):
        volume = self.a_volume(multiattach=True)
        for server in (SERVER, OTHER):
            self.does(volume, "os-attach", {**DISK, "instance_uuid": server})
        self.refused(self.act(volume, "os-force_detach", {}, by="alice"), 400, "say which")
        unknown = {"attachment_id": "0" * 32}
        self.refused(self.act(volume, "os-force_detach", unknown, by="alice"), 404, "no attachment")

    def test_an_ordinary_detach_leaves_what_failed_as_it_is(self):
        volume = self.a_volume()
        self.does(volume, "os-attach", DISK)
        self.does(volume, "os-reset_status", {"status": "error"}, by="alice")
        self.assertEqual(self.does(volume, "os-detach"), "error")
        self.assertFalse(volume.attachments.exists())
