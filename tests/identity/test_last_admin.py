from django.test import override_settings

from identity.models import Assignment, Project, Role, User
from tests.identity.base import AdminCase


class LastAdminTests(AdminCase):
    """Alice is admin in blue, sam in the system; either may go, but not both."""

    def setUp(self):
        super().setUp()
        self.by_sam = self.as_user(self.sam, system=True)
        self.ways = {
            "role": ("DELETE", f"projects/{self.blue.pk}/users/{self.alice.pk}/roles/admin", None),
            "user deleted": ("DELETE", f"users/{self.alice.pk}", None),
            "user disabled": ("PATCH", f"users/{self.alice.pk}", {"user": {"enabled": False}}),
            "project deleted": ("DELETE", f"projects/{self.blue.pk}", None),
            "project disabled": ("PATCH", f"projects/{self.blue.pk}", {"project": {"enabled": False}}),
        }

    def snapshot(self):
        return (
            set(Assignment.objects.values_list("user", "project", "role")),
            set(User.objects.values_list("pk", "is_active")),
            set(Project.objects.values_list("pk", "enabled")),
        )

    def test_it_lets_an_admin_go_while_another_stays(self):
        for name, (method, path, body) in self.ways.items():
            with self.subTest(name):
                Assignment.objects.get_or_create(user=self.alice, project=self.blue, role=Role.ADMIN)
                self.assertIn(self.send(method, path, body, headers=self.by_sam).status_code, (200, 204))
                if name == "user deleted":
                    self.alice.save(force_insert=True)
                User.objects.update(is_active=True)
                if name != "project deleted":
                    Project.objects.update(enabled=True)
                    continue
                self.blue = Project.objects.create(name="blue")
                self.ways["project disabled"] = (
                    "PATCH",
                    f"projects/{self.blue.pk}",
                    {"project": {"enabled": False}},
                )

    @override_settings(TOKEN_CACHE_SECONDS=3600)
    def test_it_does_not_let_the_last_one_go_whichever_way(self):
        unable = {
            "has no role": lambda: Assignment.objects.filter(user=self.sam).update(role=Role.READER),
            "is disabled": lambda: User.objects.filter(pk=self.sam.pk).update(is_active=False),
            "cannot log in": lambda: User.objects.filter(pk=self.sam.pk).update(password="!"),
            "is in a disabled project": lambda: Assignment.objects.filter(user=self.sam).update(
                project=Project.objects.create(name="closed", enabled=False)
            ),
        }
        for reason, disable in unable.items():
            for name, (method, path, body) in self.ways.items():
                with self.subTest(name, sam=reason):
                    self._refused(disable, method, path, body)

    def _refused(self, disable, method, path, body):
        # Sam is still known for a few seconds: his token was checked before he lost his power.
        self.send("GET", "domains", headers=self.by_sam, status=200)
        rows = list(Assignment.objects.filter(user=self.sam))
        disable()
        before = self.snapshot()
        self.assertIn("Nobody would be left", self.refused(409, method, path, body, headers=self.by_sam))
        self.assertEqual(self.snapshot(), before)
        User.objects.filter(pk=self.sam.pk).update(is_active=True, password=self.sam.password)
        Assignment.objects.filter(user=self.sam).delete()
        Assignment.objects.bulk_create(rows)
        Project.objects.filter(name="closed").delete()

    def test_it_lets_no_admin_delete_or_disable_themselves(self):
        path = f"users/{self.alice.pk}"
        self.assertIn("yourself", self.refused(403, "DELETE", path))
        self.assertIn("yourself", self.refused(403, "PATCH", path, {"user": {"enabled": False}}))
        self.send("PATCH", path, {"user": {"description": "me", "enabled": True}}, status=200)
