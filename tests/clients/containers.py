"""What users and operators type into `openstack coe` besides clusters: certificates, quotas, statistics, services."""

from __future__ import annotations

import re

from cryptography import x509

from bays.models import Bay, Quota
from identity.models import Project
from tests.bays.signing import csr
from tests.clients.parts import Part


def certificate(said: str) -> x509.Certificate:
    """Return the certificate among what a client printed."""
    found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", said, re.DOTALL)
    assert found is not None, said
    return x509.load_pem_x509_certificate(found[0].encode())


class Containers(Part):
    def test_certificates_of_a_cluster(self):
        self.typed("coe cluster template create vault --coe demo --image image --external-network public")
        self.typed("coe cluster create safe --cluster-template vault --node-count 0")
        self.until(
            lambda: Bay.objects.filter(name="safe", status="CREATE_COMPLETE").exists(), "safe is there"
        )
        authority = certificate(self.typed("coe ca show safe", user="reader"))
        asked = self.home / "safe.csr"
        asked.write_text(csr())
        signed = certificate(self.typed("coe ca sign safe", str(asked)))
        signed.verify_directly_issued_by(authority)
        asked.write_text("nonsense")
        self.complains("coe ca sign safe", str(asked), of="no PKCS#10 request")
        self.complains("coe ca rotate safe", user="reader", of="certificate:rotate_ca")
        said = self.typed("coe ca rotate safe")
        self.assertIn("Request to rotate the CA certificate for cluster", said)
        self.assertNotEqual(certificate(self.typed("coe ca show safe")), authority)
        kept = self.home / "kept"
        kept.mkdir()
        self.typed("coe cluster config safe --dir", str(kept), "--output-certs")
        given = x509.load_pem_x509_certificate((kept / "cert.pem").read_bytes())
        given.verify_directly_issued_by(x509.load_pem_x509_certificate((kept / "ca.pem").read_bytes()))
        self.typed("coe cluster delete safe")
        self.until(lambda: not Bay.objects.filter(name="safe").exists(), "safe is gone")
        self.typed("coe cluster template delete vault")

    def test_quotas_statistics_and_services(self):
        project = str(Project.objects.get(name="demo").pk)
        which = f"--project-id {project} --resource Cluster"
        self.assertIn("| 20 ", self.typed("coe quotas show", which))
        self.complains("coe quotas create", which, "--hard-limit 1", of="bay_quota:change")
        said = self.typed("coe quotas create", which, "--hard-limit 1", user="admin")
        self.assertIn(project, said)
        self.complains("coe quotas create", which, user="admin", of="409")
        self.typed("coe cluster template create tight --coe demo --image image --external-network public")
        self.typed("coe cluster create one --cluster-template tight --node-count 0")
        self.complains("coe cluster create two --cluster-template tight", of="its limit is 1")
        self.typed("coe quotas update", which, "--hard-limit 2", user="admin")
        self.assertEqual(Quota.objects.get(pk=project).hard_limit, 2)
        self.assertRegex(
            self.typed("coe quotas list --all-tenants", user="admin"), rf"{project} .*Cluster .* 2 "
        )
        self.assertRegex(self.typed("coe stats list", project), r"(?s)clusters +\| 1 .*nodes +\| 1 ")
        self.complains("coe stats list elsewhere", of="another project")
        said = self.typed("coe quotas delete", which, user="admin")
        self.assertIn("has been accepted", said)
        (service,) = self.asked("coe service list")
        self.assertEqual((service["binary"], service["state"], service["id"]), ("magnum-conductor", "up", 1))
        self.complains("coe service list", of="mservice:list")
        self.typed("coe cluster delete one")
        self.until(lambda: not Bay.objects.filter(name="one").exists(), "one is gone")
        self.typed("coe cluster template delete tight")
