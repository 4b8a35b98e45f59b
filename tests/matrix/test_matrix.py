"""Every route and method x everybody x their own project and another's: who may do what, and what others are told."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import transaction
from django.test import TestCase, override_settings
from django.urls import resolve
from django.utils import timezone

from api.openapi.routes import routes
from api.versions import BLOCK_STORAGE, CONTAINER_INFRA, HEADER, IDENTITY, SERVICES, Service, service_of
from bays.models import Quota
from identity import tokens
from identity.models import Assignment, Project, Role, User
from identity.policy import RULES
from lifecycle.models import Event, Operation
from tests import make
from tests.identity.base import PASSWORD
from tests.matrix import bays, catalog, identity, volumes
from tests.matrix.table import PEOPLE, SYSTEM_ADMIN, Person, Row, expected
from volumes.actions import transfers
from volumes.models import Attachment, DefaultType, Encryption, Message, QosSpecs

TABLES = {
    CONTAINER_INFRA: (bays,),
    BLOCK_STORAGE: (volumes, catalog),
    IDENTITY: (identity,),
}
PLENTY = {**settings.VOLUME_QUOTAS, "volumes": -1, "gigabytes": -1, "snapshots": -1}


def rows_of(service: Service) -> Iterator[Row]:
    for table in TABLES[service]:
        yield from table.rows()


@override_settings(BAY_QUOTA=1000, VOLUME_QUOTAS=PLENTY, CONNECT_WAIT=0)
class MatrixTests(TestCase):
    names: ClassVar[dict[str, str]]
    people: ClassVar[dict[Person, User]]
    projects: ClassVar[dict[str, Project]]

    @classmethod
    def setUpTestData(cls):
        cls.projects = {name: Project.objects.create(name=name) for name in ("blue", "red", "spare")}
        target = User.objects.create_user("target", password=PASSWORD)
        cls.people = {}
        for person in (*PEOPLE, SYSTEM_ADMIN):
            if person.place != "no token":
                cls.people[person] = User.objects.create(username=str(person), password=target.password)
            if person.role:
                where = cls.projects.get(person.place)
                Assignment.objects.create(user=cls.people[person], project=where, role=person.role)
        blue = cls.projects["blue"].pk
        Assignment.objects.create(user=target, project=cls.projects["blue"], role=Role.READER)
        Assignment.objects.create(user=target, project=None, role=Role.READER)
        owner = {"project_id": blue, "user_id": target.pk}
        cls.names = {"project": blue, "spare": cls.projects["spare"].pk, "target": target.pk}
        made = {**cls._bays(owner), **cls._volumes(owner), **cls._catalog()}
        cls.names |= {name: str(value) for name, value in made.items()}

    @classmethod
    def _bays(cls, owner: Any) -> dict[str, Any]:
        model = make.baymodel(**owner)
        bay = make.bay("CREATE_COMPLETE", model=model, api_address="https://10.0.0.1:6443", **owner)
        Quota.objects.update_or_create(pk=owner["project_id"], defaults={"hard_limit": 100})
        return {
            "bay": bay.pk,
            "model": model.pk,
            "unused": make.baymodel(name="unused", **owner).pk,
            "group": make.nodegroup(bay).pk,
            "bay_operation": Operation.objects.get(resource_id=bay.pk).pk,
        }

    @classmethod
    def _volumes(cls, owner: Any) -> dict[str, Any]:
        make.pool()
        make.volume_type()
        volume, offered = (make.volume(metadata={"a": "1"}, **owner) for _ in range(2))
        snapshot = make.snapshot(make.volume(**owner), metadata={"a": "1"})
        by = make.caller("member", project=owner["project_id"], user=owner["user_id"])
        offer = transfers.create(by, "", offered, name="offer", no_snapshots=False)
        attachment = Attachment.objects.create(
            volume=make.volume("reserved", **owner), status="reserved", **owner
        )
        message = Message.objects.create(
            project_id=owner["project_id"],
            resource_type="VOLUME",
            event_id="x",
            user_message="m",
            guaranteed_until=timezone.now() + timedelta(days=1),
        )
        return {
            "volume": volume.pk,
            "snapshot": snapshot.pk,
            "attachment": attachment.pk,
            "transfer": offer.pk,
            "key": transfers.key_of(offer),
            "message": message.pk,
            "operation": Operation.objects.get(resource_id=volume.pk).pk,
        }

    @classmethod
    def _catalog(cls) -> dict[str, Any]:
        public = make.volume_type("public", extra_specs={"secret": "1", "multiattach": "<is> True"})
        private = make.volume_type("private", is_public=False)
        Encryption.objects.create(type=private, provider="luks")
        DefaultType.objects.create(pk=cls.projects["blue"].pk, type=make.volume_type("plain"))
        make.node(uuid.uuid4(), name="node1", serves=["fast"])
        qos = QosSpecs.objects.create(name="slow", specs={"a": "1"})
        return {"public": public.pk, "private": private.pk, "qos": qos.pk}

    def setUp(self):
        tokens.forget()
        self.addCleanup(tokens.forget)

    def ask(self, row: Row, person: Person, names: dict[str, str]) -> tuple[Any, Any]:
        """Return the answer to a row's request by a person, and how many records there were after it."""
        service = service_of(row.path)
        assert service is not None
        headers = {HEADER: f"{service.word} latest"} if service.history else {}
        if person.place != "no token":
            place = self.projects.get(person.place)
            system = person.place == "the system"
            text = tokens.issue(self.people[person], place.pk if place else None, system=system)
            headers["X-Auth-Token"] = text
            headers |= {"X-Subject-Token": text} if row.subject else {}
        path, raw = row.path, json.dumps(row.body)
        for name, value in names.items():
            path, raw = path.replace(f"{{{name}}}", value), raw.replace(f"{{{name}}}", value)
        body = b"" if row.body is None else raw.encode()
        with transaction.atomic():
            answer = self.client.generic(
                row.method, path, body, content_type="application/json", headers=headers
            )
            after = (Operation.objects.count(), Event.objects.count())
            transaction.set_rollback(True)  # so that no answer leans on another
        tokens.forget()
        return answer, after

    def check(self, service: Service, *more: Person) -> None:
        """Hold every row of a service against the answers that everybody gets."""
        unknown = {name: str(uuid.uuid4()) for name in self.names}
        before = (Operation.objects.count(), Event.objects.count())
        for row in rows_of(service):
            for person in (*PEOPLE, *more):
                with self.subTest(row.name, person=str(person)):
                    (answer, after), wanted = self.ask(row, person, self.names), expected(row, person)
                    self.assertEqual(answer.status_code, wanted, answer.content[:500])
                    if wanted >= 400 and wanted != volumes.NO_WORKER:
                        self.assertEqual(after, before)
                    if wanted == 404 and row.status < 400 and "{" in row.path:  # like what never was
                        other, _ = self.ask(row, person, unknown)
                        self.assertEqual(_plain(answer, self.names), _plain(other, unknown))

    def test_bays(self):
        self.check(CONTAINER_INFRA)

    def test_volumes(self):
        self.check(BLOCK_STORAGE)

    def test_identity(self):
        self.check(IDENTITY, SYSTEM_ADMIN)

    def test_it_leaves_out_no_route_and_no_method(self):
        for service in SERVICES:
            tried = set()
            for row in rows_of(service):
                path = row.path.partition("?")[0]
                for name, value in self.names.items():
                    path = path.replace(f"{{{name}}}", value)
                tried.add((row.method, resolve(path, "project.urls").func))
            for route in routes(service, "project.urls"):
                for method, rule in route.view.policy.items():
                    with self.subTest(f"{method} {route.path}"):
                        self.assertIn(
                            (method, route.made),
                            tried,
                            f"No row of the matrix tries {method} {route.path}. Add it to tests/matrix/"
                            f"{TABLES[service][0].__name__.rpartition('.')[2]}.py, as (method, path, body, least "
                            f"role, status, status in another project); its policy is {rule}, whose least role is "
                            f"{RULES[rule]}.",
                        )


def _plain(answer: Any, names: dict[str, str]) -> str:
    """Return an answer's text without what differs from one request to the next."""
    text: str = answer.content.decode().replace(answer["x-openstack-request-id"], "")
    for name, value in sorted(names.items()):
        text = text.replace(value, f"{{{name}}}")
    return text
