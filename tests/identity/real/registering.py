"""`manage.py register`: once, again, by all nodes at once, and where it must not."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

from django.core.management import CommandError, call_command

from clouds.keystone import Keystone
from identity.registering import NAME, Plan
from tests.identity.real.base import URL, Part, plan


class Registering(Part):
    def register(self, *words: str, user: str = "admin", **over: object) -> str:
        told = {
            "CLOUD_VARIABLES": self.cloud.login(user, "admin" if user == "admin" else "demo"),
            "PUBLIC_URL": URL,
        }
        said = io.StringIO()
        with self.settings(**{**told, **over}):
            call_command("register", *words, stdout=said)
        return said.getvalue()

    def found(self) -> list[tuple[str, str, str, str]]:
        services = {service["id"]: service["type"] for service in self.there.find("services", name=NAME)}
        endpoints = [one for one in self.there.find("endpoints") if one["service_id"] in services]
        return sorted(
            (services[e["service_id"]], e["interface"], e["region_id"], e["url"]) for e in endpoints
        )

    def wanted(self, url: str = URL) -> list[tuple[str, str, str, str]]:
        paths = {"block-storage": "/volume/v3", "container-infra": "/container-infra/v1"}
        return [
            (kind, interface, "RegionOne", f"{url}{path}")
            for kind, path in paths.items()
            for interface in ("admin", "internal", "public")
        ]

    def unregister(self) -> None:
        for service in self.there.find("services", name=NAME):
            self.there.remove("services", service["id"])

    def test_it_adds_all_once(self):
        self.unregister()
        said = self.register("--dry-run")
        self.assertIn("add service container-infra roadstead", said)
        self.assertIn(f"add endpoint block-storage public: {URL}/volume/v3", said)
        self.assertEqual(self.found(), [])
        self.assertTrue(self.register().endswith("Done.\n"))
        self.assertEqual(self.found(), self.wanted())
        self.assertEqual(self.register(), "Nothing to do.\n")

    def test_it_changes_what_is_different(self):
        self.register(PUBLIC_URL="https://other.example/")
        self.assertEqual(self.found(), self.wanted("https://other.example"))
        said = self.register("--dry-run")
        self.assertIn(f"change endpoint container-infra admin: {URL}/container-infra/v1", said)
        self.assertEqual(self.found(), self.wanted("https://other.example"))
        self.register("--internal-url", "http://10.0.0.1:8000")
        internal = {url for _, interface, _, url in self.found() if interface == "internal"}
        self.assertEqual(
            internal, {"http://10.0.0.1:8000/volume/v3", "http://10.0.0.1:8000/container-infra/v1"}
        )
        self.register()
        self.assertEqual(self.found(), self.wanted())

    def test_all_nodes_register_at_once(self):
        for _ in range(3):
            self.unregister()
            with ThreadPoolExecutor(4) as pool:
                nodes = [
                    pool.submit(
                        plan(URL).carry_out, Keystone(self.cloud.login("admin", "admin")), lambda _: None
                    )
                    for _ in range(4)
                ]
            for node in nodes:
                node.result()
            self.assertEqual(self.found(), self.wanted())
            self.assertEqual(len(self.there.find("services", name=NAME)), 2)

    def test_it_makes_sure_of_our_own_user(self):
        with self.assertRaisesMessage(CommandError, "no password is given"):
            self.register("--user", "newcomer")
        ours: Plan = plan(URL, user="newcomer", password="a-password")
        ours.carry_out(self.there, lambda _: None)
        user = self.there.find("users", name="newcomer")[0]["id"]
        self.addCleanup(self.there.remove, "users", user)
        where = f"projects/{self.there.find('projects', name='service')[0]['id']}"
        self.assertTrue(self.there.has("service", user, where) and self.there.has("member", user, where))
        self.assertEqual(self.register("--user", "newcomer"), "Nothing to do.\n")

    def test_it_leaves_anothers_service_alone(self):
        other = self.there.make("services", type="container-infra", name="magnum")["id"]
        self.addCleanup(self.there.remove, "services", other)
        self.assertEqual(self.register(), "Nothing to do.\n")
        self.there.make(
            "endpoints", service_id=other, interface="public", region_id="RegionOne", url="http://m"
        )
        with self.assertRaisesMessage(CommandError, f"openstack service set --disable {other}"):
            self.register()
        self.there.change("services", other, enabled=False)
        self.assertEqual(self.register(), "Nothing to do.\n")

    def test_who_is_no_admin_is_told_so(self):
        with self.assertRaisesMessage(CommandError, "an admin"):
            self.register(user="demo")
        with self.assertRaisesMessage(CommandError, "ROADSTEAD_IDENTITY"):
            self.register(IDENTITY="own")
