"""Streams of events from real API processes: told once and in order through whatever breaks off, and in bounds."""

from __future__ import annotations

import itertools
import json
import random
import signal
import threading
from contextlib import suppress
from typing import Any

from django.db import connection, transaction
from django.test import TransactionTestCase

from bays.models import Bay
from identity import tokens
from identity.models import Assignment, Project, Role, User
from lifecycle import leases, requests
from lifecycle.errors import LifecycleError
from lifecycle.models import Event
from lifecycle.requests import Asked
from tests import make
from tests.faults.listening import Api, Follower, Following, await_
from tests.faults.whole import say

EVENTS = "/container-infra/v1/events"
SEED = 20261129
WRITERS, BAYS, ENOUGH = 4, 6, 300
HELD_OPEN = 0.3  # of the transactions, as those of requests with an Idempotency-Key are


class StreamCase(TransactionTestCase):
    apis: list[Api]

    def setUp(self) -> None:
        self.project = Project.objects.create(name="blue")
        self.bob = User.objects.create(username="bob", password="!")
        Assignment.objects.create(user=self.bob, project=self.project, role=Role.READER)
        self.addCleanup(tokens.forget)
        self.headers = {"X-Auth-Token": tokens.issue(self.bob, self.project.pk)}
        self.model = make.baymodel(project_id=self.project.pk)
        self.apis = []

    def start(self, count: int = 1, **told: str) -> Api:
        """Start so many nodes' APIs, and return the first when all answer."""
        for _ in range(count):
            api = Api(**told)
            self.apis.append(api)
            self.addCleanup(api.process.wait)
            self.addCleanup(api.kill)
        for api in self.apis:
            api.await_ready()
        return self.apis[0]

    def follow(self, api: Api, query: str = "", last: str = "") -> Following:
        following = Following(api.port, EVENTS + query, self.headers, last)
        self.addCleanup(following.close)
        return following

    def a_bay(self) -> Bay:
        return make.bay("CREATE_COMPLETE", model=self.model, project_id=self.project.pk)

    def an_event(self) -> Event:
        bay = self.a_bay()
        requests.request(bay, "delete", Asked("u" * 32, bay.project_id), name=bay.name)
        return Event.objects.latest("pk")


class OnceTests(StreamCase):
    """Several who write, some in long transactions; one who follows is cut off and comes back, at random."""

    def setUp(self) -> None:
        super().setUp()
        self.random = random.Random(SEED)
        self.over = threading.Event()
        self.bays = [self.a_bay() for _ in range(BAYS)]

    def write(self, seed: int) -> None:
        """Ask for updates of bays and carry them out, in the way of other writers."""
        chance = random.Random(seed)
        try:
            while not self.over.is_set():
                bay = chance.choice(self.bays)
                held = leases.claim(Bay, bay.pk)
                if held is not None:
                    leases.move(held, "updated")
                elif chance.random() < HELD_OPEN:
                    with transaction.atomic(), connection.cursor() as cursor:
                        cursor.execute("SELECT pg_current_xact_id()")
                        self.over.wait(chance.random() / 20)
                        self.ask(bay)
                        self.over.wait(chance.random() / 20)
                else:
                    self.ask(bay)
        finally:
            connection.close()

    def ask(self, bay: Bay) -> None:
        row = Bay.objects.get(pk=bay.pk)
        with suppress(LifecycleError):  # another was first
            requests.request(row, "update", Asked("u" * 32, self.project.pk), name="bay1")

    def test_each_event_is_told_once_and_in_order_through_cuts_and_restarts(self) -> None:
        self.start(2)
        begun = self.apis[0].get(f"{EVENTS}?since=now", self.headers)
        last = json.loads(begun[2])["cursor"]
        follower = Follower(self.apis, EVENTS, self.headers, last)
        writers = [threading.Thread(target=self.write, args=[SEED + n], daemon=True) for n in range(WRITERS)]
        for thread in (follower, *writers):
            thread.start()
        self.addCleanup(follower.end)
        self.addCleanup(self.over.set)
        for number, how in enumerate((signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)):
            for _ in range(4):
                follower.await_told(len(follower.told) + self.random.randint(2, 20))
                follower.cut()
            api = self.apis[number % 2]
            api.stop(how)
            api.start()
            api.await_ready()
        await_(lambda: Event.objects.count() > ENOUGH, "there are many")
        self.over.set()
        for thread in writers:
            thread.join()
        expected = list(Event.objects.order_by("turn", "id"))
        follower.await_told(len(expected))
        follower.end()
        heard = [(one.data["resource_id"], one.data["event"], one.data["epoch"]) for one in follower.told]
        self.assertEqual(heard, [(str(one.resource_id), one.event, one.epoch) for one in expected])
        self.assertEqual(len({one.id for one in follower.told}), len(heard), "each has an id of its own")
        for bay in self.bays:
            epochs = [epoch for resource, _, epoch in heard if resource == str(bay.pk)]
            self.assertEqual(epochs, sorted(epochs))
        inverted = sum(one.pk > two.pk for one, two in itertools.pairwise(expected))
        self.assertGreater(inverted, 0, "no event was overtaken by a later one: this test has shown nothing")
        say(
            f"{len(heard)} events by {follower.connections} connections, {inverted} times out of the order of ids"
        )


