"""One request per key, whoever dies, waits or is refused in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from urllib.parse import quote, urlsplit

from django.db import connection, transaction
from django.http import HttpResponse
from django.test import override_settings

from api.models import IdempotencyKey
from bays.models import Bay, Quota
from lifecycle.models import Operation
from project import env
from tests.races.requests import BASE, WIDTH, RequestRaceTestCase

ROUNDS = 5
REPLAYED = "Idempotency-Replayed"
DYING_NODE = f"""
import io, os, signal, sys
import django
django.setup()
from django.core.wsgi import get_wsgi_application
token, body = sys.argv[1], sys.argv[2].encode()
environ = {{
    "REQUEST_METHOD": "POST", "PATH_INFO": "{BASE}/clusters", "SERVER_NAME": "localhost", "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
    "HTTP_OPENSTACK_API_VERSION": "container-infra latest",
    "HTTP_X_AUTH_TOKEN": token, "HTTP_IDEMPOTENCY_KEY": "k", "wsgi.input": io.BytesIO(body),
    "wsgi.errors": sys.stderr, "wsgi.url_scheme": "http",
}}
get_wsgi_application()(environ, lambda *answer: os.kill(os.getpid(), signal.SIGKILL))
"""


class IdempotencyRaceTests(RequestRaceTestCase):
    def create(self, key: str = "k", *, name: str = "one", project: str = "blue") -> HttpResponse:
        body = {"cluster_template_id": str(self.model.pk), "name": name}
        return self.ask("POST", "/clusters", body, project=project, **{"Idempotency-Key": key})

    def used(self, project: str = "blue") -> int:
        return Quota.objects.get(pk=self.projects[project].pk).used

    def test_sixteen_twins_make_one_bay_and_hear_one_answer(self) -> None:
        for number in range(ROUNDS):
            answers = self.race(*[partial(self.create, f"k{number}")] * WIDTH)
            self.assertEqual(self.statuses(answers), [202] * WIDTH)
            heard = {(a.content, a["Location"]) for a in answers if isinstance(a, HttpResponse)}
            self.assertEqual(len(heard), 1)
            self.assertEqual(sum(isinstance(a, HttpResponse) and REPLAYED in a for a in answers), WIDTH - 1)
            self.assertEqual((Bay.objects.count(), self.used()), (number + 1, number + 1))
            self.assertEqual(Operation.objects.count(), number + 1)

    def test_two_projects_with_one_key_do_not_meet(self) -> None:
        both = [partial(self.create, project=project) for project in ("blue", "red")] * (WIDTH // 2)
        self.assertEqual(self.statuses(self.race(*both)), [202] * WIDTH)
        for project in ("blue", "red"):
            self.assertEqual(
                (Bay.objects.of_project(self.projects[project].pk).count(), self.used(project)), (1, 1)
            )

    def test_of_sixteen_requests_with_one_key_one_is_carried_out(self) -> None:
        answers = self.race(*(partial(self.create, name=f"bay{number}") for number in range(WIDTH)))
        self.assertEqual(self.statuses(answers), [202] + [422] * (WIDTH - 1))
        self.assertEqual((Bay.objects.count(), self.used()), (1, 1))

    @override_settings(BAY_QUOTA=0)
    def test_sixteen_twins_that_are_refused_are_all_told_why(self) -> None:
        answers = self.race(*[self.create] * WIDTH)
        self.assertEqual(self.statuses(answers), [403] * WIDTH)
        self.assertEqual((Bay.objects.count(), IdempotencyKey.objects.count()), (0, 0))

    def test_the_answer_of_a_node_that_died_before_it_gave_it_is_given_by_another(self) -> None:
        body = f'{{"cluster_template_id": "{self.model.pk}", "name": "one"}}'
        settings = {"DJANGO_SETTINGS_MODULE": "project.settings", "DATABASE_URL": self.database_url()}
        died = subprocess.run(
            [sys.executable, "-c", DYING_NODE, self.tokens["blue"], body],
            cwd=env.BASE_DIR,
            env={**os.environ, **settings},
            check=False,
        )
        self.assertEqual(died.returncode, -signal.SIGKILL)
        bay = Bay.objects.get()
        answer = self.create()
        self.assertEqual((answer.status_code, answer[REPLAYED]), (202, "true"))
        self.assertIn(str(bay.pk), answer["Location"])
        self.assertEqual((Bay.objects.count(), self.used()), (1, 1))

    def test_a_twin_takes_over_when_the_first_is_rolled_back(self) -> None:
        with transaction.atomic():
            self.begin_another()
            twin = self.in_background(self.create)
            transaction.set_rollback(True)
        answer = twin()
        self.assertEqual((answer.status_code, REPLAYED in answer), (202, False))
        self.assertEqual((Bay.objects.count(), IdempotencyKey.objects.count()), (1, 1))

    def test_a_twin_that_has_waited_long_is_told_that_the_first_is_under_way(self) -> None:
        with transaction.atomic():
            self.begin_another()
            twin = self.in_background(self.impatient(self.create))
            answer = twin()
        self.assertEqual(answer.status_code, 409)
        self.assertIn(b"under way", answer.content)
        self.assertEqual(Bay.objects.count(), 0)

    def begin_another(self) -> None:
        """Do what the first request does before anything else: insert its key."""
        IdempotencyKey.objects.create(
            owner=self.projects["blue"].pk, key="k", fingerprint="f", request_id="req"
        )

    def database_url(self) -> str:
        name = quote(str(connection.settings_dict["NAME"]), safe="")
        return urlsplit(env.text("DATABASE_URL"))._replace(path=f"/{name}").geturl()
