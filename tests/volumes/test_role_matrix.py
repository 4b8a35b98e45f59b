"""Who may do what: every route for nobody, a reader, a member and an admin, in their own project and in another."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, ClassVar

from django.test import override_settings
from django.urls import URLPattern
from django.utils import timezone

from identity.models import Assignment, Role, User
from lifecycle.models import Operation
from tests.volumes.base import BASE, LATEST, VolumesCase
from volumes.models import Message, Volume
from volumes.urls import storage

PLENTY = {"volumes": -1, "gigabytes": -1, "snapshots": -1, "per_volume_gigabytes": -1}
# For nobody; then reader, member, admin of the project; then reader, member, admin of another one.
READ = (401, 200, 200, 200, 404, 404, 200)
LIST = (401, *(200,) * 6)


def wrote(status, *, foreign=404):
    return (401, 403, status, status, 403, foreign, status)


def operators(status):
    return (401, 403, 403, status, 403, 403, status)


VOLUME, SNAPSHOT = "/volumes/{volume}", "/snapshots/{snapshot}"
META = {"metadata": {"a": "1"}}
ITEM = {"meta": {"a": "1"}}
ROUTES: list[tuple[str, str, Any, tuple[int, ...]]] = [
    ("GET", "/volume/", None, (300,) * 7),
    ("GET", "/volume/v3/", None, (200,) * 7),
    ("GET", "/volumes", None, LIST),
    ("GET", "/volumes?all_tenants=1", None, LIST),
    ("GET", "/volumes/detail", None, LIST),
    ("GET", "/volumes/summary", None, LIST),
    ("POST", "/volumes", {"volume": {"size": 1}}, (401, 403, 202, 202, 403, 202, 202)),
    ("POST", "/volumes", {"volume": {"source_volid": "{volume}"}}, wrote(202)),
    ("POST", "/volumes", {"volume": {"snapshot_id": "{snapshot}"}}, wrote(202)),
    ("GET", VOLUME, None, READ),
    ("PUT", VOLUME, {"volume": {"name": "x"}}, wrote(200)),
    ("DELETE", VOLUME, None, wrote(202)),
    ("DELETE", f"{VOLUME}?force=true", None, operators(202)),
    ("GET", f"{VOLUME}/encryption", None, READ),
    ("GET", f"{VOLUME}/metadata", None, READ),
    ("POST", f"{VOLUME}/metadata", META, wrote(200)),
    ("PUT", f"{VOLUME}/metadata", META, wrote(200)),
    ("GET", f"{VOLUME}/metadata/a", None, READ),
    ("PUT", f"{VOLUME}/metadata/a", ITEM, wrote(200)),
    ("DELETE", f"{VOLUME}/metadata/a", None, wrote(200)),
    ("POST", f"{VOLUME}/action", {"os-extend": {"new_size": 2}}, wrote(202)),
    ("POST", f"{VOLUME}/action", {"os-retype": {"new_type": "__DEFAULT__"}}, wrote(400)),
    ("POST", f"{VOLUME}/action", {"os-set_bootable": {"bootable": True}}, wrote(200)),
    ("POST", f"{VOLUME}/action", {"os-update_readonly_flag": {"readonly": True}}, wrote(202)),
    ("POST", f"{VOLUME}/action", {"os-show_image_metadata": {}}, READ),
    ("POST", f"{VOLUME}/action", {"os-reset_status": {"status": "error"}}, operators(202)),
    ("POST", f"{VOLUME}/action", {"os-force_delete": {}}, operators(202)),
    ("POST", f"{VOLUME}/action", {"os-migrate_volume": {}}, operators(400)),
    ("GET", "/snapshots", None, LIST),
    ("GET", "/snapshots/detail", None, LIST),
    ("POST", "/snapshots", {"snapshot": {"volume_id": "{volume}"}}, wrote(202)),
    ("GET", SNAPSHOT, None, READ),
    ("PUT", SNAPSHOT, {"snapshot": {"name": "x"}}, wrote(200)),
    ("DELETE", SNAPSHOT, None, wrote(202)),
    ("GET", f"{SNAPSHOT}/metadata", None, READ),
    ("POST", f"{SNAPSHOT}/metadata", META, wrote(200)),
    ("PUT", f"{SNAPSHOT}/metadata", META, wrote(200)),
    ("GET", f"{SNAPSHOT}/metadata/a", None, READ),
    ("PUT", f"{SNAPSHOT}/metadata/a", ITEM, wrote(200)),
    ("DELETE", f"{SNAPSHOT}/metadata/a", None, wrote(200)),
    ("POST", f"{SNAPSHOT}/action", {"os-reset_status": {"status": "error"}}, operators(202)),
    ("POST", f"{SNAPSHOT}/action", {"os-force_delete": {}}, operators(202)),
    ("POST", f"{SNAPSHOT}/action", {"os-update_snapshot_status": {"status": "error"}}, wrote(400)),
    ("GET", "/messages", None, LIST),
    ("GET", "/messages/{message}", None, READ),
    ("DELETE", "/messages/{message}", None, wrote(204)),
    ("GET", "/events", None, LIST),
    ("GET", "/operations", None, LIST),
    ("GET", "/operations/{operation}", None, READ),
]


@override_settings(VOLUME_QUOTAS=PLENTY)
class RoleMatrixTests(VolumesCase):
    people: ClassVar[list[User | None]]

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.people = [None, cls.carol, cls.bob, cls.alice]
        for role in (Role.READER, Role.MEMBER, Role.ADMIN):
            user = User.objects.create(username=f"red-{role}", password=cls.alice.password)
            Assignment.objects.create(user=user, project=cls.red, role=role)
            cls.people.append(user)

    def answer_of(self, person, number, method, path, body):
        """Return the answer to this person on rows of their own making, so that no answer leans on another."""
        if "snapshot_id" in str(body) or "snapshot" in path:
            snapshot = self.a_snapshot(metadata={"a": "1"})
            volume: Volume = snapshot.volume
            names = {"snapshot": snapshot.pk}
        else:
            volume, names = self.a_volume(metadata={"a": "1"}), {}
        message = Message.objects.create(
            project_id=self.blue.pk,
            resource_type="VOLUME",
            event_id="x",
            user_message="m",
            guaranteed_until=timezone.now() + timedelta(days=1),
        )
        operation = Operation.objects.get(resource_id=volume.pk)
        names |= {"volume": volume.pk, "message": message.pk, "operation": operation.pk}
        raw = json.dumps(body)
        for name, value in names.items():
            raw = raw.replace(f"{{{name}}}", str(value))
        told = {"OpenStack-API-Version": f"volume {LATEST}"}
        where = self.red if number > 3 else self.blue
        answer = self.client.generic(
            method,
            (path if path.startswith("/volume/") else BASE + path).format(**names),
            b"" if body is None else raw.encode(),
            content_type="application/json",
            headers=self.as_user(person, where, **told) if person else told,
        )
        return answer, volume

    def test_the_matrix(self):
        for method, path, body, expected in ROUTES:
            for number, (person, status) in enumerate(zip(self.people, expected, strict=True)):
                with self.subTest(method=method, path=path, body=body, person=str(person), number=number):
                    answer, volume = self.answer_of(person, number, method, path, body)
                    self.assertEqual(answer.status_code, status, answer.content)
                    if status >= 400:
                        self.refused(answer, status)
                        self.assertEqual(Volume.objects.get(pk=volume.pk).status, "available")

    def test_it_leaves_out_no_route_and_no_method(self):
        there = set()
        for pattern in storage.urlpatterns:
            assert isinstance(pattern, URLPattern)
            view: Any = pattern.callback
            there |= {(method, pattern.pattern.regex.pattern) for method in view.view_class.policy}
        tried = set()
        for method, path, _, _ in ROUTES:
            full = (path if path.startswith("/volume/") else BASE + path).partition("?")[0].lstrip("/")
            tried |= {(method, p.pattern.regex.pattern) for p in storage.urlpatterns if p.resolve(full)}
        self.assertLessEqual(there, tried)
