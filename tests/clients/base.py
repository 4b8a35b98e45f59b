"""One whole node on the test database, and the real `openstack` command, as users install it, against it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase, override_settings

from bays.models import Bay
from deploy import ready
from deploy.state import ROOT, State
from deploy.supervise import Child, Supervisor
from deploy.venvs import Installer, Venv
from project import env
from tests.clouds import heat_endpoint

PASSWORD = "a-password-of-the-client-tests"
PATIENCE = 60.0
CLIENTS = Venv(
    "OpenStack's command line", ROOT / ".venv-clients", (ROOT / "deploy" / "requirements-clients.txt",)
)


class ClientCase(TransactionTestCase):
    """Users demo and reader of project demo, as `manage.py seed` makes them."""

    url: ClassVar[str]
    log: ClassVar[Path]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        home = Path(tempfile.mkdtemp(prefix="roadstead-clients-"))
        cls.addClassCleanup(shutil.rmtree, home)
        state = State(home)
        if not CLIENTS.is_current():
            Installer(state).ensure(CLIENTS)
        with override_settings(SEED_PASSWORDS={"demo": PASSWORD, "reader": PASSWORD}):
            call_command("seed", stdout=io.StringIO())
        cls.addClassCleanup(call_command, "flush", verbosity=0, interactive=False)
        port = state.port("api")
        cls.url = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "manage.py", "runnode", "--name", "client-tests", "--port", str(port)]
        told: dict[str, str | None] = {key: None for key in os.environ if key.startswith("OS_")}
        told |= {
            "DATABASE_URL": urlsplit(env.text("DATABASE_URL"))
            ._replace(path=f"/{quote(str(connection.settings_dict['NAME']), safe='')}")
            .geturl(),
            "PUBLIC_URL": cls.url,
            "OS_AUTH_TYPE": "none",
            "OS_ENDPOINT": heat_endpoint(),
            "WORKER_CONCURRENCY": "2",
        }
        cls.log = state.log("node")
        node = Child("node", argv, told, log=cls.log, cwd=ROOT)
        cls.enterClassContext(Supervisor([node]))
        ready.until(lambda: ready.answers(port, "/healthz"), node, PATIENCE)

    def _fixture_teardown(self):
        """Leave the rows: the node lives on. They go with the class."""

    def openstack(self, *words: str, user="demo", fails: bool | None = False, **told: str) -> str:
        """Run the command and return what it prints, complaints included; `fails` None: some do with status 0."""
        names = {"OS_USERNAME": user, "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": "demo"}
        domains = {"OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"}
        where = {"OS_AUTH_URL": f"{self.url}/identity/v3", "OS_REGION_NAME": "RegionOne"}
        who = {"OS_AUTH_TYPE": "password", "OS_IDENTITY_API_VERSION": "3", "HOME": "/nonexistent"}
        done = subprocess.run(
            [CLIENTS.path / "bin" / "openstack", *words],
            env={"PATH": os.defpath, "LANG": "C.UTF-8", **names, **domains, **where, **who, **told},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        log = self.log.read_text(errors="replace")[-3000:]
        if fails is not None:
            self.assertEqual(done.returncode != 0, fails, f"{words}\n{done.stdout}\n{done.stderr}\n{log}")
        return done.stdout + done.stderr

    def told(self, *words: str, **more: Any) -> Any:
        """Run the command and return what it says as JSON; some print a sentence before it."""
        said = self.openstack(*words, "-f", "json", **more)
        lines = said.splitlines()
        first = next((n for n, line in enumerate(lines) if line[:1] in {"{", "["}), None)
        self.assertIsNotNone(first, said)
        return json.loads("\n".join(lines[first:]))

    def await_status(self, bay_id: str, status: str | None) -> None:
        """Return once the bay has the status, or is gone; fail once it rests in another one."""
        end = time.monotonic() + PATIENCE
        while (found := Bay.objects.filter(pk=bay_id).values_list("status", flat=True).first()) != status:
            if time.monotonic() > end or (found and "FAILED" in found):
                self.fail(f"{found}, not {status}\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)
