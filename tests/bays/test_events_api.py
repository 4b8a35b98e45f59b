"""/v1/events as a list: who is told what, and from where they go on. On committed rows: what is not is not told."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from django.test import TransactionTestCase, override_settings

from api import cursors, events
from bays.models import Bay
from identity import tokens
from identity.models import Assignment, Project, Role, User
from lifecycle import feed, requests
from lifecycle.feed import Place
from lifecycle.models import Event, Operation
from lifecycle.requests import Asked
from sync.history import put_events_in_order
from tests import make
from tests.bays.base import BASE, Statements
from tests.faults.listening import await_
from tests.told import is_told

FIELDS = {
    *("id", "at", "resource_type", "resource_id", "project_id", "operation_id"),
    *("event", "from", "to", "epoch", "node", "reason"),
}


@override_settings(TOKEN_CACHE_SECONDS=3600)
class EventsCase(TransactionTestCase):
    """Bob reads in blue, erin in red, alice administers from blue."""

    def setUp(self):
        self.blue, self.red = (Project.objects.create(name=name) for name in ("blue", "red"))
        self.addCleanup(tokens.forget)
        self.tokens: dict[str, str] = {}
        for name, project, role in (
            ("bob", self.blue, Role.READER),
            ("erin", self.red, Role.MEMBER),
            ("alice", self.blue, Role.ADMIN),
        ):
            user = User.objects.create(username=name, password="!")
            Assignment.objects.create(user=user, project=project, role=role)
            self.tokens[name] = tokens.issue(user, project.pk)
        self.model = make.baymodel(project_id=self.blue.pk)

    def get(self, path, user="bob", status=200, **headers) -> dict[str, Any]:
        headers = {"X-Auth-Token": self.tokens[user], **headers}
        answer = self.client.get(f"{BASE}{path}", headers=headers)
        self.assertEqual(answer.status_code, status, answer.content)
        return dict(answer.json())

    def refused(self, path, status, **kwargs) -> str:
        (error,) = self.get(path, status=status, **kwargs)["errors"]
        return f"{error['code']}: {error['detail']}"

    def a_bay(self, project=None) -> Bay:
        return make.bay("CREATE_COMPLETE", model=self.model, project_id=(project or self.blue).pk)

    def an_event(self, bay=None, project=None) -> Event:
        """A bay's deletion is asked for."""
        bay = bay or self.a_bay(project)
        requests.request(bay, "delete", Asked("u" * 32, bay.project_id), name=bay.name)
        event = Event.objects.latest("pk")
        await_(lambda: is_told(event), "nothing that writes is older")
        return event


