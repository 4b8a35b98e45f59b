"""What users and operators type into `cinder`, and what they are told."""

from __future__ import annotations

import uuid

from identity.models import Project
from tests.clients.parts import Part


def fields(said: str) -> dict[str, str]:
    """Return what a table of two columns says."""
    rows = (row for row in rows_of(said) if len(row) == 2)
    return {name: value for name, value in rows if name}


def rows_of(said: str) -> list[list[str]]:
    """Return the rows of a table, without its head."""
    lines = [line for line in said.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


class Cinder(Part):
    def test_cinder_takes_a_volume_through_its_life(self):
        self.typed("volume create --size 1 --property a=b disk")
        self.is_in("available", "disk")
        made = fields(self.cinder("create", "1", "--name", "data", "--metadata", "a=b", "--poll"))
        self.assertEqual((made["name"], made["size"], made["volume_type"]), ("data", "1", "__DEFAULT__"))
        shown = fields(self.cinder("show", "data"))
        self.assertEqual(
            (shown["id"], shown["status"], shown["metadata"]), (made["id"], "available", "a : b")
        )
        listed = {row[2]: row[1] for row in rows_of(self.cinder("list"))}
        self.assertEqual(listed, {"data": "available", "disk": "available"})
        self.assertEqual(self.cinder("extend", "data", "2"), "")
        self.is_in("available", "data")
        self.assertEqual(fields(self.cinder("show", "data"))["size"], "2")

        snapshot = fields(self.cinder("snapshot-create", "data", "--name", "before"))
        self.assertEqual((snapshot["volume_id"], snapshot["size"]), (made["id"], "2"))
        self.is_in("available", "before")
        ((ident, volume, status, name, *_),) = rows_of(self.cinder("snapshot-list"))
        self.assertEqual((ident, volume, status, name), (snapshot["id"], made["id"], "available", "before"))
        clone = fields(self.cinder("create", "--snapshot-id", snapshot["id"], "--name", "clone"))
        self.assertEqual((clone["snapshot_id"], clone["size"]), (snapshot["id"], "2"))
        self.is_in("available", "clone")
        self.assertIn("its snapshots would be left: 1", self.cinder("delete", "data", fails=True))
        self.cinder("snapshot-delete", "before")

        self.assertIn("volume:reset", self.cinder("reset-state", "--state", "error", "clone", fails=True))
        self.cinder("reset-state", "--state", "error", "clone", user="admin")
        self.assertEqual(fields(self.cinder("show", "clone"))["status"], "error")
        self.assertIn("accepted", self.cinder("delete", "--cascade", "data", "disk", "clone"))
        self.gone()

    def test_cinder_gives_a_volume_to_a_server(self):
        self.typed("volume create --size 1 disk")
        self.is_in("available", "disk")
        volume, server = fields(self.cinder("show", "disk"))["id"], str(uuid.uuid4())
        made = fields(self.cinder("attachment-create", volume, server))
        self.assertEqual((made["status"], made["instance"]), ("reserved", server))
        host = ("--host", "compute1", "--ip", "10.0.0.1", "--initiator", "iqn.2026-11.org.example:1")
        said = fields(self.cinder("attachment-update", made["id"], *host, "--mountpoint", "/dev/vdb"))
        self.assertEqual(said["driver_volume_type"], "local")
        self.assertEqual(said["device_path"].rpartition("/")[2], volume)
        self.cinder("attachment-complete", made["id"])
        ((_, found, status, user),) = rows_of(self.cinder("attachment-list"))
        self.assertEqual((found, status, user), (volume, "attached", server))
        self.assertEqual(fields(self.cinder("show", "disk"))["attached_servers"], f"['{server}']")
        self.cinder("attachment-delete", made["id"], user="admin")
        self.assertEqual(rows_of(self.cinder("attachment-list")), [])
        self.is_in("available", "disk")

    def test_cinder_gives_a_volume_to_another_project(self):
        self.typed("volume create --size 1 gift")
        self.is_in("available", "gift")
        offer = fields(self.cinder("transfer-create", "gift", "--name", "offer"))
        ((ident, volume, name),) = rows_of(self.cinder("transfer-list"))
        self.assertEqual((ident, volume, name), (offer["id"], offer["volume_id"], "offer"))
        said = fields(self.cinder("transfer-accept", offer["id"], offer["auth_key"], project="alt"))
        self.assertEqual(said["volume_id"], offer["volume_id"])
        self.assertEqual(rows_of(self.cinder("list")), [])
        ((ident, status, *_),) = rows_of(self.cinder("list", project="alt"))
        self.assertEqual((ident, status), (offer["volume_id"], "available"))

    def test_cinder_shows_operators_what_they_look_at(self):
        self.assertEqual([row[1] for row in rows_of(self.cinder("type-list"))], ["__DEFAULT__"])
        project = Project.objects.get(name="demo").pk
        quota = fields(self.cinder("quota-show", project))
        self.assertEqual((quota["volumes"], quota["gigabytes"]), ("10", "1000"))
        changed = fields(self.cinder("quota-update", project, "--volumes", "12", user="admin"))
        self.assertEqual(changed["volumes"], "12")
        hosts = {(row[0], row[1], row[4]) for row in rows_of(self.cinder("service-list", user="admin"))}
        self.assertIn(("cinder-scheduler", "client-tests", "up"), hosts)
        self.assertIn(("cinder-volume", "client-tests@fast", "up"), hosts)
        pools = [row[1] for row in rows_of(self.cinder("get-pools", user="admin")) if row[0] == "name"]
        self.assertEqual(sorted(pools), sorted(self.pools))
        self.assertIn("pool:list", self.cinder("get-pools", fails=True))
