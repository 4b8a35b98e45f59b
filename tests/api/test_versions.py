from django.test import SimpleTestCase

from api.problems import VersionNotAcceptable
from api.versions import CONTAINER_INFRA, SERVICES, Version, service_of
from tests.identity.base import DoorCase

LATE = "/container-infra/v1/late"


class NegotiateTests(SimpleTestCase):
    def test_it_picks_what_is_asked_for(self):
        asked = {
            None: (1, 1),
            "container-infra 1.1": (1, 1),
            "container-infra 1.10": (1, 10),
            "container-infra latest": (1, 10),
            "Container-Infra LATEST": (1, 10),
            "container-infrastructure 1.7": (1, 7),
            "container-infrastructure-management 1.2": (1, 2),
            "volume 3.71, container-infra 1.4": (1, 4),
        }
        for header, version in asked.items():
            with self.subTest(header):
                self.assertEqual(CONTAINER_INFRA.negotiate(header), version)

    def test_it_refuses_the_rest(self):
        for header in (
            "",
            "1.1",
            "latest",
            "container-infra",
            "container-infra 1",
            "container-infra 1.11",
            "container-infra 1.0",
            "container-infra 2.1",
            "container-infra 1.1.1",
            "container-infra 1.01",
            "container-infra 1.-1",
            "container-infra \u0661.\u0661",
            "container-infra 1.1 1.2",
            "container-infra 1." + "9" * 5000,
            "volume 3.71",
            ",",
        ):
            with self.subTest(header[:40]), self.assertRaises(VersionNotAcceptable):
                CONTAINER_INFRA.negotiate(header)

    def test_its_history_is_in_order_and_without_gaps(self):
        for service in SERVICES:
            versions = [version for version, _ in service.history]
            self.assertEqual(versions, [Version(1, 1 + number) for number in range(len(versions))])

    def test_it_knows_a_service_by_its_path(self):
        self.assertEqual(service_of("/container-infra/v1/x"), CONTAINER_INFRA)
        self.assertEqual(service_of("/container-infra"), CONTAINER_INFRA)
        self.assertIsNone(service_of("/container-infrared"))
        self.assertIsNone(service_of("/"))


class HeaderTests(DoorCase):
    def get(self, version=None):
        more = {"OpenStack-API-Version": version} if version else {}
        return self.client.get(LATE, headers=self.as_user(self.carol, **more))

    def test_it_says_which_version_answered_and_which_there_are(self):
        answer = self.get("container-infra latest")
        self.assertEqual(answer.json(), {"version": "1.10"})
        self.assertEqual(answer["OpenStack-API-Version"], "container-infra 1.10")
        self.assertEqual(answer["OpenStack-API-Minimum-Version"], "container-infra 1.1")
        self.assertEqual(answer["OpenStack-API-Maximum-Version"], "container-infra 1.10")
        self.assertIn("OpenStack-API-Version", answer["Vary"])

    def test_it_hides_a_route_from_older_versions(self):
        self.assertEqual(self.get("container-infra 1.7").status_code, 200)
        self.assertEqual(self.get("container-infra 1.6").status_code, 404)
        self.assertEqual(self.get().status_code, 404)

    def test_it_answers_406_as_magnum_does(self):
        answer = self.get("container-infra 1.99")
        self.assertEqual(answer.status_code, 406)
        (error,) = answer.json()["errors"]
        self.assertEqual((error["min_version"], error["max_version"]), ("1.1", "1.10"))
        self.assertEqual((error["code"], error["status"]), ("magnum.microversion-unsupported", 406))
        self.assertNotIn("OpenStack-API-Version", answer)
        self.assertEqual(answer["OpenStack-API-Maximum-Version"], "container-infra 1.10")

    def test_it_leaves_identity_without_versions(self):
        answer = self.client.get("/identity/v3", headers={"OpenStack-API-Version": "container-infra 9.9"})
        self.assertEqual(answer.status_code, 200)
        self.assertNotIn("OpenStack-API-Minimum-Version", answer)
