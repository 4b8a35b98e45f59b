"""`openstack`, unmodified, and a node behind a real Keystone: all it is told of us is in Keystone's own catalog."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import requests
from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase

from deploy import ready
from deploy.cloud import Cloud
from deploy.state import ROOT, State
from deploy.supervise import Child, Supervisor
from deploy.venvs import Installer
from project import env
from tests.clients.base import CLIENTS, PATIENCE
from tests.clouds.real import start_cloud


class KeystoneNodeTests(TransactionTestCase):
    cloud: ClassVar[Cloud]
    url: ClassVar[str]
    log: ClassVar[Path]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        home = Path(tempfile.mkdtemp(prefix="roadstead-keystone-"))
        cls.addClassCleanup(shutil.rmtree, home)
        state = State(home)
        if not CLIENTS.is_current():
            Installer(state).ensure(CLIENTS)
        cls.cloud = start_cloud(cls, with_heat=False)
        cls.addClassCleanup(call_command, "flush", verbosity=0, interactive=False)
        port = state.port("api")
        cls.url = f"http://127.0.0.1:{port}"
        database = urlsplit(env.text("DATABASE_URL"))
        told: dict[str, str | None] = {key: None for key in os.environ if key.startswith("OS_")}
        told |= {
            "ROADSTEAD_IDENTITY": "keystone",
            "PUBLIC_URL": cls.url,
            "DATABASE_URL": database._replace(
                path=f"/{quote(str(connection.settings_dict['NAME']), safe='')}"
            ).geturl(),
            "WORKER_CONCURRENCY": "1",
            "API_PROCESSES": "1",
            "BEHIND_PROXY": "1",
            "ALLOWED_HOSTS": "127.0.0.1,cloud.example",
        }
        cls.log = state.log("node")
        cls.manage({**told, **cls.cloud.login("admin", "admin")}, "register")
        argv = [sys.executable, "manage.py", "runnode", "--name", "keystone-tests", "--port", str(port)]
        node = Child("node", argv, told | cls.cloud.service_login(), log=cls.log, cwd=ROOT)
        cls.enterClassContext(Supervisor([node]))
        ready.until(lambda: ready.answers(port, "/healthz"), node, PATIENCE)

    def _fixture_teardown(self):
        """Leave the rows: the node lives on. They go with the class."""

    @classmethod
    def manage(cls, told: dict[str, Any], *words: str) -> None:
        merged = {key: value for key, value in {**os.environ, **told}.items() if value is not None}
        argv = [sys.executable, "manage.py", *words]
        subprocess.run(argv, env=merged, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE)

    def openstack(self, *words: str, user: str = "demo", fails: bool = False, **over: str) -> str:
        told = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": "/nonexistent",
            **self.cloud.login(user),
            **over,
        }
        done = subprocess.run(
            [str(CLIENTS.path / "bin" / "openstack"), *words],
            env=told,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode != 0, fails, f"{words}\n{said}\n{self.log.read_text()[-3000:]}")
        return said if fails else done.stdout

    def test_clients_find_us_in_its_catalog(self):
        found = {
            row["Type"]: row["Endpoints"]
            for row in json.loads(self.openstack("catalog", "list", "-f", "json"))
        }
        self.assertLessEqual({"identity", "container-infra", "block-storage"}, set(found))
        for kind, path in (("container-infra", "/container-infra/v1"), ("block-storage", "/volume/v3")):
            self.assertEqual({one["url"] for one in found[kind]}, {f"{self.url}{path}"})
        words = "coe cluster template create --coe demo --image none --external-network none small"
        said = self.openstack(*words.split(" "))
        self.assertIn("accepted", said)
        listed = json.loads(self.openstack("coe", "cluster", "template", "list", "-f", "json"))
        self.assertEqual([row["name"] for row in listed], ["small"])
        self.assertEqual(json.loads(self.openstack("volume", "list", "-f", "json")), [])
        hosts = json.loads(self.openstack("volume", "service", "list", "-f", "json", user="admin"))
        self.assertEqual({row["Host"] for row in hosts}, {"keystone-tests"})
        self.assertIn("403", self.openstack("volume", "service", "list", fails=True))

    def test_a_token_that_a_user_takes_back(self):
        text = json.loads(self.openstack("token", "issue", "-f", "json"))["id"]
        by_token = {"OS_AUTH_TYPE": "token", "OS_TOKEN": text, "OS_USERNAME": "", "OS_PASSWORD": ""}
        self.openstack("token", "revoke", text)
        answer = requests.get(
            f"{self.url}/volume/v3/volumes", headers={"X-Auth-Token": text}, timeout=PATIENCE
        )
        self.assertEqual(answer.status_code, 401)
        self.openstack("volume", "list", fails=True, **by_token)

    def test_identity_of_our_own_is_not_there(self):
        for path in ("/identity", "/identity/v3", "/identity/v3/auth/tokens"):
            answer = requests.get(f"{self.url}{path}", timeout=PATIENCE)
            self.assertEqual((answer.status_code, answer.json()["error"]["code"]), (404, 404), path)

    def test_discovery_carries_the_host_that_the_client_used(self):
        headers = {"X-Forwarded-Host": "cloud.example", "X-Forwarded-Proto": "https"}
        for path in ("/container-infra", "/volume"):
            answer = requests.get(f"{self.url}{path}", headers=headers, timeout=PATIENCE)
            self.assertIn(f"https://cloud.example{path}", str(answer.json()["versions"]))
