"""What admins type to make and remove users and projects."""

from __future__ import annotations

from typing import Any

import openstack

from tests.clients.base import PASSWORD
from tests.clients.parts import Part


class Identity(Part):
    def test_the_life_of_a_project_and_its_user(self):
        project = self.asked("project create --description ours new")
        self.assertEqual(
            (project["name"], project["domain_id"], project["enabled"]), ("new", "default", True)
        )
        user = self.asked(f"user create --password {PASSWORD} --email nobody@example.org --project new ann")
        self.assertEqual((user["name"], user["default_project_id"]), ("ann", project["id"]))
        self.complains("volume list", user="ann", project="new", of="401")
        self.bid("role add --project new --user ann member")
        names = self.asked("role assignment list --user ann --project new --names")
        self.assertEqual([(row["Role"], row["User"]) for row in names], [("member", "ann@Default")])

        with self.subTest("the new user works, in the new project"):
            self.shells.pop(("ann", "new", ""))  # it was refused, and asks no more
            self.assertEqual(self.told("volume list", user="ann", project="new"), [])
            self.assertEqual(
                [row["Name"] for row in self.told("project list", user="ann", project="new")], ["new"]
            )
            self.complains("user create bob", user="ann", project="new", of="identity:change")

        self.bid("project set --name newer --description theirs new")
        self.assertEqual(self.asked("project show newer")["description"], "theirs")
        self.assertIn("ann", {row["Name"] for row in self.asked("user list --project newer")})
        self.bid("user set --disable ann")
        self.assertFalse(self.asked("user show ann")["enabled"])
        self.openstack("token", "issue", user="ann", OS_PROJECT_NAME="newer", fails=True)
        self.bid("user set --enable ann")
        self.openstack("token", "issue", user="ann", OS_PROJECT_NAME="newer")

        self.bid("role add --system all --user ann reader")
        system = self.asked("role assignment list --system all --names")
        self.assertIn(("ann@Default", "reader"), {(row["User"], row["Role"]) for row in system})
        self.bid("role remove --system all --user ann reader")
        self.bid("role remove --project newer --user ann member")
        self.assertEqual(self.asked("role assignment list --user ann --names"), [])
        self.bid("user delete ann")
        self.bid("project delete newer")
        self.complains("user show ann", user="admin", of="No User found for ann")
        self.complains("project show newer", user="admin", of="No Project found for newer")

    def test_domains_roles_users_and_projects_are_listed(self):
        (domain,) = self.asked("domain list")
        self.assertEqual((domain["ID"], domain["Name"], domain["Enabled"]), ("default", "Default", True))
        self.assertEqual(self.asked("domain show default")["name"], "Default")
        roles = {row["Name"] for row in self.asked("role list")}
        self.assertEqual(roles, {"admin", "manager", "member", "reader", "service"})
        self.assertEqual(self.asked("role show member")["name"], "member")
        self.assertEqual([row["Name"] for row in self.told("user list")], ["demo"])
        self.assertEqual({row["Name"] for row in self.asked("project list")}, {"demo", "alt"})
        self.complains("project create x", of="identity:change")

    def test_nobody_makes_himself_an_admin(self):
        """The client prints nothing when it is refused: only the roles tell."""
        before = self.asked("role assignment list --names")
        self.quiet("role add --project demo --user demo admin")
        self.quiet("role add --system all --user demo admin")
        self.quiet("role remove --project demo --user admin admin")
        self.assertEqual(self.asked("role assignment list --names"), before)

    def robot(self, ident: str, secret: str, **told: str) -> dict[str, str]:
        """Return what a program knows of us that logs in by an application credential: no user, no project."""
        known = {"OS_USERNAME": "", "OS_PASSWORD": "", "OS_PROJECT_NAME": ""}
        domains = {"OS_USER_DOMAIN_NAME": "", "OS_PROJECT_DOMAIN_NAME": ""}
        how = {"OS_AUTH_TYPE": "v3applicationcredential", "OS_APPLICATION_CREDENTIAL_ID": ident}
        return {**known, **domains, **how, "OS_APPLICATION_CREDENTIAL_SECRET": secret, **told}

    def test_the_life_of_an_application_credential(self):
        made = self.told("application credential create --description nightly --role reader robot")
        self.assertEqual((made["Name"], made["Unrestricted"]), ("robot", False))
        self.assertEqual([role["name"] for role in made["Roles"]], ["reader"])
        ident, secret = made["ID"], made["Secret"]
        (row,) = self.told("application credential list")
        self.assertEqual((row["ID"], row["Name"]), (ident, "robot"))
        shown = self.told("application credential show robot")
        self.assertEqual((shown["ID"], shown["Description"], shown.get("Secret")), (ident, "nightly", None))
        self.complains("application credential create robot", of="named robot already")
        self.complains("application credential create --role admin king", of="cannot have a role")
        rules = '[{"path": "/v3", "method": "GET", "service": "volume"}]'
        limited = ("application", "credential", "create", "--access-rules", rules, "limited")
        self.assertIn("Access rules are not enforced", self.openstack(*limited, fails=True))

        with self.subTest("it logs in, without discovery of a version, with its role and no other"):
            told = self.robot(ident, secret)
            self.assertEqual(self.openstack("volume", "list", "-f", "json", **told).strip(), "[]")
            self.assertIn(
                "volume:create", self.openstack("volume", "create", "--size", "1", "x", fails=True, **told)
            )
            self.assertIn(
                "restricted", self.openstack("application", "credential", "create", "x", fails=True, **told)
            )
            by_name = self.robot("", secret, OS_APPLICATION_CREDENTIAL_NAME="robot", OS_USERNAME="demo")
            by_name |= {"OS_USER_DOMAIN_NAME": "Default"}
            del by_name["OS_APPLICATION_CREDENTIAL_ID"]
            self.assertEqual(self.openstack("volume", "list", "-f", "json", **by_name).strip(), "[]")
            self.openstack("volume", "list", fails=True, **self.robot(ident, "another secret"))
        with self.subTest(
            "the volume client logs in as well; it wants a project's name, and cannot do without"
        ):
            named = {"OS_PROJECT_NAME": "demo", "OS_PROJECT_DOMAIN_NAME": "Default"}
            self.cinder("list", **self.robot(ident, secret, **named))
        with self.subTest("so does the SDK"):
            cloud = openstack.connect(
                load_yaml_config=False,
                load_envvars=False,
                auth_type="v3applicationcredential",
                auth_url=f"{self.url}/identity/v3",
                application_credential_id=ident,
                application_credential_secret=secret,
                region_name="RegionOne",
            )
            self.addCleanup(cloud.close)
            self.assertEqual(list(cloud.block_storage.volumes()), [])
            identity: Any = cloud.identity
            (found,) = identity.application_credentials(cloud.current_user_id)
            self.assertEqual((found.name, found.project_id), ("robot", cloud.current_project_id))

        self.quiet("application credential delete robot")
        self.assertEqual(self.told("application credential list"), [])
        self.assertIn("401", self.openstack("volume", "list", fails=True, **self.robot(ident, secret)))
