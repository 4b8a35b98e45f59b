"""Changes that are harmless alone, at the same moment, on a real PostgreSQL."""

from functools import partial

from django.test import override_settings

from api.problems import BadRequest, Conflict, NotFound
from identity import actions, credentials, tokens
from identity.callers import Caller
from identity.models import ApplicationCredential, Assignment, Project, Role, User
from tests.races.base import RaceTestCase, raised

ROUNDS = 8


def by(user=None):
    return Caller(user.pk if user else "u", "somebody", None, None, frozenset({"admin"}), system=True)


class IdentityRaces(RaceTestCase):
    def setUp(self):
        self.addCleanup(tokens.forget)

    def admin(self, name, project=None):
        user = User.objects.create(username=name, password="a stored password")
        Assignment.objects.create(user=user, project=project, role=Role.ADMIN)
        return user

    def test_it_keeps_one_admin_when_two_take_each_others_power(self):
        blue = Project.objects.create(name="blue")

        def take_role(who, _):
            actions.revoke(by(), who.pk, Role.ADMIN, None)

        def disable(who, _):
            actions.update_user(by(), who.pk, {"enabled": False})

        def delete(who, whose):
            actions.delete_user(by(whose), who.pk)

        for number, way in enumerate((take_role, disable, delete) * ROUNDS):
            one, two = self.admin(f"one{number}"), self.admin(f"two{number}")
            third = self.admin(f"third{number}", blue)
            results = self.race(
                partial(way, one, two),
                partial(way, two, one),
                partial(actions.update_project, by(), blue.pk, {"enabled": False}),
            )
            with self.subTest(way=way.__name__):
                self.assertEqual(len(raised(results, Conflict)), 1, results)
                able = Assignment.objects.filter(role=Role.ADMIN, user__is_active=True)
                able = able.exclude(project__enabled=False)
                self.assertEqual(able.count(), 1)
            User.objects.filter(pk__in=[one.pk, two.pk, third.pk]).delete()
            Project.objects.update(enabled=True)

    def test_it_gives_a_role_or_finds_the_project_gone(self):
        self.admin("root")
        user = User.objects.create(username="bob")
        for number in range(ROUNDS * 2):
            project = Project.objects.create(name=f"p{number}")
            results = self.race(
                partial(actions.grant, by(), user.pk, Role.MEMBER, project.pk),
                partial(actions.delete_project, by(), project.pk),
                partial(actions.grant, by(), user.pk, Role.READER, project.pk),
            )
            self.assertEqual(results[1], None, results)
            self.assertTrue(
                all(result is None or isinstance(result, NotFound) for result in results), results
            )
            self.assertFalse(Assignment.objects.filter(user=user).exists())

    def test_it_creates_one_of_a_name_and_gives_a_role_once(self):
        self.admin("root")
        created = self.race(*[partial(actions.create_user, by(), {"name": "erin"})] * 8)
        self.assertEqual(len(raised(created, Conflict)), 7, created)
        erin = User.objects.get(username="erin")
        blue = Project.objects.create(name="blue")
        for place in (blue.pk, None):
            results = self.race(*[partial(actions.grant, by(), erin.pk, Role.MEMBER, place)] * 8)
            self.assertEqual(results, [None] * 8)
            self.assertEqual(Assignment.objects.filter(user=erin, project_id=place).count(), 1)

    @override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]
    )  # as quick as the others
    def test_it_leaves_no_credential_of_a_role_that_is_taken(self):
        self.admin("root")
        bob = User.objects.create(username="bob")
        for number in range(ROUNDS * 4):
            blue = Project.objects.create(name=f"blue{number}")
            Assignment.objects.create(user=bob, project=blue, role=Role.MEMBER)
            owner = Caller(bob.pk, "bob", blue.pk, blue.name, frozenset({"member", "reader"}))
            taken = partial(actions.revoke, by(), bob.pk, Role.MEMBER, blue.pk)
            gone = partial(actions.delete_project, by(), blue.pk)
            made = [partial(credentials.create, owner, {"name": f"{number} {each}"}) for each in range(6)]
            end, *results = self.race(gone if number % 2 else taken, *made)
            self.assertIsNone(end)
            self.assertTrue(all(isinstance(each, tuple | BadRequest | NotFound) for each in results), results)
            self.assertEqual(ApplicationCredential.objects.count(), 0, number)
