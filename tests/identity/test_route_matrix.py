"""Every route of identity, by everybody: what each may do is written out."""

from identity.models import Assignment, Role, User
from tests.identity.base import PASSWORD, AdminCase

WHO = (
    "anonymous",
    "nobody",
    "reader",
    "member",
    "manager",
    "service",
    "system reader",
    "admin",
    "system admin",
)
ADMINS = (403,) * 6  # for everybody from nobody to system reader
ANY = (200,) * 8


class RouteMatrixTests(AdminCase):
    others: dict[Role, User]
    target: User

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        more = ((Role.MANAGER, cls.blue), (Role.SERVICE, cls.blue), (Role.READER, None))
        cls.others = {}
        for role, project in more:
            user = User.objects.create(username=f"{role}-{project}", password=cls.bob.password)
            Assignment.objects.create(user=user, project=project, role=role)
            cls.others[role] = user
        cls.target = User.objects.create(username="target", password=cls.bob.password)

    def setUp(self):
        super().setUp()
        self.headers = {
            "anonymous": {},
            "nobody": self.as_user(self.dave, ""),
            "reader": self.as_user(self.carol),
            "member": self.as_user(self.bob),
            "manager": self.as_user(self.others[Role.MANAGER]),
            "service": self.as_user(self.others[Role.SERVICE]),
            "system reader": self.as_user(self.others[Role.READER], system=True),
            "admin": self.as_user(self.alice),
            "system admin": self.as_user(self.sam, system=True),
        }

    def test_it_allows_each_what_it_should(self):
        target, red = self.target.pk, self.red.pk
        user, project = {"user": {"name": "new"}}, {"project": {"name": "new"}}
        credential = {"application_credential": {"name": "new"}}
        own = {"user": {"original_password": PASSWORD, "password": "another password"}}
        matrix = [
            ("GET", "domains", None, ANY),
            ("GET", "domains/default", None, ANY),
            ("GET", "roles", None, ANY),
            ("GET", "roles/member", None, ANY),
            ("GET", "role_assignments", None, ANY),
            ("GET", "projects", None, ANY),
            ("POST", "projects", project, (*ADMINS, 201, 409)),
            ("GET", f"projects/{red}", None, (*(404,) * 6, 200, 200)),
            ("PATCH", f"projects/{red}", {"project": {"description": "x"}}, (*ADMINS, 200, 200)),
            ("GET", "users", None, ANY),
            ("POST", "users", user, (*ADMINS, 201, 409)),
            ("GET", f"users/{target}", None, (*ADMINS, 200, 200)),
            ("GET", f"users/{target}/projects", None, (*ADMINS, 200, 200)),
            ("PATCH", f"users/{target}", {"user": {"description": "x"}}, (*ADMINS, 200, 200)),
            ("POST", f"users/{target}/password", own, (403,) * 8),
            ("GET", f"users/{target}/application_credentials", None, (*ADMINS, 200, 200)),
            ("POST", f"users/{target}/application_credentials", credential, (403,) * 8),
            ("GET", f"users/{target}/application_credentials/x", None, (*ADMINS, 404, 404)),
            ("DELETE", f"users/{target}/application_credentials/x", None, (*ADMINS, 404, 404)),
            ("GET", f"users/{target}/access_rules", None, (*ADMINS, 200, 200)),
            ("GET", f"users/{target}/access_rules/x", None, (*ADMINS, 404, 404)),
            ("DELETE", f"users/{target}/access_rules/x", None, (*ADMINS, 404, 404)),
            *(
                line
                for place in (f"projects/{red}", "system")
                for line in (
                    ("PUT", f"{place}/users/{target}/roles/member", None, (*ADMINS, 204, 204)),
                    ("GET", f"{place}/users/{target}/roles/member", None, (*ADMINS, 204, 204)),
                    ("HEAD", f"{place}/users/{target}/roles/member", None, (*ADMINS, 204, 204)),
                    ("GET", f"{place}/users/{target}/roles", None, (*ADMINS, 200, 200)),
                    ("DELETE", f"{place}/users/{target}/roles/member", None, (*ADMINS, 204, 404)),
                )
            ),
            ("DELETE", f"users/{target}", None, (*ADMINS, 204, 404)),
            ("DELETE", f"projects/{red}", None, (*ADMINS, 204, 404)),
        ]
        for method, path, body, statuses in matrix:
            for who, status in zip(WHO, (401, *statuses), strict=True):
                with self.subTest(f"{method} {path}", who=who):
                    self.send(method, path, body, headers=self.headers[who], status=status)

    def test_it_answers_405_for_methods_that_a_route_has_not(self):
        for method, path in (
            ("DELETE", "projects"),
            ("PUT", "users/x"),
            ("POST", "roles"),
            ("PATCH", "domains/x"),
        ):
            self.refused(405, method, path)
