from django.test import TestCase

from identity.models import Assignment, Project, Role, User


class AdminTests(TestCase):
    def setUp(self):
        self.root = User.objects.create_superuser("root", password="a good password")
        self.client.force_login(self.root)
        self.project = Project.objects.create(name="blue", description="the sea")
        self.assignment = Assignment.objects.create(user=self.root, project=self.project, role=Role.ADMIN)

    def test_it_lists_searches_and_shows(self):
        for name, pk in (
            ("user", self.root.pk),
            ("project", self.project.pk),
            ("assignment", self.assignment.pk),
        ):
            with self.subTest(name):
                listed = self.client.get(f"/admin/identity/{name}/?q=o")
                self.assertEqual(listed.status_code, 200)
                self.assertEqual(self.client.get(f"/admin/identity/{name}/{pk}/change/").status_code, 200)
                self.assertEqual(self.client.get(f"/admin/identity/{name}/add/").status_code, 200)

    def test_it_does_not_delete_projects(self):
        answer = self.client.post(f"/admin/identity/project/{self.project.pk}/delete/", {"post": "yes"})
        self.assertEqual(answer.status_code, 403)
        self.assertTrue(Project.objects.filter(pk=self.project.pk).exists())
