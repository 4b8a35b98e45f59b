"""The people of a real Keystone before the real application, in this process, with keystonemiddleware around it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from unittest import mock

import webob
from django.conf import settings
from django.core import signals
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import TestCase
from rest_framework.request import Request
from rest_framework.views import APIView

from api.versions import BLOCK_STORAGE
from clouds.keystone import Keystone
from clouds.session import open_session
from deploy.cloud import Cloud
from identity.authentication import Bearer
from identity.callers import Caller
from identity.following import feed_of
from identity.keystone import KeystoneAuthentication, guarded
from identity.registering import INTERFACES, Plan
from tests.clouds.real import start_cloud

BAYS = "/container-infra/v1/bays"
VOLUMES = "/volume/v3/volumes"
MODELS = "/container-infra/v1/baymodels"
SERVICES = "/volume/v3/os-services"
MODEL = {"name": "m", "coe": "demo", "image_id": "i", "external_network_id": "n"}
URL = "http://roadstead.example"


class KeystoneCase(TestCase):
    """Users and projects are those of `deploy/cloud.py`; each test has a process that remembers nothing yet."""

    cloud: ClassVar[Cloud]
    there: ClassVar[Keystone]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloud = start_cloud(cls, with_heat=False)
        cls.there = cls.cloud.keystone()
        plan(URL).carry_out(cls.there, lambda _: None)
        for signal in (signals.request_started, signals.request_finished):  # the tests' transaction is theirs
            signal.disconnect(close_old_connections)
            cls.addClassCleanup(signal.connect, close_old_connections)
        cls.enterClassContext(mock.patch.object(APIView, "authentication_classes", [KeystoneAuthentication]))

    def begin(self, **over: Any) -> None:
        """Begin a process in keystone mode, with these settings besides."""
        told = {
            "CLOUD_VARIABLES": self.cloud.service_login(),
            "IDENTITY": "keystone",
            "TOKEN_CACHE_SECONDS": 300,
            "KEYSTONE_TIMEOUT": 30,
        }
        self.enterContext(self.settings(**{**told, **over}))
        self.application = guarded(get_wsgi_application())
        self.door = guarded(_nothing)

    def setUp(self):
        super().setUp()
        logging.disable(logging.CRITICAL)  # what is said of a Keystone that was taken down is no news
        self.addCleanup(logging.disable, logging.NOTSET)
        self.begin()

    # --- tokens -----------------------------------------------------------------------------------------------
    def token(self, user: str, project: str | None = "demo", **over: str) -> str:
        """Return a new token of a user in a project, in the system without one; "" takes a variable away."""
        told = {key: value for key, value in {**self.cloud.login(user, project), **over}.items() if value}
        return str(open_session(told, 10).session.get_token())

    def by_credential(self, user: str, **fields: Any) -> str:
        """Return a token had by an application credential that the user makes in Keystone for it."""
        own = Keystone(self.cloud.login(user))
        made = own._ask(
            "POST",
            f"/users/{own.whoami()}/application_credentials",
            json={"application_credential": {"name": f"c-{self.id()}-{len(fields)}", **fields}},
        )["application_credential"]
        told = {
            "OS_AUTH_TYPE": "v3applicationcredential",
            "OS_AUTH_URL": self.cloud.auth_url,
            "OS_APPLICATION_CREDENTIAL_ID": made["id"],
            "OS_APPLICATION_CREDENTIAL_SECRET": made["secret"],
        }
        return str(open_session(told, 10).session.get_token())

    # --- requests -----------------------------------------------------------------------------------------------
    def ask(
        self, path: str, token: str = "", method: str = "GET", body: object = None, **headers: str
    ) -> Any:
        """Send a request through keystonemiddleware into the application; return what answers."""
        request = _request(path, token, method, headers)
        if body is not None:
            request.body = json.dumps(body).encode()
            request.content_type = "application/json"
        return request.get_response(self.application)

    def status(self, path: str, token: str = "", **more: Any) -> int:
        return int(self.ask(path, token, **more).status_int)

    def bearer(self, token: str, **headers: str) -> tuple[Caller, Bearer]:
        """Return who a view would find calling, and with what."""
        request = _request(VOLUMES, token, "GET", headers)
        request.get_response(self.door)
        found = KeystoneAuthentication().authenticate(Request(WSGIRequest(request.environ)))
        assert found is not None
        return found

    def following(self, token: str) -> Callable[[], bool]:
        """Return what tells whether somebody who follows events with this token still may."""
        request = _request(VOLUMES, token, "GET", {})
        request.get_response(self.door)
        asked = Request(WSGIRequest(request.environ), authenticators=[KeystoneAuthentication()])
        return feed_of(asked, BLOCK_STORAGE, ["volume"], everybody=False).may_read

    def caller(self, token: str, **headers: str) -> Caller:
        return self.bearer(token, **headers)[0]

    def kept(self, until: int, path: str, token: str) -> None:
        """Ask until the answer has this status."""
        for _ in range(600):
            if self.status(path, token) == until:
                return
        self.fail(f"{path} did not become {until}")


def plan(url: str, **more: Any) -> Plan:
    """Return how we register at this URL."""
    urls = {
        kind: dict.fromkeys(INTERFACES, f"{url}{path}")
        for kind, _, path in settings.CATALOG
        if kind != "identity"
    }
    return Plan(region="RegionOne", services=urls, **more)


def _request(path: str, token: str, method: str, headers: dict[str, str]) -> webob.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        named["X-Auth-Token"] = token
    return webob.Request.blank(path, base_url="http://127.0.0.1", method=method, headers=named)


def _nothing(environ: Any, start_response: Any) -> list[bytes]:
    start_response("204 No Content", [])
    return []


# A part is no test case: all together are one, for a Keystone takes longer to start than most of them to run.
if TYPE_CHECKING:
    Part = KeystoneCase
else:
    Part = object
