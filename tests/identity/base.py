"""The people of the tests: alice administers, bob is a member, carol reads; dave is in no project."""

from __future__ import annotations

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

    def as_user(self, user, project=None, **more):
        """Return headers with the user's token for the project: blue, or none for ""."""
        scope = None if project == "" else (project or self.blue).pk
        return {"X-Auth-Token": tokens.issue(user, scope), **more}

    def good(self, text) -> tokens.Checked:
        """Return what a token is good for, which it must be."""
        checked = tokens.check(text)
        assert checked is not None
        return checked

    def login(self, auth, **kwargs):
        return self.client.post(
            "/identity/v3/auth/tokens", {"auth": auth}, content_type="application/json", **kwargs
        )


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
