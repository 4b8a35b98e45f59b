from identity.models import Assignment, Role
from tests.identity.base import AdminCase


class WordTests(AdminCase):
    def test_it_knows_one_domain(self):
        bob = self.as_user(self.bob)
        (domain,) = self.send("GET", "domains", headers=bob, status=200).json()["domains"]
        self.assertEqual((domain["id"], domain["name"], domain["enabled"]), ("default", "Default", True))
        for query, found in (("name=Default", [domain]), ("name=other", []), ("enabled=False", [])):
            answer = self.send("GET", f"domains?{query}", headers=bob, status=200)
            self.assertEqual(answer.json()["domains"], found)
        shown = self.send("GET", "domains/default", headers=bob, status=200)
        self.assertEqual(shown.json()["domain"], domain)
        for other in ("Default", "x"):
            self.refused(404, "GET", f"domains/{other}")

    def test_it_knows_the_roles_by_id_and_by_name(self):
        bob = self.as_user(self.bob)
        roles = self.send("GET", "roles", headers=bob, status=200).json()["roles"]
        self.assertEqual(
            [role["name"] for role in roles], ["admin", "manager", "member", "reader", "service"]
        )
        self.assertEqual(len({role["id"] for role in roles}), 5)
        for role in roles:
            self.assertRegex(role["id"], r"\A[0-9a-f]{32}\Z")
            for ident in (role["id"], role["name"]):
                shown = self.send("GET", f"roles/{ident}", headers=bob, status=200)
                self.assertEqual(shown.json()["role"], role)
        (member,) = self.send("GET", "roles?name=member", headers=bob, status=200).json()["roles"]
        self.assertEqual(member["id"], Role.MEMBER.uid)
        for query in ("name=other", "domain_id=default"):
            self.assertEqual(self.send("GET", f"roles?{query}", status=200).json()["roles"], [])
        self.refused(404, "GET", "roles/other")

    def test_it_puts_the_ladder_in_order_and_service_beside_it(self):
        self.assertEqual(set(Role.ADMIN.implied), {"admin", "manager", "member", "reader"})
        self.assertEqual(set(Role.MANAGER.implied), {"manager", "member", "reader"})
        self.assertEqual(set(Role.READER.implied), {"reader"})
        self.assertEqual(set(Role.SERVICE.implied), {"service"})


class GrantTests(AdminCase):
    def places(self):
        return (f"projects/{self.red.pk}", self.red), ("system", None)

    def held(self, place):
        listed = self.send("GET", f"{place}/users/{self.dave.pk}/roles", status=200).json()["roles"]
        return [role["name"] for role in listed]

    def test_it_gives_shows_and_takes_a_role(self):
        for place, project in self.places():
            for role in (Role.MEMBER.uid, "member"):
                path = f"{place}/users/{self.dave.pk}/roles/{role}"
                with self.subTest(path):
                    for method in ("HEAD", "GET", "DELETE"):
                        self.send(method, path, status=404)
                    for _ in range(2):
                        self.assertEqual(self.send("PUT", path, status=204).content, b"")
                    rows = Assignment.objects.filter(user=self.dave, project=project)
                    self.assertEqual([row.role for row in rows], ["member"])
                    self.assertEqual(self.held(place), ["member"])
                    for method in ("HEAD", "GET", "DELETE"):
                        self.send(method, path, status=204)
                    self.assertEqual(self.held(place), [])

    def test_it_keeps_the_system_and_projects_apart(self):
        self.send("PUT", f"system/users/{self.dave.pk}/roles/reader", status=204)
        self.assertEqual(self.held(f"projects/{self.red.pk}"), [])
        self.send("PUT", f"projects/{self.red.pk}/users/{self.dave.pk}/roles/member", status=204)
        self.assertEqual(self.held("system"), ["reader"])

    def test_it_names_what_is_missing(self):
        bob, blue = self.bob.pk, self.blue.pk
        missing = {
            "user": [f"projects/{blue}/users/x/roles", "system/users/x/roles"],
            "project": [f"projects/x/users/{bob}/roles"],
            "role": [],
        }
        for what, places in missing.items():
            for place in places:
                self.assertIn(f"find {what}", self.refused(404, "GET", place))
                for method in ("PUT", "GET", "DELETE"):
                    self.assertIn(f"find {what}", self.refused(404, method, f"{place}/member"))
        for method in ("PUT", "GET", "DELETE"):
            path = f"projects/{blue}/users/{bob}/roles/captain"
            self.assertIn("find role", self.refused(404, method, path))
        for path in ("projects/%00/users/x/roles/member", f"projects/{'x' * 3000}/users/x/roles/member"):
            self.refused(404, "PUT", path)

    def test_it_is_felt_at_once(self):
        bob = self.as_user(self.bob)
        self.refused(403, "GET", f"users/{self.carol.pk}", headers=bob)
        path = f"projects/{self.blue.pk}/users/{self.bob.pk}/roles"
        self.send("PUT", f"{path}/admin", status=204)
        self.send("GET", f"users/{self.carol.pk}", headers=bob, status=200)
        self.send("DELETE", f"{path}/admin", status=204)
        self.refused(403, "GET", f"users/{self.carol.pk}", headers=bob)
        self.send("DELETE", f"{path}/member", status=204)
        self.refused(401, "GET", "users", headers=bob)


