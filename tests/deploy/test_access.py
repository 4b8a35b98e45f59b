"""The files that let people in: a shell and OpenStack's own reader understand them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from django.test import SimpleTestCase
from openstack.config import OpenStackConfig

from deploy import access
from deploy.state import State


class AccessTests(SimpleTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="road stead's ")
        self.addCleanup(folder.cleanup)
        self.state = State(Path(folder.name) / "state")
        access.write_logins(self.state, "http://127.0.0.1:8000/identity/v3")
        self.passwords = access.passwords(self.state)

    def test_it_writes_an_openrc_that_logs_in_as_any_user(self):
        for arguments, user in (("", "demo"), (" admin", "admin"), (" reader", "reader")):
            with self.subTest(user=user):
                script = f'. "$RC"{arguments}; echo "$OS_USERNAME $OS_PASSWORD ${{OS_CLOUD-none}}"'
                env = {**os.environ, "RC": str(self.state.path / "openrc"), "OS_CLOUD": "other"}
                shown = subprocess.run(
                    ["bash", "-c", script], env=env, capture_output=True, text=True, check=True
                )
                self.assertEqual(shown.stdout, f"{user} {self.passwords[user]} none\n")

    def test_it_writes_clouds_that_openstacksdk_reads(self):
        config = OpenStackConfig(config_files=[str(self.state.path / "clouds.yaml")], load_envvars=False)
        cloud = config.get_one(cloud="roadstead-admin", validate=False)
        self.assertEqual(cloud.region_name, "RegionOne")
        self.assertEqual(cloud.config["auth"]["auth_url"], "http://127.0.0.1:8000/identity/v3")
        self.assertEqual(cloud.config["auth"]["password"], self.passwords["admin"])

    def test_it_keeps_passwords_and_tells_them_to_nobody_else(self):
        self.assertEqual(access.passwords(State(self.state.path)), self.passwords)
        for name in ("openrc", "clouds.yaml", "values.json"):
            self.assertEqual((self.state.path / name).stat().st_mode & 0o077, 0, name)

    def test_it_refuses_to_write_a_variable_of_two_lines(self):
        with self.assertRaisesRegex(ValueError, "OS_PASSWORD"):
            access.write_env(self.state, {"OS_PASSWORD": "a\nDEBUG=1"})
