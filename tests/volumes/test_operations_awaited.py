"""Operations on volumes: found by the answer's header, awaited; how far they are and why they failed."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any

from django.test import override_settings

from lifecycle import accepted
from lifecycle.models import Operation
from tests.volumes.base import VolumesCase
from volumes import reasons
from volumes.models import Connection, Snapshot, Volume

NAMES = "Roadstead-Operation"


class HeaderTests(VolumesCase):
    def named(self, answer) -> Operation:
        self.assertLess(answer.status_code, 300, answer.content)
        return Operation.objects.get(pk=answer[NAMES])

    def test_every_answer_that_accepts_names_its_operation(self):
        made = self.post("/volumes", {"volume": {"size": 1}}, **{"Idempotency-Key": "k"})
        operation = self.named(made)
        self.assertEqual((operation.action, operation.state), ("create", "IN_PROGRESS"))
        again = self.post("/volumes", {"volume": {"size": 1}}, **{"Idempotency-Key": "k"})
        self.assertEqual((again["Idempotency-Replayed"], again[NAMES]), ("true", made[NAMES]))
        self.assertEqual(self.named(self.delete(f"/volumes/{self.a_volume().pk}")).action, "delete")
        self.assertEqual(self.named(self.act(self.a_volume(), "os-extend", {"new_size": 2})).action, "extend")
        answer = self.act(self.a_volume(), "os-set_bootable", {"bootable": True})
        self.assertEqual((self.named(answer).action, self.named(answer).state), ("set_bootable", "COMPLETE"))
        answer = self.post("/snapshots", {"snapshot": {"volume_id": str(self.a_volume().pk)}})
        self.assertEqual(self.named(answer).resource_type, "snapshot")
        self.assertNotIn(NAMES, self.put(f"/volumes/{self.a_volume().pk}", {"volume": {"name": "x"}}))

    def test_of_several_it_is_the_one_to_wait_for(self):
        snapshot = self.a_snapshot()
        cascade = self.named(self.delete(f"/volumes/{snapshot.volume_id}?cascade=true"))
        self.assertEqual(cascade.resource_id, snapshot.volume_id)
        body: dict[str, Any] = {
            "attachment": {"volume_uuid": str(self.a_volume().pk), "instance_uuid": str(uuid.uuid4())}
        }
        self.assertEqual(self.named(self.post("/attachments", body)).resource_type, "volume")
        connector = {"host": "h", "ip": "127.0.0.1"}
        body["attachment"] |= {"volume_uuid": str(self.a_volume().pk), "connector": connector}
        with override_settings(CONNECT_WAIT=0):
            answer = self.post("/attachments", body)
        self.assertEqual(answer.status_code, 503)  # there is no worker: it goes on
        self.assertEqual(Operation.objects.get(pk=answer[NAMES]).resource_id, Connection.objects.get().pk)

    def test_what_was_taken_back_is_not_named(self):
        volume = self.a_volume()
        with accepted.noted() as changes:
            with suppress(KeyError), accepted.attempt():
                accepted.note(None, volume, Operation.objects.get())
                raise KeyError
            accepted.note(volume, volume)
        self.assertEqual([change.operation for change in changes], [None])


class DocumentTests(VolumesCase):
    def test_a_copy_tells_its_bytes(self):
        volume, snapshot = self.a_volume("creating"), self.a_snapshot(status="creating")
        for row in (volume, snapshot):
            path = f"/operations/{row.operation_id}"
            self.assertIsNone(self.get(path).json()["progress"])
            type(row).objects.filter(pk=row.pk).update(copied=3, to_copy=9)
            self.assertEqual(self.get(path).json()["progress"], {"bytes_done": 3, "bytes": 9})
        self.assertEqual((Volume.objects.filter(copied=3).count(), Snapshot.objects.get().copied), (1, 3))

    def test_a_failure_tells_code_resource_and_what_to_do(self):
        volume = self.a_volume()
        why = reasons.full("fast", "No space left on device")
        Operation.objects.filter(resource_id=volume.pk).update(state="FAILED", reason=why)
        (listed,) = self.get("/operations").json()["operations"]
        expected = {"code": "no-space", "resource": "fast", "resource_type": "backend"}
        self.assertEqual({name: listed["failure"][name] for name in expected}, expected)
        self.assertTrue(listed["failure"]["next"])
        self.assertEqual(self.get(f"/operations/{listed['id']}").json()["failure"], listed["failure"])

    def test_waiting_is_bounded(self):
        path = f"/operations/{self.a_volume('creating').operation_id}"
        self.refused(self.get(f"{path}?wait=61"), 400, "from 0 to 60")
        self.assertEqual(self.get(f"{path}?wait=0").json()["state"], "IN_PROGRESS")
