"""/events of volumes: of a volume and of the ways to it, to its project alone; with and without the project's id."""

from __future__ import annotations

from lifecycle.models import Event
from tests.faults.listening import await_
from tests.told import is_told
from tests.volumes.connecting import ConnectedCase, worker


class EventsTests(ConnectedCase):
    def told(self, path, by="bob"):
        answer = self.ok(self.get(path, by=by))
        return [(one["resource_type"], one["event"]) for one in answer["events"]]

    def test_a_connection_has_its_volumes_project_and_is_gone_with_its_last_event(self):
        volume = self.a_volume()
        begun = self.ok(self.get("/events?since=now", by="carol"))["cursor"]
        mine = self.attached(volume)["id"]
        with worker():
            self.ok(self.remove(mine, by="alice"))
        self.assertEqual(set(Event.objects.values_list("project_id", flat=True)), {self.blue.pk})
        await_(lambda: is_told(Event.objects.latest("pk")), "nothing that writes is older")
        told = self.told(f"/events?since={begun}&resource_type=connection", by="carol")
        self.assertEqual(told[-1][0], "connection")
        everything = self.told(f"/{self.blue.pk}/events?since={begun}")
        self.assertEqual(everything, self.told(f"/events?since={begun}"))
        self.assertIn(("volume", "detach"), everything)
        self.assertEqual(self.told("/events", by="eve"), [])
        self.refused(self.get(f"/events?since={begun}", by="eve"), 400, "cursor")
        self.refused(self.get("/events?resource_type=bay", by="eve"), 400, "resource_type")
