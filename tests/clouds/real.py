"""A real Keystone, and a real Heat behind it, for a class of tests: started with it, gone with it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.db import connection
from django.test import SimpleTestCase

from deploy import keystone, postgres
from deploy.cloud import Cloud, cloud
from deploy.state import State
from deploy.venvs import Installer
from project import env


def start_cloud(case: type[SimpleTestCase], *, with_heat: bool = True) -> Cloud:
    """Start both for the class, on databases of their own beside the tests' (call it in setUpClass).

    `deploy/cloud.py` says which users, projects and roles there are; `login` and `service_login` of what is returned
    say how to be one of them, `supervisors["keystone"].hold("keystone")` takes it down and `release` starts it again.
    """
    home = Path(tempfile.mkdtemp(prefix="roadstead-cloud-"))
    case.addClassCleanup(shutil.rmtree, home)
    state = State(home)
    if not keystone.VENV.works():
        Installer(state).ensure(keystone.VENV)
    server = env.text("DATABASE_URL")
    mine = str(connection.settings_dict["NAME"])
    names = [f"{mine}_{name}" for name in ("keystone", "heat")]
    urls = {
        name: urlsplit(server)._replace(path=f"/{quote(f'{mine}_{name}', safe='')}").geturl()
        for name in ("keystone", "heat")
    }
    admin = urlsplit(server)._replace(path="/postgres").geturl()
    postgres.drop(admin, *names)  # of a run that was cut short
    postgres.create(admin, *names)
    case.addClassCleanup(postgres.drop, admin, *names)
    return case.enterClassContext(cloud(state, urls.__getitem__, with_heat=with_heat))
