"""What users type into `magnum` of python-magnumclient 2.17, the last that speaks of bays and baymodels."""

from __future__ import annotations

from cryptography import x509

from bays.models import Bay
from identity.models import Project
from tests.bays.signing import csr
from tests.clients.cinder import fields, rows_of
from tests.clients.containers import certificate
from tests.clients.parts import Part

MADE = ("--coe", "demo", "--image-id", "image", "--keypair-id", "key", "--external-network-id", "public")


class Old(Part):
    def rests_in(self, status: str | None) -> None:
        """Return once the bay `one` has the status, or is gone; fail once it rests in another one."""

        def there() -> bool:
            found = Bay.objects.filter(name="one").values_list("status", "status_reason").first()
            if found and "FAILED" in found[0]:
                self.fail(f"{found}, not {status}\n{self.tail()}")
            return (found and found[0]) == status

        self.until(there, f"the bay is {status or 'gone'}")

    def test_magnum_takes_a_bay_through_its_life(self):
        made = fields(self.magnum("baymodel-create", "--name", "tiny", *MADE, "--labels", "boot_seconds=0"))
        self.assertEqual((made["name"], made["coe"], made["image_id"]), ("tiny", "demo", "image"))
        ((ident, name),) = rows_of(self.magnum("baymodel-list"))
        self.assertEqual((ident, name), (made["uuid"], "tiny"))
        changed = fields(self.magnum("baymodel-update", "tiny", "replace", "dns_nameserver=8.8.4.4"))
        self.assertEqual(changed["dns_nameserver"], "8.8.4.4")
        self.assertEqual(fields(self.magnum("baymodel-show", "tiny"))["uuid"], made["uuid"])

        said = self.magnum("bay-create", "--name", "one", "--baymodel", "tiny", "--node-count", "1")
        bay_id = str(Bay.objects.get(name="one").pk)
        self.assertIn(f"Request to create bay {bay_id} has been accepted", said)
        self.assertIn("referenced by bays", self.magnum("baymodel-delete", "tiny"))
        self.rests_in("CREATE_COMPLETE")
        ((ident, name, nodes, masters, status),) = rows_of(self.magnum("bay-list"))
        self.assertEqual((ident, name, nodes, masters, status), (bay_id, "one", "1", "1", "CREATE_COMPLETE"))
        shown = fields(self.magnum("bay-show", "--long", "one"))
        self.assertEqual((shown["uuid"], shown["node_count"]), (bay_id, "1"))
        self.assertRegex(shown["api_address"], r"^https://10\.")
        self.assertEqual(shown["[baymodel]name" if "[baymodel]name" in shown else "name"], shown["name"])

        said = self.magnum("bay-update", "one", "replace", "node_count=2")
        self.assertIn("Request to update bay one has been accepted", said)
        self.rests_in("UPDATE_COMPLETE")
        self.assertEqual(len(Bay.objects.get(name="one").node_addresses), 2)
        said = self.magnum("bay-create", "--name", "two", "--baymodel", "large", fails=True)
        self.assertIn("large could not be found", said)
        said = self.magnum("bay-update", "one", "replace", "coe=other", fails=True)
        self.assertIn("400", said)

        said = self.magnum("bay-delete", "one")
        self.assertIn("Request to delete bay one has been accepted", said)
        self.rests_in(None)
        self.assertEqual(rows_of(self.magnum("bay-list")), [])
        self.magnum("baymodel-delete", "tiny")
        self.assertEqual(rows_of(self.magnum("baymodel-list")), [])

    def test_magnum_calls_bays_clusters_too(self):
        made = fields(self.magnum("cluster-template-create", "--name", "plain", *MADE))
        ((ident, name, *_),) = rows_of(self.magnum("cluster-template-list"))
        self.assertEqual((ident, name), (made["uuid"], "plain"))
        self.magnum("cluster-template-update", "plain", "add", "labels=boot_seconds=0")
        self.assertEqual(fields(self.magnum("cluster-template-show", "plain"))["name"], "plain")
        said = self.magnum("cluster-create", "one", "--cluster-template", "plain", "--node-count", "1")
        self.assertIn("has been accepted", said)
        self.rests_in("CREATE_COMPLETE")
        self.assertIn("CREATE_COMPLETE", self.magnum("cluster-list"))
        self.assertEqual(fields(self.magnum("cluster-show", "one"))["status"], "CREATE_COMPLETE")
        self.magnum("cluster-update", "one", "replace", "node_count=2")
        self.rests_in("UPDATE_COMPLETE")

        authority = certificate(self.magnum("ca-show", "--cluster", "one"))
        self.assertEqual(certificate(self.magnum("ca-show", "--bay", "one")), authority)
        asked = self.home / "one.csr"
        asked.write_text(csr())
        signed = certificate(self.magnum("ca-sign", "--csr", str(asked), "--bay", "one"))
        signed.verify_directly_issued_by(authority)
        # The authority is replaced; then the client stumbles over any answer.
        self.assertIn("not enough values", self.magnum("ca-rotate", "--cluster", "one", fails=True))
        self.assertNotEqual(certificate(self.magnum("ca-show", "--cluster", "one")), authority)
        kept = self.home / "kept-by-magnum"
        kept.mkdir()
        self.magnum("cluster-config", "one", "--dir", str(kept))
        given = x509.load_pem_x509_certificate((kept / "cert.pem").read_bytes())
        given.verify_directly_issued_by(x509.load_pem_x509_certificate((kept / "ca.pem").read_bytes()))

        self.magnum("cluster-delete", "one")
        self.rests_in(None)
        self.magnum("cluster-template-delete", "plain")

    def test_magnum_shows_quotas_statistics_and_services(self):
        project = str(Project.objects.get(name="demo").pk)
        which = ("--project-id", project, "--resource", "Cluster")
        self.assertEqual(fields(self.magnum("quotas-show", *which))["hard_limit"], "20")
        made = fields(self.magnum("quotas-create", *which, "--hard-limit", "3", user="admin"))
        self.assertEqual((made["project_id"], made["hard_limit"]), (project, "3"))
        self.assertIn(
            "bay_quota:change", self.magnum("quotas-update", *which, "--hard-limit", "9", fails=True)
        )
        changed = fields(self.magnum("quotas-update", *which, "--hard-limit", "4", user="admin"))
        self.assertEqual(changed["hard_limit"], "4")
        self.assertIn(project, self.magnum("quotas-list", "--all-tenants", user="admin"))
        said = self.magnum("quotas-delete", *which, user="admin")
        self.assertIn("accepted", said)
        stats = fields(self.magnum("stats-list", "--project-id", project))
        self.assertEqual((stats["clusters"], stats["nodes"]), ("0", "0"))
        ((ident, _, binary, state, *_),) = rows_of(self.magnum("service-list", user="admin"))
        self.assertEqual((ident, binary, state), ("1", "magnum-conductor", "up"))
