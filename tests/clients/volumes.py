"""What users of volumes type into `openstack`, and what they are told."""

from __future__ import annotations

import uuid

from tests.clients.parts import Part
from volumes.models import Snapshot

SHOWN = "volume show -c status -c size -c description -c properties -c bootable -c type"


class Volumes(Part):
    def test_it_creates_a_volume_in_every_form(self):
        self.typed("volume type create hdd --property volume_backend_name=slow", user="admin")
        made = self.told("volume create --size 1 blank")
        self.assertEqual((made["name"], made["size"], made["status"]), ("blank", 1, "creating"))
        self.assertEqual((made["type"], made["bootable"], made["attachments"]), ("__DEFAULT__", False, []))
        other = self.told(
            "volume create --size 1 --type hdd --property a=1 --property b=2 --availability-zone nova full"
        )
        self.assertEqual(
            (other["type"], other["properties"], other["availability_zone"]),
            ("hdd", {"a": "1", "b": "2"}, "nova"),
        )
        # The client waits until it is available and only then says the rest.
        self.typed("volume create --size 1 --bootable --read-only boot")
        shown = self.told("volume show boot")
        self.assertEqual((shown["bootable"], shown["properties"]), (True, {"readonly": "True"}))
        self.is_in("available", "blank", "full")

        snapshot = self.told("volume snapshot create --volume blank before")
        self.assertEqual((snapshot["volume_id"], snapshot["status"]), (made["id"], "creating"))
        self.is_in("available", "before")
        clone = self.told("volume create --snapshot before --size 2 from-snapshot")
        self.assertEqual((clone["snapshot_id"], clone["size"]), (snapshot["id"], 2))
        clone = self.told("volume create --source blank from-volume")
        self.assertEqual((clone["source_volid"], clone["size"]), (made["id"], 1))
        for hint in ("same_host", "different_host"):
            self.told(f"volume create --size 1 --hint {hint}={made['id']} {hint}")
        self.is_in("available", "from-snapshot", "from-volume", "same_host", "different_host")

        shown = {row["Name"]: row for row in self.told("volume list --long")}
        self.assertEqual(shown["full"]["Type"], "hdd")
        self.assertEqual({row["Status"] for row in shown.values()}, {"available"})
        hosts = {
            name: self.asked(f"volume show {name}")["os-vol-host-attr:host"]
            for name in ("blank", "full", "same_host", "different_host")
        }
        self.assertIn(hosts["blank"], self.pools)
        self.assertEqual(hosts["full"], "roadstead@slow#one")
        homes = {name: host.partition("#")[0] for name, host in hosts.items()}
        self.assertEqual(homes["same_host"], homes["blank"])
        self.assertNotEqual(homes["different_host"], homes["blank"])

        for words, said in (
            ("--type nope", "Volume type nope could not be found"),
            ("--availability-zone nope", "No valid back-end was found"),
            ("--size 2000", "Quota exceeded for gigabytes: asked for 2000, and"),
            (f"--snapshot {uuid.uuid4()}", "No Snapshot found for"),
        ):
            self.complains("volume create x --size 1", words, of=said)
        self.complains("volume create --size 1 x", user="reader", of="volume:create")
        elsewhere = "volume create x --size 1 --availability-zone nope"
        self.complains(elsewhere, user="admin", of="fast#one: it is in zone nova")
        self.assertNotIn("fast#one", self.typed(elsewhere))
        self.quiet("volume delete --cascade", *shown)
        self.gone()

    def test_it_lists_the_volumes_that_are_asked_for(self):
        for name in ("one", "two", "three"):
            self.typed(f"volume create --size 1 --property name={name} {name}")
        self.is_in("available", "one", "two", "three")
        every = [row["ID"] for row in self.told("volume list")]
        self.assertEqual([row["Name"] for row in self.told("volume list")], ["three", "two", "one"])
        for words, names in (
            ("--name two", ["two"]),
            ("--property name=one", ["one"]),
            ("--status available", ["three", "two", "one"]),
            ("--status error", []),
            ("--limit 1", ["three", "two", "one"]),  # the client asks for the next page until there is none
            (f"--limit 1 --marker {every[1]}", ["one"]),
            ("--all-projects", ["three", "two", "one"]),
        ):
            found = self.told("volume list", words)
            self.assertEqual([row["Name"] for row in found], names, words)
        self.typed("volume create --size 1 theirs", user="admin", project="alt")
        named = {row["Name"] for row in self.asked("volume list --all-projects")}
        self.assertEqual(named, {"one", "two", "three", "theirs"})
        named = {row["Name"] for row in self.asked("volume list --project alt")}
        self.assertEqual(named, {"theirs"})
        self.assertEqual(self.told("volume list --name theirs"), [])
        self.complains("volume show theirs", of="No Volume found for theirs")
        self.assertEqual(self.told(f"volume show {every[0]}")["name"], "three")
        self.complains(f"volume list --marker {uuid.uuid4()}", of="could not be found")
        summary = self.told("volume summary")
        self.assertEqual((summary["Total Count"], summary["Total Size"]), (3, 3))
        self.assertEqual(summary["Metadata"], {"name": ["one", "three", "two"]})
        self.assertEqual(self.asked("volume summary --all-projects")["Total Count"], 4)

    def test_it_changes_and_deletes_a_volume(self):
        self.typed("volume create --size 1 --property a=1 disk")
        self.is_in("available", "disk")
        self.quiet("volume set --name data --size 3 --description mine --property b=2 disk")
        self.is_in("available", "data")
        self.quiet("volume set --bootable data")
        self.quiet("volume unset --property a data")
        shown = self.told(SHOWN, "data")
        self.assertEqual((shown["size"], shown["description"], shown["bootable"]), (3, "mine", True))
        self.assertEqual(shown["properties"], {"b": "2"})
        self.complains("volume set --size 2 data", of="New size must be greater than 3 GB")
        self.complains("volume set --state error data", of="volume:reset")
        self.complains("volume delete --force data", of="volume:force_delete")
        self.complains("volume delete data", user="reader", of="volume:delete")

        self.bid("volume set --state error data")
        self.complains("volume snapshot create --volume data x", of="whose status is error")
        self.bid("volume set --state available data")
        self.typed("volume snapshot create --volume data kept")
        self.is_in("available", "kept")
        self.complains("volume delete data", of="its snapshots would be left: 1")
        self.quiet("volume revert kept")
        self.is_in("available", "data")

        self.quiet("volume delete --purge data")  # as older versions of the client named --cascade
        self.gone()
        self.typed("volume create --size 1 last")
        self.is_in("available", "last")
        self.complains("volume delete last nothing", of="1 of 2 volumes failed to delete")
        self.gone()
        self.assertEqual(self.told("volume list"), [])

    def test_an_admin_may_delete_whatever_its_state(self):
        self.typed("volume create --size 1 stuck")
        self.is_in("available", "stuck")
        self.bid("volume set --state creating stuck")
        self.complains("volume delete stuck", of="whose status is creating")
        self.bid("volume delete --force stuck")
        self.gone()

    def test_the_life_of_a_snapshot(self):
        made = self.told("volume create --size 1 disk")
        self.is_in("available", "disk")
        self.typed("volume snapshot create --volume disk --description why --property a=1 one")
        self.is_in("available", "one")
        (row,) = self.told("volume snapshot list --long --volume disk --status available --name one")
        self.assertEqual((row["Volume"], row["Description"]), (made["id"], "why"))
        self.assertEqual(row["Properties"], {"a": "1"})
        self.assertEqual(self.told("volume snapshot list --name other"), [])
        self.quiet("volume snapshot set --name two --description because --property b=2 one")
        self.quiet("volume snapshot unset --property a two")
        shown = self.told("volume snapshot show two")
        self.assertEqual(
            (shown["status"], shown["size"], shown["description"], shown["properties"]),
            ("available", 1, "because", {"b": "2"}),
        )
        self.complains("volume snapshot set --state error two", of="snapshot:reset")
        self.bid("volume snapshot set --state error two")
        self.assertEqual(self.told("volume snapshot show two")["status"], "error")
        self.complains("volume create --snapshot two x", of="whose status is error")
        self.quiet("volume snapshot delete two")
        self.until(lambda: not Snapshot.objects.exists(), "the snapshot is gone")
        self.quiet("volume delete disk")
        self.gone()

    def test_a_volume_goes_to_another_project(self):
        made = self.told("volume create --size 1 gift")
        self.is_in("available", "gift")
        offer = self.told("volume transfer request create --name offer gift")
        self.assertEqual(self.told("volume show gift")["status"], "awaiting-transfer")
        (row,) = self.told("volume transfer request list")
        self.assertEqual((row["ID"], row["Name"], row["Volume"]), (offer["id"], "offer", made["id"]))
        self.assertEqual(self.told("volume transfer request show offer")["volume_id"], made["id"])
        self.complains("volume delete gift", of="whose status is awaiting-transfer")
        self.quiet("volume transfer request delete", offer["id"])
        self.assertEqual(self.told("volume show gift")["status"], "available")

        offer = self.told("volume transfer request create --no-snapshots gift")
        accept = f"volume transfer request accept {offer['id']} --auth-key"
        self.complains(accept, "wrong", project="alt", of="invalid auth key")
        accepted = self.told(accept, offer["auth_key"], project="alt")
        self.assertEqual(accepted["volume_id"], made["id"])
        self.assertEqual(self.told("volume list"), [])
        (row,) = self.told("volume list", project="alt")
        self.assertEqual((row["ID"], row["Status"]), (made["id"], "available"))
        self.complains(accept, offer["auth_key"], of="could not be found")

    def test_a_server_uses_a_volume(self):
        """`openstack volume attachment create` asks the compute service for the server: another client makes it."""
        made = self.told("volume create --size 1 disk")
        self.is_in("available", "disk")
        server = str(uuid.uuid4())
        complaint = "public endpoint for compute service"
        self.complains(f"volume attachment create disk --server {server}", of=complaint)
        self.cinder("attachment-create", made["id"], server)
        (row,) = self.told("volume attachment list")
        self.assertEqual(
            (row["Volume ID"], row["Server ID"], row["Status"]), (made["id"], server, "reserved")
        )
        attachment = row["ID"]
        self.assertEqual(self.told("volume show disk")["status"], "reserved")
        connector = (
            "--host compute1 --ip 10.0.0.1 --initiator iqn.2026-11.org.example:1 --mountpoint /dev/vdb"
        )
        connected = self.told("volume attachment set", connector, attachment)
        path = str(connected["Properties"])
        self.assertIn(f"{self.home}", path)
        self.assertIn(f"volumes/{made['id']}", path)
        self.quiet("volume attachment complete", attachment)
        shown = self.told("volume attachment show", attachment)
        self.assertEqual((shown["Status"], shown["Instance ID"]), ("attached", server), shown)
        shown = self.told("volume show disk")
        self.assertEqual((shown["status"], shown["attachments"][0]["device"]), ("in-use", "/dev/vdb"))
        self.complains("volume delete disk", of="whose status is in-use")
        self.complains("volume attachment delete", attachment, of="409")
        self.typed("volume attachment delete", attachment, user="admin")
        self.is_in("available", "disk")
        self.assertEqual(self.told("volume attachment list"), [])