class ListTests(EventsCase):
    def test_each_event_is_told_once_in_pages_that_go_on_from_one_another(self):
        events = [self.an_event() for _ in range(5)]
        told, cursor, more = [], "first", True
        while more:
            page = self.get(f"/events?limit=2&since={cursor}")
            told += page["events"]
            cursor, more = page["cursor"], page["more"]
        self.assertEqual([one["resource_id"] for one in told], [str(event.resource_id) for event in events])
        self.assertEqual(set(told[0]), FIELDS)
        self.assertEqual(
            {key: told[0][key] for key in ("event", "from", "to", "resource_type", "project_id")},
            {
                "event": "delete",
                "from": "CREATE_COMPLETE",
                "to": "DELETE_IN_PROGRESS",
                "resource_type": "bay",
                "project_id": self.blue.pk,
            },
        )
        self.assertEqual(self.get(f"/events?since={cursor}")["events"], [])
        late = self.an_event()
        (one,) = self.get(f"/events?since={cursor}")["events"]
        self.assertEqual(one["resource_id"], str(late.resource_id))
        self.assertEqual(self.get(f"/events?since={one['id']}")["events"], [])
        self.assertEqual(len(self.get(f"/events?since={told[2]['id']}")["events"]), 3)
        self.assertEqual(len(self.get("/events")["events"]), 6)

    def test_an_empty_page_says_where_to_go_on_even_where_nothing_ever_happened(self):
        begun = self.get("/events?since=now")
        self.assertEqual((begun["events"], begun["more"]), ([], False))
        self.an_event(project=self.red)
        still = self.get(f"/events?since={begun['cursor']}")
        self.assertEqual(still["events"], [])
        self.an_event()
        for cursor in (begun["cursor"], still["cursor"]):
            self.assertEqual(len(self.get(f"/events?since={cursor}")["events"]), 1)

    def test_it_can_be_narrowed(self):
        event, other = self.an_event(), self.an_event()
        for query, wanted in (
            (f"resource_id={event.resource_id}", [event]),
            (f"operation_id={other.operation_id}", [other]),
            (f"operation_id={other.operation_id}&resource_id={event.resource_id}", []),
            (f"operation_id={uuid.uuid4()}", []),
            ("resource_type=bay", [event, other]),
        ):
            with self.subTest(query):
                told = self.get(f"/events?{query}")["events"]
                self.assertEqual(
                    [one["resource_id"] for one in told], [str(one.resource_id) for one in wanted]
                )

    def test_it_outlives_what_it_tells_of(self):
        event = self.an_event()
        Bay.objects.all().delete()
        Operation.objects.all().delete()
        (told,) = self.get("/events")["events"]
        self.assertEqual(told["resource_id"], str(event.resource_id))

    def test_what_nobody_can_mean_is_refused(self):
        good = self.get("/events?since=now")["cursor"]
        for query, word in (
            ("since=yesterday", "cursor"),
            ("since=" + "A" * 60, "cursor"),
            ("since=" + "A" * 5000, "cursor"),
            (f"since={good[:-1]}!", "cursor"),
            ("since=%F0%9F%92%A9", "cursor"),
            ("limit=0", "limit"),
            ("limit=-1", "limit"),
            ("limit=1e3", "limit"),
            ("limit=" + "9" * 400, "limit"),
            ("limit=٣", "limit"),
            ("resource_id=x", "not an id"),
            ("operation_id=x", "not an id"),
            ("resource_type=volume", "resource_type"),
            ("resource_type=", "resource_type"),
            ("sicne=now", "sicne"),
            ("all_projects=perhaps", "all_projects"),
        ):
            with self.subTest(query[:40]):
                self.assertIn(word, self.refused(f"/events?{query}", 400))
        self.assertIn("cursor", self.refused("/events", 400, **{"Last-Event-ID": "x"}))
        self.assertEqual(self.get("/events?limit=999999999999")["events"], [])

    def test_a_page_is_one_statement(self):
        for _ in range(3):
            self.an_event()
        cursor = self.get("/events?limit=1")["cursor"]
        event = Event.objects.latest("pk")
        for query in ("", f"since={cursor}", "since=now", f"operation_id={event.operation_id}&limit=1"):
            with self.subTest(query), Statements() as statements:
                self.get(f"/events?{query}")
            self.assertEqual(len(statements.work), 1, statements.work)


class ThreadsTests(EventsCase):
    def test_where_the_server_keeps_the_connection_its_thread_passes_the_stream_on(self):
        event = self.an_event()
        headers = {"X-Auth-Token": self.tokens["bob"], "Accept": "text/event-stream"}
        answer = self.client.get(f"{BASE}/events?since=first", headers=headers)
        self.assertEqual(
            (
                answer.status_code,
                answer["Content-Type"],
                answer["Cache-Control"],
                answer["X-Accel-Buffering"],
            ),
            (200, "text/event-stream", "no-store", "no"),
        )
        told = b""
        parts = iter(answer)
        while b"event: bay" not in told:
            told += next(parts)
        self.assertIn(str(event.resource_id).encode(), told)
        self.assertEqual(events.hub.count, 1)
        answer.close()
        await_(lambda: events.hub.count == 0, "its place is free again")

    def test_a_stream_that_nobody_read_leaves_its_place_too(self):
        headers = {"X-Auth-Token": self.tokens["bob"], "Accept": "text/event-stream"}
        answer = self.client.get(f"{BASE}/events", headers=headers)
        self.assertEqual(events.hub.count, 1)
        answer.close()
        self.assertEqual(events.hub.count, 0)


class TenantsTests(EventsCase):
    def test_a_project_is_told_of_its_own_resources_only_and_an_admin_of_all(self):
        own, others = self.an_event(), self.an_event(project=self.red)
        for user, query, wanted in (
            ("bob", "", [own]),
            ("erin", "", [others]),
            ("alice", "", [own]),
            ("alice", "all_projects=true", [own, others]),
            ("bob", f"resource_id={others.resource_id}", []),
            ("bob", f"operation_id={others.operation_id}", []),
            ("bob", f"resource_id={uuid.uuid4()}", []),
        ):
            with self.subTest(user=user, query=query):
                told = self.get(f"/events?{query}", user=user)["events"]
                self.assertEqual(
                    [one["resource_id"] for one in told], [str(one.resource_id) for one in wanted]
                )
        self.assertIn("event:all_projects", self.refused("/events?all_projects=true", 403))

    def test_a_cursor_of_another_project_is_as_good_as_one_that_was_made_up(self):
        self.an_event()
        cursor = self.get("/events")["events"][0]["id"]
        made_up = self.refused("/events?since=" + "A" * 60, 400, user="erin")
        self.assertEqual(self.refused(f"/events?since={cursor}", 400, user="erin"), made_up)
        self.assertEqual(
            self.refused(f"/events?all_projects=true&since={cursor}", 400, user="alice"), made_up
        )

    def test_the_cursors_of_empty_pages_do_not_tell_whether_anything_went_on_elsewhere(self):
        cursors_ = [self.get("/events?since=now")["cursor"] for _ in range(3)]
        self.an_event(project=self.red)
        cursors_ += [self.get(f"/events?since={cursors_[0]}")["cursor"] for _ in range(3)]
        self.assertEqual(len(set(cursors_)), len(cursors_))

    def test_without_its_role_a_project_is_told_nothing(self):
        self.an_event()
        Assignment.objects.filter(user__username="bob").delete()
        tokens.forget()
        self.refused("/events", 401)


