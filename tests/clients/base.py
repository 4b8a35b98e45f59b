"""One whole node on the test database, and the real clients, as users install them, against it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote, urlsplit

from django.core.management import call_command
from django.db import connection
from django.test import TransactionTestCase, override_settings

from deploy import ready
from deploy.state import ROOT, State
from deploy.supervise import Child, Supervisor
from deploy.venvs import Installer, Venv
from project import env
from tests.clients.shell import Shell
from tests.clouds import heat_endpoint

T = TypeVar("T")
PASSWORD = "a-password-of-the-client-tests"
PATIENCE = 60.0
PAUSE = 0.05
CLIENTS = Venv(
    "OpenStack's command line", ROOT / ".venv-clients", (ROOT / "deploy" / "requirements-clients.txt",)
)
OLD_CLIENTS = Venv(
    "Magnum's older command line",
    ROOT / ".venv-old-clients",
    (ROOT / "deploy" / "requirements-old-clients.txt",),
)
BACKENDS = """
[backends.fast]
hosts = ["compute1"]
[[backends.fast.pools]]
name = "one"
path = "{home}/fast-one"
create = true
[[backends.fast.pools]]
name = "two"
path = "{home}/fast-two"
create = true
[backends.slow]
hosts = ["compute1"]
[[backends.slow.pools]]
name = "one"
path = "{home}/slow"
create = true
"""


class ClientCase(TransactionTestCase):
    """Users admin, demo and reader of project demo, as `manage.py seed` makes them; demo is of project alt too."""

    url: ClassVar[str]
    log: ClassVar[Path]
    home: ClassVar[Path]
    shells: ClassVar[dict[tuple[str, ...], Shell]]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = Path(tempfile.mkdtemp(prefix="roadstead-clients-"))
        cls.addClassCleanup(shutil.rmtree, cls.home)
        state = State(cls.home)
        for clients in (CLIENTS, OLD_CLIENTS):
            if not clients.is_current():
                Installer(state).ensure(clients)
        with override_settings(SEED_PASSWORDS=dict.fromkeys(("admin", "demo", "reader"), PASSWORD)):
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
            "ROADSTEAD_BACKENDS": str(state.write("backends.toml", BACKENDS.format(home=cls.home))),
            "ROADSTEAD_SERVES": "fast,slow",
            "WORKER_CONCURRENCY": "2",
            "API_PROCESSES": "1",  # each remembers for a second what pools are like: one does not contradict itself
        }
        cls.log = state.log("node")
        node = Child("node", argv, told, log=cls.log, cwd=ROOT)
        cls.enterClassContext(Supervisor([node]))
        cls.shells = {}
        ready.until(lambda: ready.answers(port, "/healthz"), node, PATIENCE)

    def _fixture_teardown(self):
        """Leave the rows: the node lives on. They go with the class."""

    # --- the clients ----------------------------------------------------------------------------------------
    @classmethod
    def knows(cls, user: str, project: str = "demo", **told: str) -> dict[str, str]:
        """Return all that a client knows of us: its environment."""
        names = {"OS_USERNAME": user, "OS_PASSWORD": PASSWORD, "OS_PROJECT_NAME": project}
        domains = {"OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"}
        where = {"OS_AUTH_URL": f"{cls.url}/identity/v3", "OS_REGION_NAME": "RegionOne"}
        how = {"OS_AUTH_TYPE": "password", "OS_IDENTITY_API_VERSION": "3", "HOME": "/nonexistent"}
        return {"PATH": os.defpath, "LANG": "C.UTF-8", **names, **domains, **where, **how, **told}

    def openstack(self, *words: str, user="demo", fails=False, **told: str) -> str:
        """Run `openstack` for one command, check its exit status, return what it prints, complaints included."""
        return self._run("openstack", *words, environment=self.knows(user, **told), fails=fails)

    def cinder(self, *words: str, user="demo", project="demo", fails=False, **told: str) -> str:
        """Run `cinder`, likewise."""
        return self._run("cinder", *words, environment=self.knows(user, project, **told), fails=fails)

    def magnum(self, *words: str, user="demo", fails=False) -> str:
        """Run the older `magnum`, likewise."""
        return self._run("magnum", *words, environment=self.knows(user), fails=fails, of=OLD_CLIENTS)

    def _run(
        self, program: str, *words: str, environment: dict[str, str], fails: bool, of: Venv = CLIENTS
    ) -> str:
        argv = [str(of.path / "bin" / program), *words]
        done = subprocess.run(
            argv, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode != 0, fails, f"{words}\n{said}\n{self.tail()}")
        return said

    def typed(self, *words: str, user="demo", project="demo", version="") -> str:
        """Type a command into an `openstack` that stays open, and return what it prints, complaints included.

        The version is that of the volume API, where it is not left to the client.
        """
        key = (user, project, version)
        if key not in self.shells:
            told = {"OS_VOLUME_API_VERSION": version} if version else {}
            argv = [str(CLIENTS.path / "bin" / "openstack")]
            shell = Shell(argv, self.knows(user, project, **told), PATIENCE)
            self.shells[key] = self.enterClassContext(shell)
        return self.shells[key].type(" ".join(words))

    def quiet(self, *words: str, **who: str) -> None:
        """Type a command that prints nothing when it has done its work."""
        self.assertEqual(self.typed(*words, **who), "", f"{words}\n{self.tail()}")

    def told(self, *words: str, **who: str) -> Any:
        """Type a command and return what it says as JSON, its last lines: some print a sentence before it."""
        said = self.typed(*words, "-f", "json", **who)
        lines = said.splitlines()
        first = next((n for n, line in enumerate(lines) if line[:1] in {"{", "["}), None)
        self.assertIsNotNone(first, f"{words}\n{said}\n{self.tail()}")
        return json.loads("\n".join(lines[first:]))

    def asked(self, *words: str) -> Any:
        """Type a command as an admin and return what it says."""
        return self.told(*words, user="admin")

    def bid(self, *words: str) -> None:
        """Type a command as an admin that prints nothing when it has done its work."""
        self.quiet(*words, user="admin")

    def complains(self, *words: str, of: str, **who: str) -> None:
        """Type a command that is refused, with these words among others."""
        self.assertIn(of, self.typed(*words, **who), words)

    # --- waiting and looking --------------------------------------------------------------------------------
    def until(self, found: Callable[[], T], what: str) -> T:
        """Return what `found` returns as soon as that is true; fail with the end of the node's log if it never is."""
        end = time.monotonic() + PATIENCE
        while not (seen := found()):
            if time.monotonic() > end:
                self.fail(f"Not within {PATIENCE:g} s: {what}\n{self.tail()}")
            time.sleep(PAUSE)
        return seen

    def tail(self) -> str:
        """Return the end of the node's log."""
        return self.log.read_text(errors="replace")[-3000:]
