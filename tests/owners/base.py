"""Bays in their owners' projects: our API in front of a real Keystone and, behind a proxy that counts, a real Heat."""

from __future__ import annotations

import json
import time
import uuid
from datetime import timedelta
from typing import Any, ClassVar
from unittest.mock import patch
from urllib.parse import urlsplit

import webob
from django.core.wsgi import get_wsgi_application
from django.db.models.functions import Now
from django.test import TransactionTestCase, override_settings
from rest_framework.views import APIView

from bays import delegations, parties
from bays.models import Bay, BayModel
from bays.stacks import bay_tag
from bays.states import Status
from bays.tasks import advance_bay
from chaos.heat_proxy import HeatProxy
from clouds.heat import Heat, connect
from clouds.keystone import Keystone
from deploy import keystone
from deploy.access import password
from deploy.cloud import Cloud, offer
from identity.callers import Caller
from identity.keystone import KeystoneAuthentication, guarded
from lifecycle.models import Operation
from sync.models import Cursor
from sync.schedule import seed
from tests import make
from tests.clouds.real import start_cloud

BASE = "/container-infra/v1"
PATIENCE = 60  # seconds until what does not come fails the test
SECOND = timedelta(seconds=1)


class Answer:
    """What the application answered, read as Django's test client has it read."""

    def __init__(self, told: webob.Response) -> None:
        self.status_code, self.content, self._headers = told.status_int, told.body, told.headers

    def json(self) -> Any:
        return json.loads(self.content)

    def __getitem__(self, header: str) -> str:
        return str(self._headers[header])


