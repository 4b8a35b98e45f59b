"""Other tenants' things (1, 2, 8, 20): they are not there, to the last byte and the last statement."""

from __future__ import annotations

import re
import uuid

from django.db import connection
from django.test.utils import CaptureQueriesContext

from lifecycle.models import Operation
from tests.abuse.base import BAYS, VOLUMES, AbuseCase

LISTS = (
    f"{BAYS}/clusters",
    f"{BAYS}/bays/detail",
    f"{BAYS}/clustertemplates",
    f"{BAYS}/operations",
    f"{VOLUMES}/volumes/detail",
    f"{VOLUMES}/snapshots/detail",
    f"{VOLUMES}/attachments/detail",
    f"{VOLUMES}/messages",
    f"{VOLUMES}/operations",
    f"{VOLUMES}/volume-transfers/detail",
)


class TenantTests(AbuseCase):
    def told(self, method, path, ident, **headers):
        """Return all that eve learns: status, body and headers without what differs by itself; and the statements."""
        with CaptureQueriesContext(connection) as statements:
            answer = self.send(method, path.format(ident), by="eve", **headers)
        text = re.sub(r"req-[0-9a-f-]{36}", "req", answer.content.decode()).replace(str(ident), "ID")
        headers = {name: value for name, value in answer.headers.items() if name != "x-openstack-request-id"}
        return answer.status_code, text, headers, [query["sql"].split(" WHERE ")[0] for query in statements]

    def test_another_tenants_thing_is_told_from_one_that_is_not_there_by_nothing(self):
        for path, row in self.things().items():
            for method in ("GET", "DELETE") if path.count("{}") and path.endswith("{}") else ("GET",):
                for headers in ({}, {"If-Match": '"x"'}, {"If-None-Match": "*"}):
                    if "If-Match" in headers and path.startswith(f"{BAYS}/certificates"):
                        continue
                    with self.subTest(path, method=method, headers=headers):
                        self.told(method, path, uuid.uuid4())  # the token is looked up once
                        foreign = self.told(method, path, row.pk, **headers)
                        unknown = self.told(method, path, uuid.uuid4(), **headers)
                        self.assertEqual(foreign, unknown)
                        self.assertIn(foreign[0], {400, 404, 405})

    def test_nor_is_its_name(self):
        for path in (f"{BAYS}/clusters/bay1", f"{BAYS}/clustertemplates/small"):
            self.assertEqual(self.send("GET", path, by="eve").status_code, 404)

    def test_lists_hold_ones_own_whatever_is_asked(self):
        self.assertTrue(Operation.objects.exists())
        odd = f"project_id={self.blue.pk}&tenant_id={self.blue.pk}&user_id={self.bob.pk}"
        for path in LISTS:
            for query in (
                "",
                "all_tenants=1",
                "all_projects=1",
                odd,
                "all_tenants=True&project_id=" + self.blue.pk,
            ):
                with self.subTest(path, query=query):
                    answer = self.send("GET", f"{path}?{query}", by="eve")
                    if answer.status_code in {400, 403}:
                        continue
                    self.assertEqual(answer.status_code, 200)
                    for secret in (self.blue.pk, self.bob.pk, str(self.bay.pk), str(self.volume.pk)):
                        self.assertNotIn(secret, answer.content.decode().replace(odd, ""))

    def test_a_marker_of_anothers_is_unknown(self):
        for path, row in (("clusters", self.bay), ("clustertemplates", self.model)):
            self.assertEqual(self.send("GET", f"{BAYS}/{path}?marker={row.pk}", by="eve").status_code, 404)
        for path, row in (("volumes", self.volume), ("snapshots", self.snapshot)):
            self.assertEqual(self.send("GET", f"{VOLUMES}/{path}?marker={row.pk}", by="eve").status_code, 404)

    def test_nothing_is_made_of_what_is_anothers(self):
        for path, body in (
            (f"{BAYS}/clusters", {"cluster_template_id": str(self.model.pk)}),
            (f"{VOLUMES}/volumes", {"volume": {"source_volid": str(self.volume.pk)}}),
            (f"{VOLUMES}/volumes", {"volume": {"snapshot_id": str(self.snapshot.pk)}}),
            (f"{VOLUMES}/snapshots", {"snapshot": {"volume_id": str(self.volume.pk)}}),
            (f"{VOLUMES}/volume-transfers", {"transfer": {"volume_id": str(self.volume.pk)}}),
            (
                f"{VOLUMES}/attachments",
                {"attachment": {"volume_uuid": str(self.volume.pk), "instance_uuid": str(uuid.uuid4())}},
            ),
        ):
            before = self.rows()
            with self.subTest(body):
                self.assertIn(self.send("POST", path, body, by="eve").status_code, {400, 404})
            self.assertEqual(self.rows(), before)

    def test_nobody_gives_away_or_takes_by_an_attribute(self):
        """What only we set is refused, or, in a new volume, passed over as Cinder does; it is never set."""
        ours = {
            "project_id": self.red.pk,
            "user_id": self.eve.pk,
            "status": "CREATE_COMPLETE",
            "stack_id": "x",
            "epoch": 7,
            "holder": str(uuid.uuid4()),
            "host": "x@y#z",
            "os-vol-tenant-attr:tenant_id": self.red.pk,
            "migration_status": "x",
            "scheduler_hints": {"same_host": ["x"]},
        }
        for name, value in ours.items():
            with self.subTest(name):
                body = {"cluster_template_id": str(self.model.pk), name: value}
                self.assertEqual(self.send("POST", f"{BAYS}/clusters", body).status_code, 400)
                patch = [{"op": "replace", "path": f"/{name}", "value": value}]
                self.assertEqual(self.send("PATCH", f"{BAYS}/clusters/{self.bay.pk}", patch).status_code, 400)
                self.send(
                    "PUT", f"{VOLUMES}/volumes/{self.volume.pk}", {"volume": {"name": "v", name: value}}
                )
                made = self.send("POST", f"{VOLUMES}/volumes", {"volume": {"size": 1, name: value}})
                if made.status_code == 202:
                    shown = made.json()["volume"]
                    self.assertEqual((shown["status"], shown["user_id"]), ("creating", self.bob.pk))
                self.volume.refresh_from_db()
                self.assertEqual(
                    (self.volume.project_id, self.volume.user_id, self.volume.status, self.volume.epoch),
                    (self.blue.pk, self.bob.pk, "available", self.volume.epoch),
                )
