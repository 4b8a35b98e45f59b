"""/messages and /operations: why something failed, and what became of each request."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.utils import timezone

from lifecycle.models import Operation
from tests import make
from tests.volumes.base import VolumesCase
from volumes.models import Message, Snapshot, Volume

FIELDS = {
    *("id", "event_id", "user_message", "message_level", "created_at", "guaranteed_until", "request_id"),
    *("resource_type", "resource_uuid", "links"),
}


class MessageTests(VolumesCase):
    def a_message(self, **over) -> Message:
        values = {
            "project_id": self.blue.pk,
            "resource_type": "VOLUME",
            "resource_id": uuid.uuid4(),
            "event_id": "VOLUME_VOLUME_001_001",
            "user_message": "create volume: no room",
            "request_id": f"req-{uuid.uuid4()}",
            "guaranteed_until": timezone.now() + timedelta(days=1),
        }
        return Message.objects.create(**{**values, **over})

    def test_it_is_listed_shown_and_forgotten(self):
        message = self.a_message()
        (listed,) = self.ok(self.get("/messages"))["messages"]
        self.assertEqual(set(listed), FIELDS)
        self.assertEqual(listed["resource_uuid"], str(message.resource_id))
        self.assertEqual(self.ok(self.get(f"/messages/{message.pk}"))["message"], listed)
        self.ok(self.delete(f"/messages/{message.pk}"), 204)
        self.refused(self.get(f"/messages/{message.pk}"), 404)

    def test_filters_and_pages_since_3_5(self):
        one, two = self.a_message(), self.a_message(resource_type="VOLUME_SNAPSHOT")

        def ids(query, version="3.71"):
            return [row["id"] for row in self.ok(self.get(f"/messages?{query}", version=version))["messages"]]

        self.assertEqual(ids(""), [str(two.pk), str(one.pk)])
        self.assertEqual(ids(f"resource_uuid={one.resource_id}"), [str(one.pk)])
        self.assertEqual(ids("resource_type=VOLUME_SNAPSHOT"), [str(two.pk)])
        self.assertEqual(ids("resource_type=VOLUME_SNAPSHOT", "3.4"), [str(two.pk), str(one.pk)])
        self.assertEqual(ids(f"request_id={two.request_id}&event_id={two.event_id}"), [str(two.pk)])
        page = self.ok(self.get("/messages?limit=1&sort=created_at:asc"))
        self.assertEqual(page["messages"][0]["id"], str(one.pk))
        self.assertIn(f"marker={one.pk}", page["messages_links"][0]["href"])

    def test_they_are_there_since_3_3(self):
        message = self.a_message()
        for path in ("/messages", f"/messages/{message.pk}"):
            self.refused(self.get(path, version="3.2"), 404, "3.3")
        self.refused(self.delete(f"/messages/{message.pk}", version="3.2"), 404)

    def test_another_projects_are_not_there(self):
        theirs = self.a_message(project_id=self.red.pk)
        self.assertEqual(self.ok(self.get("/messages"))["messages"], [])
        for ident in (theirs.pk, uuid.uuid4(), "x"):
            self.refused(self.get(f"/messages/{ident}"), 404)
            self.refused(self.delete(f"/messages/{ident}"), 404)
        self.refused(self.delete(f"/messages/{self.a_message().pk}", by="carol"), 403)
        self.assertEqual(Message.objects.count(), 2)


class OperationTests(VolumesCase):
    def test_it_tells_what_was_asked_and_what_became_of_it(self):
        accepted = self.post("/volumes", {"volume": {"size": 2, "name": "v"}})
        ident = self.ok(accepted, 202)["volume"]["id"]
        (listed,) = self.ok(self.get(f"/operations?resource_id={ident}"))["operations"]
        self.assertEqual((listed["resource_type"], listed["action"]), ("volume", "create"))
        self.assertEqual((listed["state"], listed["params"]["size"]), ("IN_PROGRESS", 2))
        self.assertEqual(listed["request_id"], accepted["x-openstack-request-id"])
        volume = Volume.objects.get()
        self.ok(self.act(volume, "os-reset_status", {"status": "error", "reason": "lost"}, by="alice"), 202)
        self.assertEqual(self.ok(self.get(f"/operations/{listed['id']}"))["state"], "SUPERSEDED")
        (reset,) = self.ok(self.get("/operations?state=COMPLETE"))["operations"]
        shown = self.ok(self.get(f"/operations/{reset['id']}"))
        self.assertEqual((shown["params"]["reason"], shown["params"]["was"]), ("lost", "creating"))
        self.assertEqual([event["to"] for event in shown["events"]], ["error"])

    def test_it_lists_neither_bays_nor_another_projects(self):
        make.bay(project_id=self.blue.pk)
        self.a_snapshot()
        make.volume(project_id=self.red.pk)
        listed = self.ok(self.get("/operations"))["operations"]
        self.assertEqual({row["resource_type"] for row in listed}, {"volume", "snapshot"})
        self.assertEqual(len(listed), 2)
        bays = Operation.objects.get(resource_type="bay")
        theirs = Operation.objects.get(project_id=self.red.pk)
        for ident in (bays.pk, theirs.pk, uuid.uuid4()):
            self.refused(self.get(f"/operations/{ident}"), 404)
        self.ok(self.get(f"/operations/{theirs.pk}", by="alice"))
        self.refused(self.get("/operations/x"), 400)

    def test_it_outlives_its_snapshot(self):
        snapshot = self.a_snapshot()
        operation = Operation.objects.get(resource_id=snapshot.pk)
        Snapshot.objects.all().delete()
        self.assertEqual(self.ok(self.get(f"/operations/{operation.pk}"))["resource_id"], str(snapshot.pk))
