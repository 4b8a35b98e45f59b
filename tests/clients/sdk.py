"""openstacksdk, as programs use it: its block-storage proxy, and its cloud layer."""

from __future__ import annotations

import http.client
import json
import uuid
from typing import Any, ClassVar

import openstack
import requests
from openstack import exceptions
from openstack.block_storage.v3._proxy import Proxy
from openstack.connection import Connection

from tests.clients.base import PASSWORD
from tests.clients.parts import Part
from volumes.models import Volume

QUICK = 0.1  # seconds between two looks of the SDK, which else takes two


class Sdk(Part):
    clouds: ClassVar[dict[tuple[str, str], Connection]] = {}

    def cloud(self, user="demo", project="demo") -> Connection:
        """Return a user's connection to us."""
        if (user, project) not in self.clouds:
            made = openstack.connect(
                load_yaml_config=False,
                load_envvars=False,
                auth_url=f"{self.url}/identity/v3",
                username=user,
                password=PASSWORD,
                project_name=project,
                user_domain_id="default",
                project_domain_id="default",
                region_name="RegionOne",
            )
            self.addClassCleanup(made.close)
            self.addClassCleanup(self.clouds.clear)
            self.clouds[user, project] = made
        return self.clouds[user, project]

    def storage(self, user="demo", project="demo") -> Proxy:
        """Return a user's block-storage proxy, of the only version that we speak."""
        found = self.cloud(user, project).block_storage
        assert isinstance(found, Proxy)
        return found

    def test_the_sdk_takes_a_volume_through_its_life(self):
        storage = self.storage()
        volume = storage.create_volume(name="disk", size=1, metadata={"a": "b"}, description="mine")
        self.assertEqual((volume.name, volume.size, volume.metadata), ("disk", 1, {"a": "b"}))
        volume = storage.wait_for_status(volume, "available", interval=QUICK)
        self.assertEqual(storage.find_volume("disk", ignore_missing=False).id, volume.id)
        self.assertIsNone(storage.find_volume("other"))
        storage.extend_volume(volume, 2)
        self.is_in("available", "disk")
        self.assertEqual(storage.get_volume(volume).size, 2)
        self.assertEqual(storage.update_volume(volume, name="data").name, "data")
        storage.set_volume_metadata(volume, c="d")
        self.assertEqual(storage.get_volume(volume).metadata, {"a": "b", "c": "d"})
        with self.assertRaises(exceptions.BadRequestException) as refused:
            storage.extend_volume(volume, 1)
        self.assertIn("(current: 2, extended: 1)", str(refused.exception))

        snapshot = storage.create_snapshot(volume_id=volume.id, name="before")
        snapshot = storage.wait_for_status(snapshot, "available", interval=QUICK)
        clone = storage.create_volume(snapshot_id=snapshot.id, name="clone")
        storage.wait_for_status(clone, "available", interval=QUICK)
        self.assertEqual([each.name for each in storage.snapshots()], ["before"])
        self.assertEqual([each.name for each in storage.volumes(limit=1)], ["clone", "data"])
        limits = storage.get_limits().absolute
        self.assertEqual((limits.total_volumes_used, limits.total_gigabytes_used), (2, 6))
        storage.delete_snapshot(snapshot)
        storage.wait_for_delete(snapshot, interval=QUICK)
        for each in (clone, volume):
            storage.delete_volume(each)
            storage.wait_for_delete(each, interval=QUICK)
        self.gone()

    def test_the_sdk_attaches_and_transfers(self):
        storage = self.storage()
        volume = storage.create_volume(name="disk", size=1)
        storage.wait_for_status(volume, "available", interval=QUICK)
        connector = {"host": "compute1", "ip": "10.0.0.1", "initiator": "iqn.2026-11.org.example:1"}
        made = storage.create_attachment(volume, instance_id=str(uuid.uuid4()), connector=None)
        self.assertEqual(made.status, "reserved")
        made = storage.update_attachment(made, connector={**connector, "mountpoint": "/dev/vdb"})
        self.assertEqual(made.connection_info["driver_volume_type"], "local")
        storage.complete_attachment(made)
        self.assertEqual(storage.get_volume(volume).status, "in-use")
        self.assertEqual([each.status for each in storage.attachments()], ["attached"])
        self.storage("admin").delete_attachment(made)
        self.assertEqual(list(storage.attachments()), [])

        offer = storage.create_transfer(volume_id=volume.id, name="offer")
        theirs = self.storage("demo", "alt")
        self.assertIsNone(theirs.find_volume(volume.id))
        theirs.accept_transfer(offer.id, offer.auth_key)
        self.assertEqual(theirs.get_volume(volume.id).status, "available")
        self.assertIsNone(storage.find_volume(volume.id))
        self.assertEqual(list(storage.transfers()), [])

    def test_the_cloud_layer_of_the_sdk(self):
        cloud = self.cloud()
        volume = cloud.create_volume(1, name="disk", wait=True, timeout=60)
        self.assertEqual((volume.status, volume.size), ("available", 1))
        self.assertTrue(cloud.volume_exists("disk"))
        snapshot = cloud.create_volume_snapshot(volume.id, name="before", wait=True, timeout=60)
        self.assertEqual(snapshot.status, "available")
        self.assertTrue(cloud.delete_volume_snapshot("before", wait=True))
        self.assertTrue(cloud.delete_volume("disk", wait=True))
        self.assertFalse(cloud.delete_volume("disk"))
        self.assertEqual(cloud.list_volumes(), [])
        self.gone()

    def test_a_lost_answer_is_given_again(self):
        """The first answer is thrown away with its connection; the same words with the same key give it again."""
        headers = {
            "X-Auth-Token": str(self.cloud().session.get_token()),
            "Content-Type": "application/json",
            "Idempotency-Key": "lost-42",
            "OpenStack-API-Version": "volume 3.71",
        }
        body = {"volume": {"name": "nightly", "size": 1}}
        url = f"{self.url}/volume/v3/volumes"

        def ask(body: dict[str, Any]) -> requests.Response:
            return requests.post(url, json=body, headers=headers, timeout=30)

        lost = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        lost.request("POST", "/volume/v3/volumes", json.dumps(body), headers)
        lost.close()
        self.until(Volume.objects.exists, "the request was carried out")
        self.is_in("available", "nightly")

        again = ask(body)
        self.assertEqual((again.status_code, again.headers["Idempotency-Replayed"]), (202, "true"))
        answer = again.json()["volume"]
        self.assertEqual((answer["name"], answer["status"]), ("nightly", "creating"))  # as it was then
        self.assertEqual(ask(body).json(), again.json())
        (volume,) = self.storage().volumes()
        self.assertEqual((volume.id, volume.status), (answer["id"], "available"))
        self.assertEqual(ask({"volume": {"name": "nightly", "size": 2}}).status_code, 422)
        headers["Idempotency-Key"] = "lost-43"
        self.assertNotEqual(ask(body).json()["volume"]["id"], volume.id)
