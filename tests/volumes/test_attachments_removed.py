"""Attachments that are removed or completed, and what that makes of their volumes."""

from __future__ import annotations

from typing import Any

from lifecycle.models import Event
from tests import make
from tests.volumes.test_attachments_api import OTHER, AttachmentsCase
from volumes.models import Attachment, Volume


class RemoveTests(AttachmentsCase):
    def test_removing_the_last_frees_the_volume(self):
        volume = self.a_volume()
        mine = self.reserved(volume)["id"]
        self.assertEqual(self.ok(self.delete(f"/attachments/{mine}")), {"attachments": []})
        self.assertEqual(self.status(volume), "available")
        self.refused(self.delete(f"/attachments/{mine}"), 404)
        events = Event.objects.filter(resource_id=volume.pk).order_by("pk")
        self.assertEqual([e.event for e in events][-2:], ["reserve_attachment", "detach"])

    def test_the_answer_names_those_that_remain(self):
        volume = self.a_volume(multiattach=True)
        first, second = self.reserved(volume), self.reserved(volume, OTHER)
        rest = self.ok(self.delete(f"/attachments/{first['id']}"))["attachments"]
        self.assertEqual([row["id"] for row in rest], [second["id"]])
        self.assertEqual(self.status(volume), "reserved")

    def test_a_volume_that_failed_stays_so(self):
        volume = self.a_volume()
        mine = self.reserved(volume)["id"]
        Volume.objects.filter(pk=volume.pk).update(status="error_extending", status_reason="no room")
        self.ok(self.delete(f"/attachments/{mine}"))
        volume.refresh_from_db()
        self.assertEqual((volume.status, volume.status_reason), ("error_extending", "no room"))

    def test_work_under_way_is_not_overtaken(self):
        volume = self.a_volume()
        mine = self.reserved(volume)["id"]
        operation = make.volume("extending").operation_id
        Volume.objects.filter(operation_id=operation).update(status="error", operation=None, deadline_at=None)
        Volume.objects.filter(pk=volume.pk).update(
            status="extending", operation_id=operation, deadline_at="2030-01-01T00:00Z"
        )
        self.refused(self.delete(f"/attachments/{mine}"), 400, "extending")
        self.assertTrue(Attachment.objects.filter(pk=mine).exists())

    def test_a_reservation_cannot_be_completed(self):
        mine = self.reserved(self.a_volume())["id"]
        before = self.rows()
        body: Any
        for body in ({"os-complete": None}, {"os-complete": {}}, {"os-complete": mine}):
            answer = self.post(f"/attachments/{mine}/action", body)
            self.assertEqual(answer.status_code, 400)
        self.assertEqual(self.rows(), before)
        self.refused(self.post(f"/attachments/{mine}/action", {"os-finish": {}}), 400, "no such action")

    def test_a_volume_with_an_attachment_is_not_deleted(self):
        volume = self.a_volume()
        self.reserved(volume)
        Volume.objects.filter(pk=volume.pk).update(status="available")  # as an operator's reset would
        self.refused(self.delete(f"/volumes/{volume.pk}"), 400, "in use by attachment")