class AssignmentListTests(AdminCase):
    def listed(self, query="", who=None):
        headers = self.as_user(who or self.alice)
        answer = self.send("GET", f"role_assignments?{query}", headers=headers, status=200)
        return answer.json()["role_assignments"]

    def words(self, query, who=None):
        """Return who is what where, in short."""
        return [
            (
                row["user"]["name"],
                row["role"]["name"],
                row["scope"]["project"]["name"] if "project" in row["scope"] else row["scope"],
            )
            for row in self.listed(f"include_names=True&{query}", who)
        ]

    def test_it_tells_ids_and_names_when_asked(self):
        (row,) = self.listed(f"user.id={self.bob.pk}")
        self.assertEqual(
            row,
            {
                "user": {"id": self.bob.pk},
                "role": {"id": Role.MEMBER.uid},
                "scope": {"project": {"id": self.blue.pk}},
                "links": {
                    "assignment": f"http://testserver/identity/v3/projects/{self.blue.pk}/users/"
                    f"{self.bob.pk}/roles/{Role.MEMBER.uid}"
                },
            },
        )
        everybody = [
            ("alice", "admin", "blue"),
            ("bob", "member", "blue"),
            ("carol", "reader", "blue"),
            ("sam", "admin", {"system": {"all": True}}),
        ]
        self.assertEqual(self.words(""), everybody)

    def test_it_filters(self):
        Assignment.objects.create(user=self.bob, project=self.red, role=Role.READER)
        expected = {
            f"scope.project.id={self.red.pk}": [("bob", "reader", "red")],
            f"user.id={self.bob.pk}&scope.project.id={self.blue.pk}": [("bob", "member", "blue")],
            f"role.id={Role.READER.uid}": [("bob", "reader", "red"), ("carol", "reader", "blue")],
            "scope.system=all": [("sam", "admin", {"system": {"all": True}})],
            f"user.id={self.bob.pk}&role.id={Role.READER.uid}&effective=True": [
                ("bob", "reader", "blue"),
                ("bob", "reader", "red"),
            ],
            f"user.id={self.bob.pk}&scope.project.id={self.blue.pk}&effective": [
                ("bob", "member", "blue"),
                ("bob", "reader", "blue"),
            ],
        }
        for query, rows in expected.items():
            with self.subTest(query):
                self.assertEqual(self.words(query), rows)
        for query in (
            "user.id=x",
            "scope.project.id=x",
            "role.id=x",
            "group.id=x",
            "scope.domain.id=default",
        ):
            with self.subTest(query):
                self.assertEqual(self.words(query), [])

    def test_it_shows_those_who_are_no_admin_only_themselves(self):
        self.assertEqual(self.words("", self.bob), [("bob", "member", "blue")])
        self.assertEqual(self.words(f"user.id={self.alice.pk}", self.bob), [])

    def test_it_costs_one_statement_whatever_its_length(self):
        headers = self.as_user(self.alice)
        self.send("GET", "role_assignments", headers=headers, status=200)
        with self.assertNumQueries(1):
            self.send("GET", "role_assignments?include_names=True", headers=headers, status=200)
