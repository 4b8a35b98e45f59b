"""openstacksdk's container-infrastructure proxy, and its cloud layer, as programs use them."""

from __future__ import annotations

from cryptography import x509
from openstack import exceptions
from openstack.container_infrastructure_management.v1._proxy import Proxy

from bays.models import Bay
from tests.bays.signing import csr
from tests.clients.sdk import QUICK, Sdk


class SdkContainers(Sdk):
    def infra(self, user="demo") -> Proxy:
        """Return a user's proxy."""
        found = self.cloud(user).container_infrastructure_management
        assert isinstance(found, Proxy)
        return found

    def test_the_sdk_takes_a_cluster_through_its_life(self):
        infra = self.infra()
        template = infra.create_cluster_template(
            name="sdk",
            coe="demo",
            image_id="image",
            external_network_id="public",
            labels={"boot_seconds": "0"},
        )
        self.assertEqual((template.name, template.labels), ("sdk", {"boot_seconds": "0"}))
        self.assertEqual(infra.find_cluster_template("sdk", ignore_missing=False).uuid, template.uuid)
        self.assertEqual([each.name for each in infra.cluster_templates()], ["sdk"])
        changed = infra.update_cluster_template(template, dns_nameserver="8.8.4.4")
        self.assertEqual(changed.dns_nameserver, "8.8.4.4")

        made = infra.create_cluster(name="mine", cluster_template_id=template.uuid, node_count=1)
        bay = Bay.objects.get(name="mine")
        self.assertEqual(made.id, str(bay.pk))
        cluster = infra.wait_for_status(made, "CREATE_COMPLETE", ["CREATE_FAILED"], interval=QUICK, wait=60)
        found = infra.find_cluster("mine", ignore_missing=False)
        self.assertEqual((found.uuid, found.node_count, found.status), (made.id, 1, "CREATE_COMPLETE"))
        self.assertIsNone(infra.find_cluster("other"))
        self.assertRegex(infra.get_cluster(made.id).api_address, r"^https://10\.")
        self.assertEqual([each.name for each in infra.clusters()], ["mine"])
        with self.assertRaises(exceptions.ConflictException) as refused:
            infra.delete_cluster_template(template)
        # The SDK looks for another key in the error than Magnum's, and says only that it is a conflict.
        assert refused.exception.response is not None
        self.assertIn("referenced by bays", refused.exception.response.text)

        with self.assertRaises(exceptions.HttpException) as unversioned:
            found.resize(infra, node_count=2)  # it names no version, and resizing came with 1.7
        self.assertEqual(unversioned.exception.status_code, 406)
        infra.update_cluster(infra.get_cluster(made.id), node_count=2)
        cluster = infra.wait_for_status(
            infra.get_cluster(made.id), "UPDATE_COMPLETE", ["UPDATE_FAILED"], interval=QUICK, wait=60
        )
        self.assertEqual(len(infra.get_cluster(made.id).node_addresses), 2)

        authority = infra.get_cluster_certificate(made.id)
        signed = infra.create_cluster_certificate(cluster_uuid=made.id, csr=csr())
        issuer = x509.load_pem_x509_certificate(authority.pem.encode())
        x509.load_pem_x509_certificate(signed.pem.encode()).verify_directly_issued_by(issuer)

        infra.delete_cluster(cluster)
        infra.wait_for_delete(cluster, interval=QUICK, wait=60)
        infra.delete_cluster_template(template)
        self.assertEqual((list(infra.clusters()), list(infra.cluster_templates())), ([], []))

    def test_the_sdk_lists_the_services_of_containers(self):
        (service,) = self.infra("admin").services()
        self.assertEqual((service.binary, service.state), ("magnum-conductor", "up"))
        with self.assertRaises(exceptions.ForbiddenException):
            list(self.infra().services())

    def test_the_cloud_layer_of_the_sdk_knows_clusters(self):
        cloud = self.cloud()
        template = cloud.create_cluster_template(
            "layer", image_id="image", coe="demo", external_network_id="public"
        )
        found = cloud.get_cluster_template("layer")
        self.assertEqual(found and found.uuid, template.uuid)
        made = cloud.create_coe_cluster("one", template.uuid, node_count=1, labels={"boot_seconds": "0"})
        self.until(lambda: Bay.objects.get(pk=made.id).status == "CREATE_COMPLETE", "it is complete")
        there = cloud.get_coe_cluster("one")
        self.assertEqual(there and there.uuid, made.id)
        self.assertEqual([each.name for each in cloud.list_coe_clusters()], ["one"])
        self.assertIn("BEGIN CERTIFICATE", cloud.get_coe_cluster_certificate(made.id)["pem"])
        self.assertIn("BEGIN CERTIFICATE", cloud.sign_coe_cluster_certificate(made.id, csr())["pem"])
        self.assertTrue(cloud.delete_coe_cluster("one"))
        self.until(lambda: not Bay.objects.filter(pk=made.id).exists(), "it is gone")
        self.assertFalse(cloud.delete_coe_cluster("one"))
        self.assertTrue(cloud.delete_cluster_template("layer"))