class BoundsTests(StreamCase):
    def test_a_project_and_a_process_have_so_many_and_ordinary_requests_are_answered(self) -> None:
        api = self.start(API_THREADS="2", ROADSTEAD_STREAMS="5", ROADSTEAD_STREAMS_OF_PROJECT="4")
        other = Project.objects.create(name="red")
        Assignment.objects.create(user=self.bob, project=other, role=Role.READER)
        others = {"X-Auth-Token": tokens.issue(self.bob, other.pk)}
        streams = [self.follow(api) for _ in range(4)]
        for stream in streams:
            self.assertEqual(stream.answer.status, 200)
        status, headers, body = api.get(EVENTS, {"Accept": "text/event-stream", **self.headers})
        self.assertEqual((status, headers["retry-after"]), (429, "10"))
        self.assertIn(b"too-many-streams", body)
        fifth = Following(api.port, EVENTS, others)
        self.addCleanup(fifth.close)
        self.assertEqual(fifth.answer.status, 200)
        status, headers, _ = api.get(EVENTS, {"Accept": "text/event-stream", **others})
        self.assertEqual((status, headers["retry-after"]), (503, "10"))
        self.assertEqual(api.get("/container-infra/v1/clusters", self.headers)[0], 200)
        streams.pop().cut()
        await_(lambda: self.follow(api).answer.status == 200, "who leaves makes room")
        event = self.an_event()
        for stream in streams:
            told = next(one for one in stream if one.event)
            self.assertEqual(told.data["resource_id"], str(event.resource_id))

    def test_who_is_told_to_stop_ends_its_streams_at_once_and_says_so(self) -> None:
        for drain in ("0", "600"):
            with self.subTest(drain=drain):
                api = self.start(API_DRAIN=drain)
                stream = self.follow(api)
                self.assertTrue(next(iter(stream)).id, "it has a place before anything happens")
                api.process.send_signal(signal.SIGTERM)
                *_, last = stream  # it ends in order, or this raises
                self.assertEqual(last.event, "end")
                if drain == "0":
                    self.assertEqual(api.process.wait(60), 0)
                self.apis.clear()

    def test_one_whose_role_is_taken_away_is_told_no_more_wherever_that_was_done(self) -> None:
        api = self.start(ROADSTEAD_STREAM_CHECK="0.5", TOKEN_CACHE_SECONDS="0.1")
        stream = self.follow(api)
        next(iter(stream))
        event = self.an_event()
        told = next(one for one in stream if one.event)
        self.assertEqual(told.data["resource_id"], str(event.resource_id))
        Assignment.objects.all().delete()
        heard: list[str] = []
        while (
            "end" not in heard
        ):  # what is told before the next look at the role takes a fraction of a second
            self.assertLess(len(heard), 50, "it is told on and on")
            self.an_event()
            heard.append(next(one.event for one in stream if one.event))
        self.assertEqual(api.get(EVENTS, {"Accept": "text/event-stream", **self.headers})[0], 401)

    def test_a_place_that_is_not_to_be_found_any_more_is_told_as_a_gap_not_passed_over(self) -> None:
        api = self.start()
        self.an_event()
        stream = self.follow(api, "?since=first")
        told = next(one for one in stream if one.event)
        lost, kept = self.an_event(), self.an_event()
        last = next(one for one in stream if one.data.get("resource_id") == str(lost.resource_id)).id
        stream.cut()
        lost.delete()
        again = iter(self.follow(api, "?since=first", last))
        reset = next(one for one in again if one.event)
        self.assertEqual((told.event, reset.event), ("bay", "reset"))
        self.assertIn("Read anew", reset.data["reason"])
        fresh = self.an_event()
        one = next(one for one in again if one.event)
        self.assertEqual(one.data["resource_id"], str(fresh.resource_id))
        self.assertNotEqual(fresh.pk, kept.pk)
        self.assertEqual(api.get(EVENTS, {"Last-Event-ID": last, **self.headers})[0], 410)
        self.assertEqual(api.get(EVENTS, {**self.headers, "Last-Event-ID": "x" * 60})[0], 400)

    def test_no_session_is_held_per_stream_and_none_when_there_is_none(self) -> None:
        api = self.start(TOKEN_CACHE_SECONDS="30", ROADSTEAD_STREAM_CHECK="10")
        self.assertEqual(
            api.get(EVENTS, self.headers)[0], 200
        )  # its heartbeat and a thread have sessions now
        before = self.sessions()
        streams = [self.follow(api) for _ in range(10)]
        for stream in streams:
            next(iter(stream))
        self.assertLessEqual(
            self.sessions(), before + 2, "that of the streams, and one of a request's thread"
        )
        self.assertEqual(self.in_transaction(), 0)
        for stream in streams:
            stream.cut()
        await_(lambda: self.sessions() <= before + 1, "it has given the session back")

    def sessions(self) -> int:
        return len(self.states())

    def in_transaction(self) -> int:
        return sum("in transaction" in state for state in self.states())

    def states(self) -> list[str]:
        """Return the states of all sessions but this one's."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT state FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            return [str(state) for (state,) in cursor.fetchall()]

    def test_one_who_reads_slowly_is_told_all_of_it_in_the_end(self) -> None:
        api = self.start()
        stream = self.follow(api)
        iterator = iter(stream)
        next(iterator)
        many = 3000
        Event.objects.bulk_create(
            Event(
                resource_type="bay",
                resource_id=self.model.pk,
                project_id=self.project.pk,
                event="updated",
                epoch=number,
                reason="x" * 2000,
            )
            for number in range(many)
        )
        quick = self.follow(api, "?since=first")
        self.assertEqual(self.numbers(iter(quick), many), list(range(many)), "others are not held up")
        self.assertEqual(self.numbers(iterator, many), list(range(many)))

    def numbers(self, stream: Any, count: int) -> list[int]:
        told: list[int] = []
        while len(told) < count:
            one = next(stream)
            if one.event:
                told.append(one.data["epoch"])
        return told
