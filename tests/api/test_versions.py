from itertools import pairwise

from django.test import SimpleTestCase

from api.problems import VersionNotAcceptable
from api.versions import BLOCK_STORAGE, CONTAINER_INFRA, SERVICES, Version, service_of
from tests.identity.base import DoorCase

HEADER = "OpenStack-API-Version"
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

    def test_it_knows_block_storage_by_both_of_its_words(self):
        for header, version in {
            None: (3, 0),
            "volume 3.0": (3, 0),
            "volume 3.71": (3, 71),
            "volume latest": (3, 71),
            "block-storage 3.27": (3, 27),
            "compute 2.90, volume 3.44": (3, 44),
        }.items():
            with self.subTest(header):
                self.assertEqual(BLOCK_STORAGE.negotiate(header), version)
        for header in ("volume 3.72", "volume 2.0", "volume", "compute 2.90", "volumev3 3.1"):
            with self.subTest(header), self.assertRaises(VersionNotAcceptable):
                BLOCK_STORAGE.negotiate(header)

    def test_its_history_is_whole(self):
        limits = {"identity": None, "container-infra": ((1, 1), (1, 10)), "block-storage": ((3, 0), (3, 71))}
        for service in SERVICES:
            versions = [version for version, what in service.history if what]
            for earlier, later in pairwise(versions):
                self.assertEqual(later, Version(earlier.major, earlier.minor + 1))
            stated = (service.minimum, service.maximum) if versions else None
            self.assertEqual(stated, limits[service.type])

    def test_it_knows_a_service_by_its_path(self):
        self.assertEqual(service_of("/container-infra/v1/x"), CONTAINER_INFRA)
        self.assertEqual(service_of("/container-infra"), CONTAINER_INFRA)
        self.assertEqual(service_of("/volume/v3/x"), BLOCK_STORAGE)
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

    def test_it_answers_block_storage_in_cinders_words(self):
        path = "/volume/v3/sorted"
        answer = self.client.get(path, headers=self.as_user(self.carol, **{HEADER: "volume latest"}))
        self.assertEqual((answer.status_code, answer[HEADER]), (200, "volume 3.71"))
        self.assertEqual(answer["OpenStack-API-Maximum-Version"], "volume 3.71")
        self.assertIn(HEADER, answer["Vary"])
        self.assertEqual(self.client.get(path, headers=self.as_user(self.carol))[HEADER], "volume 3.0")
        answer = self.client.get(path, headers=self.as_user(self.carol, **{HEADER: "volume 3.99"}))
        self.assertEqual((answer.status_code, answer.json()["computeFault"]["code"]), (406, 406))
        self.assertIn("from 3.0 to 3.71", answer.json()["computeFault"]["message"])

    def test_it_leaves_identity_without_versions(self):
        answer = self.client.get("/identity/v3", headers={"OpenStack-API-Version": "container-infra 9.9"})
        self.assertEqual(answer.status_code, 200)
        self.assertNotIn("OpenStack-API-Minimum-Version", answer)