class GapTests(EventsCase):
    """A cursor is good while the event that it names is there; never is a gap passed over in silence."""

    def cursor(self, place: Place) -> str:
        return cursors.seal(place, "container-infra", f"project {self.blue.pk}")

    def test_a_cursor_whose_event_is_forgotten_is_refused_and_says_what_to_do(self):
        cursor = self.get(f"/events?since={self.cursor(feed.place_of(self.an_event()))}")["cursor"]
        self.an_event()
        Event.objects.order_by("pk").first().delete()  # type: ignore[union-attr]
        self.assertIn("since=now", self.refused(f"/events?since={cursor}", 410))

    def test_a_cursor_about_to_be_forgotten_is_refused_while_there_is_something_after_it(self):
        old = self.an_event()
        with override_settings(HISTORY_DAYS=1):
            Event.objects.update(at=F("at") - timedelta(hours=23, minutes=30))
            old.refresh_from_db()
            cursor = self.cursor(feed.place_of(old))
            self.assertEqual(self.get(f"/events?since={cursor}")["events"], [], "it is the last there is")
            self.an_event()
            self.refused(f"/events?since={cursor}", 410)

    def test_a_cursor_from_before_anything_happened_lasts_as_long_as_history_is_kept(self):
        now = Event.objects.create(event="x", epoch=0, resource_id=uuid.uuid4(), resource_type="none").at
        days = timedelta(days=89)
        for age, status in ((days, 200), (days * 2, 410)):
            with self.subTest(age):
                self.get(f"/events?since={self.cursor(Place(0, 0, now - age))}", status=status)

    def test_the_same_numbers_in_another_history_are_another_place(self):
        event = self.an_event()
        place = feed.place_of(event)
        self.get(f"/events?since={self.cursor(place)}")
        for other in (
            Place(
                place.turn, place.id, place.at + timedelta(microseconds=1)
            ),  # after a recovery to a point in time
            Place(place.turn + 1, place.id, place.at),
            Place(place.turn, place.id + 1, place.at),
        ):
            with self.subTest(other):
                self.refused(f"/events?since={self.cursor(other)}", 410)

    def test_after_a_restore_to_a_younger_server_nothing_is_told_until_all_is_in_order(self):
        restored = [self.an_event() for _ in range(2)]
        cursor = self.get("/events")["events"][-1]["id"]
        Event.objects.update(turn=F("turn") + 10**9)
        self.assertIn("restored", self.refused("/events", 503))
        fresh = self.an_event()
        self.assertGreaterEqual(put_events_in_order(), 2)
        self.assertEqual(put_events_in_order(), 0)
        self.refused(f"/events?since={cursor}", 410)
        told = [one["resource_id"] for one in self.get("/events")["events"]]
        self.assertEqual(told, [str(event.resource_id) for event in (*restored, fresh)])
        late = self.an_event(Bay.objects.get(pk=self.a_bay().pk))
        self.assertEqual(self.get("/events")["events"][-1]["resource_id"], str(late.resource_id))

    def test_events_of_an_earlier_release_come_first_in_the_order_of_their_ids(self):
        older = [self.an_event() for _ in range(2)]
        Event.objects.update(turn=0)
        newer = self.an_event()
        told = [one["resource_id"] for one in self.get("/events?limit=2")["events"]]
        self.assertEqual(told, [str(event.resource_id) for event in older])
        cursor = self.get("/events?limit=1")["cursor"]
        told = [one["resource_id"] for one in self.get(f"/events?since={cursor}")["events"]]
        self.assertEqual(told, [str(older[1].resource_id), str(newer.resource_id)])

    def test_the_database_fills_in_what_a_node_of_the_earlier_release_does_not(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO lifecycle_event (resource_type, resource_id, event, from_status, to_status, epoch, "
                "reason) VALUES ('bay', %s, 'created', '', '', 1, '')",
                [uuid.uuid4()],
            )
        self.assertEqual(self.get("/events")["events"], [])
        (told,) = self.get("/events?all_projects=1", user="alice")["events"]
        self.assertEqual((told["event"], told["project_id"]), ("created", None))
