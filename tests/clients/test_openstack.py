"""What users type, and what they are told."""

from __future__ import annotations

from bays.models import Bay
from lifecycle.models import Operation
from tests.clients.base import ClientCase

TEMPLATE = ("--coe", "demo", "--image", "image", "--external-network", "public")


class OpenstackTests(ClientCase):
    def test_it_logs_in_and_finds_the_services(self):
        token = self.told("token", "issue")
        self.assertEqual(set(token), {"expires", "id", "project_id", "user_id"})
        catalog = {row["Name"] + ":" + row["Type"]: row["Endpoints"] for row in self.told("catalog", "list")}
        self.assertEqual(set(catalog), {"roadstead:identity", "roadstead:container-infra"})
        endpoints = catalog["roadstead:container-infra"]
        self.assertEqual({one["interface"] for one in endpoints}, {"public", "internal", "admin"})
        self.assertEqual({one["url"] for one in endpoints}, {f"{self.url}/container-infra/v1"})
        versions = {row["Service Type"]: row for row in self.told("versions", "show")}
        bays = next(row for kind, row in versions.items() if kind.startswith("container"))
        self.assertEqual(
            (bays["Status"], bays["Min Microversion"], bays["Max Microversion"]), ("CURRENT", "1.1", "1.10")
        )
        complaint = self.openstack("token", "issue", OS_PASSWORD="wrong", fails=True)
        self.assertIn("401", complaint)

    def test_the_life_of_a_template_and_a_cluster(self):
        made = self.told(
            "coe", "cluster", "template", "create", "tiny", *TEMPLATE, "--labels", "boot_seconds=0"
        )
        self.assertEqual((made["name"], made["coe"], made["labels"]), ("tiny", "demo", {"boot_seconds": "0"}))
        (listed,) = self.told("coe", "cluster", "template", "list")
        self.assertEqual((listed["uuid"], listed["name"]), (made["uuid"], "tiny"))
        self.openstack(
            "coe",
            "cluster",
            "template",
            "update",
            "tiny",
            "--dns-nameserver",
            "8.8.4.4",
            "--label",
            "boot_seconds=1",
        )
        shown = self.told("coe", "cluster", "template", "show", "tiny")
        self.assertEqual((shown["uuid"], shown["dns_nameserver"]), (made["uuid"], "8.8.4.4"))
        self.assertEqual(shown["labels"], {"boot_seconds": "1"})

        said = self.openstack(
            "coe", "cluster", "create", "one", "--cluster-template", "tiny", "--node-count", "1"
        )
        bay_id = str(Bay.objects.get(name="one").pk)
        self.assertIn(f"Request to create cluster {bay_id} accepted", said)
        complaint = self.openstack("coe", "cluster", "template", "delete", "tiny", fails=None)
        self.assertIn("referenced by bays", complaint)
        self.assertIn("409", complaint)
        self.await_status(bay_id, "CREATE_COMPLETE")
        (row,) = self.told("coe", "cluster", "list")
        self.assertEqual(
            (row["uuid"], row["name"], row["status"], row["node_count"], row["health_status"]),
            (bay_id, "one", "CREATE_COMPLETE", 1, "HEALTHY"),
        )
        self.assertIn(
            "| CREATE_COMPLETE |",
            self.openstack("coe", "cluster", "list", "--sort-key", "name", "--limit", "5"),
        )
        shown = self.told("coe", "cluster", "show", "one")
        self.assertEqual((shown["status"], shown["cluster_template_id"]), ("CREATE_COMPLETE", made["uuid"]))
        self.assertRegex(shown["api_address"], r"^https://10\.")
        self.assertEqual(len(shown["node_addresses"]), 1)

        said = self.openstack("coe", "cluster", "resize", "one", "0")
        self.assertIn("Request to resize cluster one has been accepted", said)
        complaint = self.openstack("coe", "cluster", "update", "one", "--node-count", "0", fails=True)
        self.assertIn("whose status is UPDATE_IN_PROGRESS", complaint)
        self.await_status(bay_id, "UPDATE_COMPLETE")
        said = self.openstack("coe", "cluster", "update", "one", "--node-count", "0")
        self.assertIn("Request to update cluster one has been accepted", said)
        self.await_status(bay_id, "UPDATE_COMPLETE")
        self.assertEqual(Bay.objects.get().node_count, 0)

        for words, said in (
            (("create", "two", "--cluster-template", "large"), "large could not be found"),
            (("update", "one", "--node-count", "1", "--rollback"), "rollback is not offered"),
        ):
            self.assertIn(said, self.openstack("coe", "cluster", *words, fails=True))
        complaint = self.openstack("coe", "cluster", "delete", "one", user="reader", fails=None)
        self.assertIn("bay:delete", complaint)

        self.openstack("coe", "cluster", "delete", "one")
        self.await_status(bay_id, None)
        self.assertEqual(self.told("coe", "cluster", "list"), [])
        self.openstack("coe", "cluster", "template", "delete", "tiny")
        ended = set(Operation.objects.values_list("action", "state"))
        self.assertEqual(ended, {("create", "COMPLETE"), ("update", "COMPLETE"), ("delete", "COMPLETE")})
