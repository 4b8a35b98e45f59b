"""The heartbeat thread against committed rows; what it does for whole processes is in tests/faults."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now
from django.test import TransactionTestCase, override_settings

from bays.models import Bay
from lifecycle import leases, local
from lifecycle.models import Event, Node
from tests import make
from workers.heartbeat import Heartbeat, Holder, Rows

PATIENCE = 20.0


@override_settings(HEARTBEAT=0.1)
class HeartbeatTests(TransactionTestCase):
    def setUp(self):
        Node.objects.filter(pk=local.node_id).delete()
        self.addCleanup(local.mark_renewed, local.last_renewed())  # the heartbeat overwrites the runner's
        self.given_up: list[Rows] = []
        self.happened = threading.Event()
        self.children: list[int] = []

    def start(self) -> Heartbeat:
        def given_up(rows: Rows) -> None:
            self.given_up.append(rows)
            self.happened.set()

        heartbeat = Heartbeat(
            Node.Kind.WORKER, Holder([Bay], lambda: self.children, given_up, self.happened.set)
        )
        heartbeat.begin()
        self.addCleanup(heartbeat.end)
        return heartbeat

    def await_(self, condition) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def claimed(self, **over) -> Any:
        bay = make.bay(model=make.baymodel())
        self.assertIsNotNone(leases.claim(Bay, bay.pk))
        Bay.objects.filter(pk=bay.pk).update(**over)
        return Bay.objects.get(pk=bay.pk)

    def test_it_registers_the_node_and_says_when_it_ends(self):
        heartbeat = self.start()
        node = Node.objects.alive().get(pk=local.node_id)
        self.assertEqual((node.kind, node.pid, node.stopped_at), ("worker", os.getpid(), None))
        self.assertEqual(node.ttl, timedelta(seconds=settings.LEASE))
        self.await_(lambda: Node.objects.get(pk=node.pk).seen_at > node.seen_at)
        heartbeat.end()
        self.assertIsNotNone(Node.objects.get(pk=node.pk).stopped_at)
        self.assertFalse(Node.objects.alive().filter(pk=node.pk).exists())

    def test_it_renews_what_the_node_holds_but_nothing_that_was_claimed_too_long_ago(self):
        old = Now() - timedelta(seconds=settings.STEP_LIMIT + 1)
        fresh, stuck = self.claimed(), self.claimed(claimed_at=old)
        self.start()
        self.await_(Bay.objects.filter(pk=fresh.pk, lease_until__gt=fresh.lease_until).exists)
        self.assertEqual(Bay.objects.get(pk=stuck.pk).lease_until, stuck.lease_until)
        self.assertTrue(local.lease_is_safe())

    def test_it_gives_up_what_a_dead_child_held_and_nothing_else(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self.addCleanup(child.communicate)
        lost, kept = self.claimed(holder_pid=child.pid), self.claimed()
        self.children.append(child.pid)
        self.start()
        child.kill()
        self.assertTrue(self.happened.wait(PATIENCE))
        self.assertEqual([row.pk for rows in self.given_up for row in rows], [lost.pk])
        self.assertEqual(
            (Bay.objects.get(pk=lost.pk).holder, Bay.objects.get(pk=kept.pk).epoch), (None, kept.epoch)
        )
        self.assertIsNotNone(Bay.objects.get(pk=kept.pk).holder)
        event = Event.objects.get(event="give_up")
        self.assertEqual((event.resource_id, event.reason), (lost.pk, f"worker process {child.pid} died"))

    def test_a_node_that_the_database_has_forgotten_takes_no_more_work(self):
        self.addCleanup(local._page.__setitem__, 8, 0)
        self.start()
        with self.assertLogs("workers.heartbeat", "ERROR"):
            Node.objects.filter(pk=local.node_id).delete()
            self.assertTrue(self.happened.wait(PATIENCE))
        self.assertTrue(local.draining())
        self.assertFalse(local.may_claim())

    def test_a_heartbeat_that_breaks_takes_its_process_with_it(self):
        """Else the worker would live on, answer every bell, and do nothing."""
        self.addCleanup(local._page.__setitem__, 8, 0)
        self.start()
        with self.assertLogs("workers.heartbeat", "ERROR"):
            self.children.append("not a pid")  # type: ignore[arg-type]
            self.assertTrue(self.happened.wait(PATIENCE))
        self.assertFalse(local.may_claim())

    def test_a_broker_that_hangs_does_not_keep_it_from_renewing(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        self.addCleanup(child.communicate)
        self.claimed(holder_pid=child.pid)
        kept, hang = self.claimed(), threading.Event()
        self.addCleanup(hang.set)
        self.children.append(child.pid)

        def ring_for_ever(_rows: Rows) -> None:
            self.happened.set()
            hang.wait()

        heartbeat = Heartbeat(Node.Kind.WORKER, Holder([Bay], lambda: self.children, ring_for_ever, hang.set))
        heartbeat.begin()
        self.addCleanup(heartbeat.end)
        child.kill()
        self.assertTrue(self.happened.wait(PATIENCE))
        then = Bay.objects.get(pk=kept.pk).lease_until
        self.await_(Bay.objects.filter(pk=kept.pk, lease_until__gt=then).exists)
