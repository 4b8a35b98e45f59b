"""What users of bays type, and what they are told."""

from __future__ import annotations

from bays.models import Bay
from lifecycle.models import Operation
from tests.clients.parts import Part

SERVICES = {  # where each is, and its microversions
    "identity": ("identity", ("", "")),
    "container-infra": ("container-infra/v1", ("1.1", "1.10")),
    "block-storage": ("volume/v3", ("3.0", "3.71")),
}


class Bays(Part):
    def test_it_logs_in_and_finds_the_services(self):
        token = self.told("token issue")
        self.assertEqual(set(token), {"expires", "id", "project_id", "user_id"})
        catalog = {row["Name"] + ":" + row["Type"]: row["Endpoints"] for row in self.told("catalog list")}
        self.assertEqual(set(catalog), {f"roadstead:{kind}" for kind in SERVICES})
        for kind, (path, _) in SERVICES.items():
            endpoints = catalog[f"roadstead:{kind}"]
            self.assertEqual({one["interface"] for one in endpoints}, {"public", "internal", "admin"})
            self.assertEqual({one["url"] for one in endpoints}, {f"{self.url}/{path}"})
        for row in self.told(
            "versions show"
        ):  # in words of the clients' own: container-infrastructure-management
            (kind,) = (kind for kind in SERVICES if row["Service Type"].startswith(kind))
            found = (row["Status"], row["Min Microversion"] or "", row["Max Microversion"] or "")
            self.assertEqual(found, ("CURRENT", *SERVICES[kind][1]))
        self.assertIn("401", self.openstack("token", "issue", OS_PASSWORD="wrong", fails=True))

    def test_the_life_of_a_template_and_a_cluster(self):
        made = self.told(
            "coe cluster template create tiny --coe demo --image image --external-network public",
            "--labels boot_seconds=0",
        )
        self.assertEqual((made["name"], made["coe"], made["labels"]), ("tiny", "demo", {"boot_seconds": "0"}))
        (listed,) = self.told("coe cluster template list")
        self.assertEqual((listed["uuid"], listed["name"]), (made["uuid"], "tiny"))
        self.typed(
            "coe cluster template update tiny --dns-nameserver 8.8.4.4 --label boot_seconds=1 --label fail_node=1"
        )
        shown = self.told("coe cluster template show tiny")
        self.assertEqual((shown["uuid"], shown["dns_nameserver"]), (made["uuid"], "8.8.4.4"))
        self.assertEqual(shown["labels"], {"boot_seconds": "1", "fail_node": "1"})

        said = self.typed("coe cluster create one --cluster-template tiny --node-count 1")
        bay_id = str(Bay.objects.get(name="one").pk)
        self.assertIn(f"Request to create cluster {bay_id} accepted", said)
        complaint = self.typed("coe cluster template delete tiny")
        self.assertIn("referenced by bays", complaint)
        self.assertIn("409", complaint)
        self.await_status(bay_id, "CREATE_COMPLETE")
        (row,) = self.told("coe cluster list")
        self.assertEqual(
            (row["uuid"], row["name"], row["status"], row["node_count"], row["health_status"]),
            (bay_id, "one", "CREATE_COMPLETE", 1, "HEALTHY"),
        )
        self.assertIn("| CREATE_COMPLETE |", self.typed("coe cluster list --sort-key name --limit 5"))
        shown = self.told("coe cluster show one")
        self.assertEqual((shown["status"], shown["cluster_template_id"]), ("CREATE_COMPLETE", made["uuid"]))
        self.assertRegex(shown["api_address"], r"^https://10\.")
        self.assertEqual(len(shown["node_addresses"]), 1)

        said = self.typed("coe cluster resize one 0")
        self.assertIn("Request to resize cluster one has been accepted", said)
        self.complains("coe cluster update one --node-count 0", of="whose status is UPDATE_IN_PROGRESS")
        self.await_status(bay_id, "UPDATE_COMPLETE")
        said = self.typed("coe cluster update one --node-count 0")
        self.assertIn("Request to update cluster one has been accepted", said)
        self.await_status(bay_id, "UPDATE_COMPLETE")
        self.assertEqual(Bay.objects.get().node_count, 0)

        self.complains("coe cluster create two --cluster-template large", of="large could not be found")
        self.typed("coe cluster update one --node-count 2 --rollback")
        self.await_status(bay_id, "ROLLBACK_COMPLETE")
        shown = self.told("coe cluster show one")
        self.assertEqual((shown["node_count"], shown["node_addresses"]), (0, []))
        self.assertRegex(shown["status_reason"], r"^Rolled back to 0 nodes\. nodes\.1")
        self.complains("coe cluster delete one", user="reader", of="bay:delete")

        self.typed("coe cluster delete one")
        self.await_status(bay_id, None)
        self.assertEqual(self.told("coe cluster list"), [])
        self.typed("coe cluster template delete tiny")
        self.assertEqual(self.told("coe cluster template list"), [])
        ended = set(Operation.objects.values_list("action", "state"))
        well = {("create", "COMPLETE"), ("update", "COMPLETE"), ("delete", "COMPLETE")}
        self.assertEqual(ended, {*well, ("update", "FAILED")})

    def test_the_life_of_node_groups_and_an_upgrade(self):
        of = "--coe demo --external-network public"
        self.told(f"coe cluster template create grouped {of} --image i1 --labels boot_seconds=0")
        newer = f"{of} --image i2 --labels boot_seconds=0,kube_tag=v2"
        newer_id = self.told(f"coe cluster template create newer {newer}")["uuid"]
        self.typed("coe cluster create wide --cluster-template grouped --node-count 2")
        bay_id = str(Bay.objects.get(name="wide").pk)
        self.await_status(bay_id, "CREATE_COMPLETE")
        names = [group["name"] for group in self.told("coe nodegroup list wide")]
        self.assertEqual(names, ["default-master", "default-worker"])

        said = self.typed("coe nodegroup create wide blue --node-count 1 --max-nodes 3 --role gpu")
        self.assertIn("Request to create nodegroup", said)
        self.await_status(bay_id, "UPDATE_COMPLETE")
        shown = self.told("coe nodegroup show wide blue")
        self.assertEqual((shown["status"], shown["node_count"], shown["role"]), ("CREATE_COMPLETE", 1, "gpu"))
        self.assertEqual(len(shown["node_addresses"]), 1)
        self.assertEqual(self.told("coe cluster show wide")["node_count"], 3)
        said = self.typed("coe nodegroup update wide blue --max-nodes 2")
        self.assertIn("Request to update nodegroup", said)
        self.assertEqual(self.told("coe nodegroup show wide blue")["max_node_count"], 2)
        self.complains("coe cluster resize wide --nodegroup blue 3", of="outside the allowed range")

        node = Bay.objects.get(name="wide").nodes["default-worker"][0]
        said = self.typed(f"coe cluster resize wide 1 --nodes-to-remove {node['id']}")
        self.assertIn("Request to resize cluster wide has been accepted", said)
        self.await_status(bay_id, "UPDATE_COMPLETE")
        self.assertNotIn(node["address"], self.told("coe cluster show wide")["node_addresses"])

        said = self.typed("coe cluster upgrade wide newer --max-batch-size 1")
        self.assertIn("Request to upgrade cluster wide has been accepted", said)
        self.await_status(bay_id, "UPDATE_COMPLETE")
        self.assertEqual(self.told("coe cluster show wide")["cluster_template_id"], newer_id)
        self.complains("coe nodegroup delete wide default-worker", of="default")
        self.typed("coe nodegroup delete wide blue")
        self.await_status(bay_id, "UPDATE_COMPLETE")
        self.assertEqual(len(self.told("coe nodegroup list wide")), 2)
        self.typed("coe cluster delete wide")
        self.await_status(bay_id, None)
        for name in ("grouped", "newer"):
            self.typed(f"coe cluster template delete {name}")

    def await_status(self, bay_id: str, status: str | None) -> None:
        """Return once the bay has the status, or is gone; fail once it rests in another one."""

        def there() -> bool:
            found = Bay.objects.filter(pk=bay_id).values_list("status", flat=True).first()
            if found and "FAILED" in found:
                self.fail(f"{found}, not {status}\n{self.tail()}")
            return found == status

        self.until(there, f"bay {bay_id} is {status or 'gone'}")
