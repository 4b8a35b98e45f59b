"""The people of the tests: alice administers, bob is a member, carol reads; dave is in no project."""

from __future__ import annotations

import json
from typing import Any

from django.test import TestCase, override_settings

from identity import tokens
from identity.models import Assignment, Project, Role, User

PASSWORD = "a good password"


@override_settings(ROOT_URLCONF="tests.api.urls")
class DoorCase(TestCase):
    blue: Project
    red: Project
    alice: User
    bob: User
    carol: User
    dave: User

    @classmethod
    def setUpTestData(cls):
        cls.blue, cls.red = (Project.objects.create(name=name) for name in ("blue", "red"))
        cls.alice = User.objects.create_user("alice", password=PASSWORD)
        cls.bob, cls.carol, cls.dave = (
            User.objects.create(username=name, password=cls.alice.password)
            for name in ("bob", "carol", "dave")
        )
        for user, role in ((cls.alice, Role.ADMIN), (cls.bob, Role.MEMBER), (cls.carol, Role.READER)):
            Assignment.objects.create(user=user, project=cls.blue, role=role)

    def setUp(self):
        tokens.forget()
        self.addCleanup(tokens.forget)

    def as_user(self, user, project=None, *, system=False, **more):
        """Return headers with the user's token for the project: blue, or none for ""; or for the system."""
        scope = None if system or project == "" else (project or self.blue).pk
        return {"X-Auth-Token": tokens.issue(user, scope, system=system), **more}

    def good(self, text) -> tokens.Checked:
        """Return what a token is good for, which it must be."""
        checked = tokens.check(text)
        assert checked is not None
        return checked

    def login(self, auth, **kwargs):
        return self.client.post(
            "/identity/v3/auth/tokens", {"auth": auth}, content_type="application/json", **kwargs
        )


class AdminCase(DoorCase):
    """Requests to identity's own routes: by alice unless said otherwise; sam administers the system alone."""

    sam: User

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.sam = User.objects.create(username="sam", password=cls.alice.password)
        Assignment.objects.create(user=cls.sam, project=None, role=Role.ADMIN)

    def send(self, method, path, body=None, headers=None, status=None):
        """Send the request, do what waits for its commit, and return the answer, which has the status."""
        with self.captureOnCommitCallbacks(execute=True):
            answer = self.client.generic(
                method,
                f"/identity/v3/{path}",
                b"" if body is None else json.dumps(body).encode(),
                content_type="application/json",
                headers=self.as_user(self.alice) if headers is None else headers,
            )
        if status is not None:
            self.assertEqual(answer.status_code, status, answer.content)
        return answer

    def refused(self, status, method, path, body=None, **kwargs):
        """Return the message of a refusal in Keystone's form."""
        error = self.send(method, path, body, status=status, **kwargs).json()["error"]
        self.assertEqual(error["code"], status)
        return error["message"]


def each(good: dict[str, Any], name: str, *values: Any) -> list[dict[str, Any]]:
    """Return the good attributes with one set to each of the values."""
    return [{**good, name: value} for value in values]


def password(user="bob", word=PASSWORD, **scope):
    """Return the `auth` of a login by password."""
    method = {"user": {"name": user, "domain": {"id": "default"}, "password": word}}
    return {"identity": {"methods": ["password"], "password": method}, **scope}


def by_token(text, **scope):
    """Return the `auth` of a login by another token."""
    return {"identity": {"methods": ["token"], "token": {"id": text}}, **scope}


def project(name="blue"):
    """Return a scope by name."""
    return {"project": {"name": name, "domain": {"name": "Default"}}}
