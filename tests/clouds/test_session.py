"""How the client logs in, and what it holds back."""

import os
import tempfile
import threading
import uuid
from pathlib import Path

from django.test import SimpleTestCase

from clouds.heat import connect
from clouds.session import InvalidCloud, open_session
from tests.clouds import connect_to, heat_endpoint

PASSWORD = {
    "OS_AUTH_URL": "http://127.0.0.1:1/v3",
    "OS_USERNAME": "roadstead",
    "OS_PASSWORD": "secret",
    "OS_PROJECT_NAME": "service",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_PROJECT_DOMAIN_NAME": "Default",
    "OS_REGION_NAME": "North",
    "OS_INTERFACE": "internal",
}


class OpenSessionTest(SimpleTestCase):
    def test_it_takes_a_password(self):
        cloud = open_session(PASSWORD, 10)
        self.assertEqual(type(cloud.session.auth).__module__, "keystoneauth1.identity.generic.password")
        self.assertEqual((cloud.region, cloud.interface), ("North", "internal"))

    def test_it_takes_an_application_credential(self):
        cloud = open_session(
            {
                "OS_AUTH_TYPE": "v3applicationcredential",
                "OS_AUTH_URL": "http://127.0.0.1:1/v3",
                "OS_APPLICATION_CREDENTIAL_ID": "id",
                "OS_APPLICATION_CREDENTIAL_SECRET": "secret",
            },
            10,
        )
        self.assertEqual(type(cloud.session.auth).__name__, "ApplicationCredential")

    def test_it_takes_a_cloud_of_clouds_yaml(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clouds.yaml"
            path.write_text(
                "clouds: {here: {auth_type: none, auth: {endpoint: 'http://heat.example/v1/p'}, region_name: South}}"
            )
            cloud = open_session({"OS_CLOUD": "here", "OS_CLIENT_CONFIG_FILE": str(path)}, 10)
        self.assertEqual(cloud.session.get_endpoint(), "http://heat.example/v1/p")
        self.assertEqual(cloud.region, "South")

    def test_it_says_when_it_is_told_too_little(self):
        for variables in ({}, {"OS_CLOUD": "nowhere"}, {"OS_USERNAME": "x"}, {"OS_AUTH_TYPE": "nonsense"}):
            with self.subTest(variables), self.assertRaises(InvalidCloud):
                open_session(variables, 10)

    def test_the_environment_of_the_process_does_not_leak_in(self):
        with self.settings(), unset("OS_REGION_NAME", "Elsewhere"):
            self.assertEqual(open_session(PASSWORD, 10).region, "North")
            without = {key: value for key, value in PASSWORD.items() if key != "OS_REGION_NAME"}
            self.assertNotEqual(open_session(without, 10).region, "Elsewhere")


class unset:  # noqa: N801 - reads as a verb
    """Set a variable of the environment for a while."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __enter__(self):
        self.before = os.environ.get(self.name)
        os.environ[self.name] = self.value

    def __exit__(self, *args):
        os.environ.pop(self.name)
        if self.before is not None:
            os.environ[self.name] = self.before


class GuardTest(SimpleTestCase):
    def test_it_is_asked_before_each_request_and_its_no_stands(self):
        class InsideTransaction(Exception):
            pass

        def refuse():
            raise InsideTransaction

        heat = connect(PASSWORD, guard=refuse)
        for ask in (
            lambda: heat.find("tag"),
            lambda: next(heat.tagged("tag")),
            lambda: heat.by_ids([uuid.uuid4()]),
            lambda: heat.show(uuid.uuid4()),
            lambda: heat.delete(uuid.uuid4()),
            lambda: heat.first_failure(uuid.uuid4()),
        ):
            with self.assertRaises(InsideTransaction):
                ask()


class SharingTest(SimpleTestCase):
    def test_threads_share_one_client(self):
        heat = connect_to(heat_endpoint())
        found = []
        threads = [threading.Thread(target=lambda: found.append(heat.find("nobody"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [[]] * 8)
        self.assertEqual(len(heat._clients), 1)

    def test_a_child_does_not_use_its_parents_connections(self):
        heat = connect_to(heat_endpoint())
        heat.find("nobody")
        parents = heat._connection()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                heat.find("nobody")
                status = 0 if heat._connection() is not parents else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertEqual(heat.find("nobody"), [])
