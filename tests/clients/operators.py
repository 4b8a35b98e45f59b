"""What operators type into `openstack` about volumes: types, quotas, services, pools."""

from __future__ import annotations

from identity.models import Project
from tests.clients.cinder import fields
from tests.clients.parts import Part


class Operators(Part):
    def test_the_life_of_a_type(self):
        made = self.asked("volume type create --public --description quick --property tier=ssd gold")
        self.assertEqual(
            (made["is_public"], made["description"], made["properties"]), (True, "quick", {"tier": "ssd"})
        )
        named = {row["Name"]: row["Is Public"] for row in self.told("volume type list")}
        self.assertEqual(named, {"__DEFAULT__": True, "gold": True})
        (row,) = self.told("volume type list --default")
        self.assertEqual(row["Name"], "__DEFAULT__")
        self.bid("volume type set --name platinum --description quicker --property size=big gold")
        self.bid("volume type unset --property tier platinum")
        shown = self.asked("volume type show", made["id"])
        self.assertEqual((shown["name"], shown["description"]), ("platinum", "quicker"))
        self.assertEqual(shown["properties"], {"size": "big"})
        self.complains("volume type create mine", of="type:change")

        self.typed("volume type create --private secret", user="admin")
        self.complains("volume type show secret", of="No Type found for secret")
        self.complains("volume create --size 1 --type secret x", of="Volume type secret could not be found")
        self.bid("volume type set --project demo secret")
        project = Project.objects.get(name="demo").pk
        self.assertEqual(self.asked("volume type show secret")["access_project_ids"], [project])
        self.assertEqual({row["Name"] for row in self.asked("volume type list --private")}, {"secret"})
        self.typed("volume create --size 1 --type secret mine")
        self.is_in("available", "mine")
        self.bid("volume type unset --project demo secret")
        self.assertNotIn("secret", {row["Name"] for row in self.told("volume type list")})
        self.complains("volume type delete secret", user="admin", of="is in use")
        self.complains("volume type set --property a=b secret", user="admin", of="is in use")
        self.quiet("volume delete mine")
        self.gone()
        self.bid("volume type delete secret platinum")
        self.assertEqual([row["Name"] for row in self.asked("volume type list")], ["__DEFAULT__"])

    def test_quotas_and_limits(self):
        def limits(*words: str, **who: str) -> dict[str, int]:
            return {row["Resource"]: row["Limit"] for row in self.told("quota show", *words, **who)}

        self.assertEqual((limits()["volumes"], limits()["gigabytes"]), (10, 1000))
        self.bid("quota set --volumes 1 --gigabytes 5 --snapshots 7 --per-volume-gigabytes 4 demo")
        found = limits("demo", user="admin")
        self.assertEqual((found["volumes"], found["gigabytes"], found["snapshots"]), (1, 5, 7))
        self.assertEqual(found["per-volume-gigabytes"], 4)
        (row,) = self.asked("quota list --volume")
        self.assertEqual((row["Volumes"], row["Gigabytes"]), (1, 5))
        self.complains("volume create --size 5 x", of="413")
        self.typed("volume create --size 2 one")
        self.complains("volume create --size 1 x", of="Quota exceeded for volumes")
        used = {row["Resource"]: row for row in self.told("quota show --volume --usage")}
        self.assertEqual((used["volumes"]["In Use"], used["gigabytes"]["In Use"]), (1, 2))
        absolute = {row["Name"]: row["Value"] for row in self.told("limits show --absolute")}
        self.assertEqual((absolute["max_total_volumes"], absolute["total_volumes_used"]), (1, 1))
        self.assertEqual(absolute["total_gigabytes_used"], 2)
        self.complains("quota set --volumes 5 demo", of="quota:change")
        self.bid("quota delete --volume demo")
        self.assertEqual(limits("--default")["volumes"], 10)
        self.assertEqual(limits()["volumes"], 10)

    def test_services_and_pools(self):
        self.complains("volume service list", of="service:list")
        services = {(row["Binary"], row["Host"]): row for row in self.asked("volume service list --long")}
        self.assertEqual(
            set(services),
            {
                ("cinder-scheduler", "client-tests"),
                ("cinder-volume", "client-tests@fast"),
                ("cinder-volume", "client-tests@slow"),
                ("cinder-volume", "roadstead@fast"),
                ("cinder-volume", "roadstead@slow"),
            },
        )
        states = {(row["Status"], row["State"]) for row in services.values()}
        self.assertEqual(states, {("enabled", "up")})

        for name in ("fast", "slow"):
            self.bid(f"volume service set --disable --disable-reason works roadstead@{name} cinder-volume")
        (row,) = self.asked("volume service list --long --host roadstead@fast")
        self.assertEqual((row["Status"], row["Disabled Reason"]), ("disabled", "works"))
        # An API process remembers for a second what pools are like.
        self.until(
            lambda: (
                "503" in (said := self.typed("volume create --size 1 x", user="admin")) and "works" in said
            ),
            "no back-end takes a volume, and operators are told why",
        )
        for name in ("fast", "slow"):
            self.bid(f"volume service set --enable roadstead@{name} cinder-volume")
        self.until(lambda: '"creating"' in self.typed("volume create --size 1 y -f json"), "they take one")

        self.complains("volume backend pool list", of="pool:list")
        pools = {row["Name"]: row["Capabilities"] for row in self.asked("volume backend pool list --long")}
        self.assertEqual(set(pools), set(self.pools))
        self.assertEqual({each["backend_state"] for each in pools.values()}, {"up"})
        shown = {
            row["Key"]: row["Description"]
            for row in self.asked("volume backend capability show roadstead@fast")
        }
        self.assertEqual(str(shown["volume_backend_name"]), "fast")
        (zone,) = self.told("availability zone list --volume")
        self.assertEqual(zone, {"Zone Name": "nova", "Zone Status": "available"})
        clusters = {row["Name"]: row["State"] for row in self.asked("block storage cluster list")}
        self.assertEqual(clusters, {"roadstead@fast": "up", "roadstead@slow": "up"})

    def test_a_message_says_why_a_volume_failed(self):
        """Of the volume API's versions the client takes the first, which knows no messages, unless told."""
        self.complains("volume message list", of="it is there from version 3.3 on")
        self.typed("volume create --size 1 disk")
        self.is_in("available", "disk")
        (file,) = self.stored()
        file.unlink()
        self.typed("volume snapshot create --volume disk lost")
        self.is_in("error", "lost")
        (row,) = self.told("volume message list", version="3.3")
        self.assertEqual((row["Resource Type"], row["Message Level"]), ("VOLUME_SNAPSHOT", "ERROR"))
        self.assertIn("snapshot", row["User Message"])
        shown = fields(self.cinder("message-show", row["ID"]))  # `openstack` looks for it in the wrong place
        self.assertEqual(shown["user_message"], row["User Message"])
        self.quiet("volume message delete", row["ID"], version="3.3")
        self.assertEqual(self.told("volume message list", version="3.3"), [])
