"""/volumes/{id}: change what it is called, and delete it."""

from __future__ import annotations

from lifecycle.models import Event
from tests.volumes.base import VolumesCase
from volumes.models import Snapshot, Volume


class ChangeTests(VolumesCase):
    def test_it_changes_what_the_volume_is_called(self):
        volume = self.a_volume(metadata={"old": "1"}, description="d")
        path, events = f"/volumes/{volume.pk}", Event.objects.count()
        shown = self.ok(self.put(path, {"volume": {"name": "new", "metadata": {"a": "b"}}}))["volume"]
        self.assertEqual((shown["name"], shown["metadata"], shown["description"]), ("new", {"a": "b"}, "d"))
        self.assertIsNotNone(shown["updated_at"])
        shown = self.ok(self.put(path, {"volume": {"name": None, "description": ""}}))["volume"]
        self.assertEqual((shown["name"], shown["description"]), (None, None))
        self.assertEqual(Event.objects.count(), events)  # it moves nothing

    def test_a_change_of_nothing_and_one_under_maintenance_are_refused(self):
        path = f"/volumes/{self.a_volume().pk}"
        self.refused(self.put(path, {"volume": {}}), 400)
        self.refused(self.put(path, {"volume": {"size": 5}}), 400)
        Volume.objects.update(status="maintenance")
        self.refused(self.put(path, {"volume": {"name": "x"}}), 400, "maintenance")

    def test_a_change_counts_only_if_the_volume_is_what_the_writer_saw(self):
        volume = self.a_volume()
        path = f"/volumes/{volume.pk}"
        seen = self.get(path)["ETag"]
        self.assertEqual(self.get(path, **{"If-None-Match": seen}).status_code, 304)
        first = self.put(path, {"volume": {"name": "one"}}, **{"If-Match": seen})
        self.ok(first)
        self.refused(self.put(path, {"volume": {"name": "two"}}, **{"If-Match": seen}), 412)
        self.refused(self.delete(path, **{"If-Match": seen}), 412)
        self.assertEqual(Volume.objects.get().name, "one")
        self.ok(self.delete(path, **{"If-Match": self.get(path)["ETag"]}), 202)


class DeleteTests(VolumesCase):
    def test_it_accepts_the_end_with_python_words_too(self):
        for query in ("", "?cascade=False&force=False", "?cascade=True"):
            volume = self.a_volume()
            answer = self.delete(f"/volumes/{volume.pk}{query}")
            self.ok(answer, 202)
            self.assertEqual(answer.content, b"")
            self.assertEqual(Volume.objects.get(pk=volume.pk).status, "deleting")
            self.refused(self.delete(f"/volumes/{volume.pk}"), 400, "deleting")

    def test_its_snapshots_go_with_it_or_keep_it(self):
        volume = self.a_volume()
        snapshot = self.a_snapshot(volume)
        self.refused(self.delete(f"/volumes/{volume.pk}"), 400, "its snapshots would be left: 1")
        self.ok(self.delete(f"/volumes/{volume.pk}?cascade=True"), 202)
        self.assertEqual(Snapshot.objects.get(pk=snapshot.pk).status, "deleting")

    def test_only_admins_force_it_and_only_since_3_23(self):
        volume = self.a_volume("reserved")
        path = f"/volumes/{volume.pk}?force=True"
        self.refused(self.delete(path), 403, "volume:force_delete")
        self.refused(self.delete(path, version="3.22"), 400, "reserved")
        self.ok(self.delete(path, by="alice"), 202)

    def test_what_is_read_or_used_is_not_taken_away(self):
        source = self.a_volume()
        clone = self.a_volume("creating", reads_volume=source)
        before = self.rows()
        self.refused(self.delete(f"/volumes/{source.pk}"), 409, f"volume {clone.pk}")
        used = self.a_volume("in-use")
        attachment = used.attachments.create(project_id=self.blue.pk, user_id=self.bob.pk, status="attached")
        self.refused(self.delete(f"/volumes/{used.pk}?force=True", by="alice"), 400, str(attachment.pk))
        self.assertEqual(Volume.objects.get(pk=source.pk).status, "available")
        self.assertEqual(len(self.rows()["volumes"]), len(before["volumes"]) + 1)
