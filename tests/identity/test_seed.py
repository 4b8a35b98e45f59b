from io import StringIO

from django.core.management import call_command
from django.test import TestCase, override_settings

from identity.models import Assignment, Project, User


@override_settings(SEED_PASSWORDS={"admin": "admin password", "demo": "demo password"})
class SeedTests(TestCase):
    def seed(self):
        call_command("seed", stdout=StringIO())

    def test_it_creates_users_projects_and_roles(self):
        self.seed()
        held = {
            (row.user.username, row.project and row.project.name, row.role)
            for row in Assignment.objects.all()
        }
        self.assertEqual(
            held,
            {
                ("admin", None, "admin"),
                ("admin", "demo", "admin"),
                ("admin", "alt", "admin"),
                ("demo", "demo", "member"),
                ("demo", "alt", "member"),
                ("reader", "demo", "reader"),
            },
        )
        admin = User.objects.get(username="admin")
        self.assertTrue(admin.is_staff and admin.is_superuser and admin.check_password("admin password"))
        self.assertFalse(User.objects.get(username="demo").is_staff)
        self.assertFalse(User.objects.get(username="reader").has_usable_password())

    def test_it_changes_nothing_the_second_time(self):
        self.seed()
        before = list(User.objects.order_by("pk").values("pk", "password"))
        self.seed()
        self.assertEqual(list(User.objects.order_by("pk").values("pk", "password")), before)
        self.assertEqual((Project.objects.count(), Assignment.objects.count()), (2, 6))

    def test_it_sets_a_password_that_differs(self):
        self.seed()
        with override_settings(SEED_PASSWORDS={"demo": "a new password"}):
            self.seed()
        self.assertTrue(User.objects.get(username="demo").check_password("a new password"))
        self.assertTrue(User.objects.get(username="admin").check_password("admin password"))