class OwnersCase(TransactionTestCase):
    """Whom `deploy/cloud.py` knows: demo is a member of the projects demo and alt, stranger of alt."""

    cloud: ClassVar[Cloud]
    there: ClassVar[Keystone]  # as its admin
    proxy: ClassVar[HeatProxy]
    projects: ClassVar[dict[str, str]]
    users: ClassVar[dict[str, str]]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloud = start_cloud(cls)
        cls.there = cls.cloud.keystone()
        cls.enterClassContext(patch.object(APIView, "authentication_classes", [KeystoneAuthentication]))
        (service,) = cls.there.find("services", type="orchestration")
        heat = cls.there.find("endpoints", service_id=service["id"])[0]["url"].partition("/$")[0]
        cls.proxy = cls.enterClassContext(HeatProxy(heat))
        offer(cls.there, "orchestration", "heat", f"{cls.proxy.url}/$(project_id)s")
        cls.projects = {str(one["name"]): str(one["id"]) for one in cls.there.find("projects")}
        cls.users = {str(one["name"]): str(one["id"]) for one in cls.there.find("users")}

    def setUp(self):
        how = override_settings(
            IDENTITY="keystone",
            CLOUD_VARIABLES=self.cloud.service_login(),
            TOKEN_CACHE_SECONDS=300,
            TESTING=False,  # the guard against calls inside a transaction is in force
        )
        how.enable()
        self.addCleanup(how.disable)
        self.application = guarded(get_wsgi_application())
        self.addCleanup(delegations.forget)
        self.addCleanup(parties.forget)
        make.node()
        seed()
        self.proxy.heal()
        self.proxy.calls.clear()
        self.held: dict[tuple[str, str], str] = {}
        self.model = make.baymodel(public=True)
        self.addCleanup(self.clean)

    def clean(self):
        """Remove what the test has left in the cloud."""
        admin = self.there
        for user, project in self.held:
            if project in self.projects:
                self.remove_stacks(user, project)
        for trust in self.trusts():
            admin._ask("DELETE", f"/OS-TRUST/trusts/{trust}")

    def remove_stacks(self, user, project):
        try:
            heat = self.heat(user, project)
            for stack in heat.tagged("roadstead"):
                heat.delete(stack.id)
        except Exception:  # noqa: BLE001, S110 - who has been deleted
            pass

    # --- Keystone's side

    def token(self, user="demo", project="demo") -> str:
        """Return a token of the user's, the same each time."""
        if (user, project) not in self.held:
            self.held[user, project] = self.login(self.cloud.login(user, project))
        return self.held[user, project]

    def login(self, variables) -> str:
        return str(Keystone(variables)._session.get_token())

    def keystone_as(self, user, project="demo") -> Keystone:
        return Keystone(self.cloud.login(user, project))

    def keystone_goes(self):
        """Have Keystone be down until the test is over, or `keystone_is_back`."""
        self.addCleanup(self.keystone_is_back)
        self.cloud.supervisors["keystone"].hold("keystone")
        end = time.monotonic() + PATIENCE
        while keystone.is_ready(self.port):
            if time.monotonic() > end:
                raise AssertionError("Keystone does not go")
            time.sleep(0.05)

    def keystone_is_back(self):
        """Have Keystone run again, and answer."""
        self.cloud.supervisors["keystone"].release("keystone")
        end = time.monotonic() + PATIENCE
        while not keystone.is_ready(self.port):
            if time.monotonic() > end:
                raise AssertionError("Keystone does not come back")
            time.sleep(0.1)

    @property
    def port(self) -> int:
        return urlsplit(self.cloud.auth_url).port or 0

    def caller(self, user="demo", project="demo") -> Caller:
        roles = frozenset({"member", "reader"})
        return Caller(self.users[user], user, self.projects[project], project, roles)

    def a_user(self, *roles: tuple[str, str]) -> str:
        """Return the name of a new user with these roles, as role and project."""
        name = f"user-{uuid.uuid4().hex[:8]}"
        secret = password(self.cloud.state, name)
        made = self.there.make("users", name=name, domain_id="default", password=secret)
        self.users[name] = made["id"]
        for role, project in roles:
            self.there.grant(role, made["id"], f"projects/{self.projects[project]}")
        return name

    def a_project(self, *users: str) -> str:
        """Return the name of a new project with these members."""
        name = f"project-{uuid.uuid4().hex[:8]}"
        self.projects[name] = self.there.make("projects", name=name, domain_id="default")["id"]
        for user in users:
            self.there.grant("member", self.users[user], f"projects/{self.projects[name]}")
        return name

    def revoke(self, role, user, project):
        (found,) = self.there.find("roles", name=role)
        where = f"/projects/{self.projects[project]}/users/{self.users[user]}/roles/{found['id']}"
        self.there._ask("DELETE", where)

    def trusts(self) -> list[str]:
        """Return the trusts that our service user has, from anybody."""
        query = f"/OS-TRUST/trusts?trustee_user_id={self.users['roadstead']}"
        return [one["id"] for one in self.there._ask("GET", query)["trusts"]]

    def trust_told(self, trust_id) -> Any:
        return self.there._ask("GET", f"/OS-TRUST/trusts/{trust_id}")["trust"]

    # --- the API's side

    def ask(self, method, path, body=None, *, user="demo", project="demo", token=None, **headers):
        request = webob.Request.blank(f"{BASE}{path}", base_url="http://127.0.0.1", method=method)
        request.headers["X-Auth-Token"] = token or self.token(user, project)
        request.headers["OpenStack-API-Version"] = "container-infra latest"
        request.headers.update(headers)
        if body is not None:
            request.body = json.dumps(body).encode()
            request.content_type = "application/json"
        return Answer(request.get_response(self.application))

    def wish(self, **labels) -> dict[str, Any]:
        model: BayModel = self.model
        labels = {"boot_seconds": "0", **labels}
        return {"cluster_template_id": str(model.pk), "name": "one", "node_count": 1, "labels": labels}

    def accepted(self, user="demo", project="demo", **labels) -> Bay:
        """Return a bay as its create was accepted."""
        answer = self.ask("POST", "/clusters", self.wish(**labels), user=user, project=project)
        self.assertEqual(answer.status_code, 202, answer.content)
        return Bay.objects.get(pk=answer.json()["uuid"])

    def created(self, user="demo", project="demo", **labels) -> Bay:
        """Return a bay that is complete."""
        bay = self.accepted(user, project, **labels)
        made: Bay = self.until(bay, Status.CREATE_COMPLETE)
        self.proxy.calls.clear()
        return made

    def error(self, answer, status) -> dict[str, Any]:
        self.assertEqual(answer.status_code, status, answer.content)
        (error,) = answer.json()["errors"]
        return dict(error)

    # --- the worker's side

    def row(self, bay) -> Bay | None:
        return Bay.objects.select_related("baymodel").filter(pk=bay.pk).first()

    def step(self, bay) -> Any:
        """Take a step now, whatever the bay waits for; return the bay if it is still there."""
        Bay.objects.filter(pk=bay.pk).update(watched=False, not_before=Now() - SECOND)
        advance_bay(pk=str(bay.pk))
        return self.row(bay)

    def until(self, bay, status) -> Any:
        """Take steps until the bay has come to this status; None for its end."""
        end = time.monotonic() + PATIENCE
        while (found := self.step(bay)) is not None and found.status != status:
            if time.monotonic() > end or (found.operation_id is None and status is not None):
                raise AssertionError(f"the bay is {found.status}: {found.status_reason}")
            time.sleep(0.2)
        self.assertEqual(found is None, status is None)
        return found

    def delete(self, bay, user="demo", project="demo") -> None:
        """Have the bay deleted, and see it gone."""
        answer = self.ask("DELETE", f"/clusters/{bay.pk}", user=user, project=project)
        self.assertEqual(answer.status_code, 204, answer.content)
        self.until(bay, None)

    def trust_of(self, bay) -> str:
        row = self.row(bay)
        assert row is not None
        found = delegations.trust_of(row)
        assert found is not None
        return found

    def failure(self, bay, user="demo", project="demo") -> dict[str, Any]:
        """Return what the API says of the bay's failure."""
        return dict(
            self.ask("GET", f"/clusters/{bay.pk}", user=user, project=project).json()["failure"] or {}
        )

    # --- Heat's side

    def heat(self, user="demo", project="demo") -> Heat:
        """Return Heat as a user meets it; what is asked so is counted too."""
        return connect(self.cloud.login(user, project), timeout=30)

    def stacks(self, bay, user="demo", project="demo"):
        return [one.id for one in self.heat(user, project).find(bay_tag(bay)) if one.action != "DELETE"]

    def a_round_begins(self, job):
        Cursor.objects.filter(pk=job).update(not_before=Now() - SECOND)

    def operations(self) -> int:
        return Operation.objects.count()
