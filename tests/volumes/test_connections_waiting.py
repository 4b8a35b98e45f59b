"""How many requests wait for connections, and that none does in vain."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import override_settings
from django.utils import timezone

from lifecycle.models import Node
from tests.volumes.connecting import ConnectedCase, worker
from volumes.models import Connection, ServiceState

FEW = 2


class WaitingTests(ConnectedCase):
    @override_settings(CONNECT_WAITERS=FEW)
    def test_more_than_may_wait_are_answered_at_once_and_their_work_goes_on(self):
        volumes = [self.a_volume() for _ in range(FEW + 1)]
        answers = []

        def ask(volume):
            try:
                answers.append(self.attach(volume))
            finally:
                connection.close()

        threads = [threading.Thread(target=ask, args=(each,)) for each in volumes]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        self.wait_for(lambda: answers)  # nobody works, so the only answer there can be is a refusal
        self.assertLess(time.monotonic() - began, 10)
        self.refused(answers[0], 503, "connecting", "goes on", "Too many requests wait")
        self.assertEqual(answers[0]["Retry-After"], "1")
        self.assertEqual(Connection.objects.count(), FEW + 1)
        with worker():
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(one.status_code for one in answers), [*[200] * FEW, 503])
            self.wait_for(lambda: not Connection.objects.exclude(status="connected").exists())
            self.ok(self.attach(self.a_volume()))  # those that waited have left their places

    def test_nobody_waits_for_a_back_end_that_no_live_worker_serves(self):
        ways: tuple[dict[str, Any], ...] = (
            {"serves": ["slow"]},
            {"draining": True},
            {"kind": Node.Kind.API},
            {"stopped_at": timezone.now()},
            {"seen_at": timezone.now() - timedelta(hours=2)},
        )
        before: dict[str, Any] = dict(Node.objects.values().get())
        for way in ways:
            with self.subTest(way):
                volume = self.a_volume()
                Node.objects.update(**way)
                self.at_once(volume)
                Node.objects.update(**{key: before[key] for key in way})
        volume = self.a_volume()
        ServiceState.objects.create(node=before["name"], backend="fast", disabled=True)
        self.at_once(volume)

    def at_once(self, volume):
        began = time.monotonic()
        self.refused(self.attach(volume), 503, "connecting", "No node", "fast")
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(self.states(volume), ("attaching", ["attaching"], ["connecting"]))
