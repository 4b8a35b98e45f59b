"""A Keystone that is down, hangs, or does not know us: nobody is let in, nobody is told that it is their fault."""

from __future__ import annotations

import json
import os
import signal

from api.problems import Unavailable
from deploy.ready import until
from tests.identity.real.base import BAYS, VOLUMES, Part

DISCOVERY = ("/container-infra", "/container-infra/v1", "/volume", "/volume/v3")


class Down(Part):
    def come_back(self) -> None:
        supervisor = self.cloud.supervisors["keystone"]
        if supervisor["keystone"].pid is None:
            supervisor.release("keystone")
        until(self.cloud.is_ready, supervisor["keystone"], 60)

    def assert_unavailable(self, token: str) -> None:
        answer = self.ask(BAYS, token)
        self.assertEqual((answer.status_int, answer.headers["Retry-After"]), (503, "1"), answer.text)
        self.assertEqual(json.loads(answer.text)["errors"][0]["code"], "container-infra.identity-unavailable")
        answer = self.ask(VOLUMES, token)
        self.assertEqual((answer.status_int, answer.headers["Retry-After"]), (503, "1"), answer.text)
        self.assertIn("Keystone", json.loads(answer.text)["serviceUnavailable"]["message"])

    def test_keystone_is_stopped_in_the_middle_and_comes_back(self):
        known, fresh = self.token("demo"), self.token("reader")
        service = self.token("roadstead", "service")
        self.assertEqual(self.status(VOLUMES, known), 200)
        self.begin(TOKEN_CACHE_SECONDS=0)
        may_read = self.following(known)
        self.begin()
        self.assertEqual(self.status(VOLUMES, known), 200)
        self.addCleanup(self.come_back)
        self.cloud.supervisors["keystone"].hold("keystone")
        while self.cloud.is_ready():  # its worker dies with it, a moment later
            pass
        self.assert_unavailable(fresh)
        with self.assertRaises(Unavailable):
            may_read()
        self.assertEqual(self.status(VOLUMES, known), 200, "what it said before goes on")
        self.assertEqual(self.status(VOLUMES, known, X_Service_Token=service), 503)
        self.assertEqual(self.status(VOLUMES), 401)
        self.assertEqual(self.status(VOLUMES, "no token at all"), 401)
        for path in DISCOVERY:
            self.assertIn(self.status(path, fresh), (200, 300), path)
        self.come_back()
        self.assertEqual(self.status(VOLUMES, fresh), 200)

    def test_keystone_hangs(self):
        known, fresh = self.token("demo"), self.token("reader")
        self.begin(KEYSTONE_TIMEOUT=3)
        self.assertEqual(self.status(VOLUMES, known), 200)
        group = os.getpgid(self.cloud.supervisors["keystone"].pids()["keystone"])
        self.addCleanup(self.come_back)
        self.addCleanup(os.killpg, group, signal.SIGCONT)
        os.killpg(group, signal.SIGSTOP)
        self.assert_unavailable(fresh)
        self.assertEqual(self.status(VOLUMES, known), 200)
        os.killpg(group, signal.SIGCONT)
        self.kept(200, VOLUMES, fresh)

    def test_keystone_does_not_know_us(self):
        fresh = self.token("demo")
        self.begin(CLOUD_VARIABLES={**self.cloud.service_login(), "OS_PASSWORD": "wrong"})
        self.assert_unavailable(fresh)
        self.begin(CLOUD_VARIABLES=self.cloud.login("reader"))  # somebody who may have no tokens checked
        self.assert_unavailable(fresh)
