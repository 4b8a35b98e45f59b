"""Where a Keystone keeps projects, pages and routes that name one do without rows of ours."""

from __future__ import annotations

import io

from django.core.management import call_command
from django.test import TestCase, override_settings

from identity import projects
from identity.models import Assignment, Project, User

THEIRS = "0123456789abcdef0123456789abcdef"


@override_settings(IDENTITY="keystone")
class ProjectsElsewhereTests(TestCase):
    def test_an_id_is_believed_and_a_text_that_can_be_none_is_not(self):
        self.assertTrue(projects.exists(THEIRS))
        self.assertEqual(projects.find(THEIRS), THEIRS)
        for text in ("", "two words", "x" * 65, "\x00", "../x", "é"):
            self.assertFalse(projects.exists(text), text)
            self.assertIsNone(projects.find(text), text)

    def test_rows_of_ours_are_not_asked(self):
        row = Project.objects.create(name="old")
        with self.assertNumQueries(0):
            self.assertEqual(projects.names([row.pk]), {})
            self.assertEqual(projects.find("old"), "old")

    def test_seed_makes_only_the_user_of_the_admin(self):
        said = io.StringIO()
        with override_settings(SEED_PASSWORDS={"admin": "a good password"}):
            call_command("seed", stdout=said)
            call_command("seed", stdout=said)
        self.assertEqual([user.username for user in User.objects.all()], ["admin"])
        self.assertEqual((Project.objects.count(), Assignment.objects.count()), (0, 0))
        self.assertTrue(self.client.login(username="admin", password="a good password"))

    def test_the_admin_has_no_pages_of_projects_and_roles(self):
        self.client.force_login(User.objects.create_superuser("root", password="a good password"))
        first = self.client.get("/admin/").content.decode()
        self.assertNotIn("/admin/identity/project/", first)
        self.assertNotIn("/admin/identity/assignment/", first)
        self.assertIn("/admin/identity/user/", first)
        self.assertEqual(self.client.get("/admin/identity/project/").status_code, 403)
        self.assertEqual(
            self.client.get(f"/admin/identity/user/{User.objects.get().pk}/change/").status_code, 200
        )
        for path in ("volumes/volume/", "volumes/quota/", "volumes/volumetype/", "volumes/pool/"):
            self.assertEqual(self.client.get(f"/admin/{path}").status_code, 200, path)
