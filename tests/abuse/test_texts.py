"""Texts that would be more than text (7, 12, 14): they are stored and shown as they came, or refused, never run."""

from __future__ import annotations

import json

from django.conf import settings
from django.test import override_settings

from bays.drivers.demo import DemoDriver
from bays.models import Bay, BayModel
from identity.models import User
from tests.abuse.base import BAYS, VOLUMES, AbuseCase
from tests.clouds import make_spec
from volumes.models import Volume

PROGRAMS = (
    "{{ 7 * 7 }}",
    "${jndi:ldap://127.0.0.1/x}",
    "$(touch /tmp/x)",
    "`id`",
    "!!python/object/apply:os.system ['id']",
    "get_file: file:///etc/passwd",
    "/dev/zero",
    "a\n- [sh, -c, id]",
    "%s%n",
)
NAMES = (
    "'; DROP TABLE volumes; --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "line\r\nSet-Cookie: a=b",
    "\u202egnp.exe",
    "\U0001f6a2",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@x",
    "\u0430dmin",
    " ",
)


@override_settings(VOLUME_QUOTAS={**settings.VOLUME_QUOTAS, "volumes": -1})
class TextTests(AbuseCase):
    def test_programs_in_labels_are_text(self):
        for text in PROGRAMS:
            labels = {"note": text}
            with self.subTest(text):
                body = {"coe": "demo", "image_id": "i", "labels": labels}
                made = self.send("POST", f"{BAYS}/clustertemplates", body)
                self.assertEqual((made.status_code, made.json()["labels"]), (201, labels))
                body = {"cluster_template_id": made.json()["uuid"], "labels": labels}
                self.assertEqual(self.send("POST", f"{BAYS}/clusters", body).status_code, 202)
                answer = self.send("POST", f"{VOLUMES}/volumes", {"volume": {"size": 1, "metadata": labels}})
                self.assertEqual(answer.json()["volume"]["metadata"], labels)
        self.assertEqual(BayModel.objects.filter(labels__has_key="note").count(), len(PROGRAMS))

    def test_a_users_text_is_no_part_of_a_template(self):
        """It reaches Heat as a parameter's value, which Heat does not read as a template, or not at all."""
        plain = DemoDriver().template(make_spec())
        for text in PROGRAMS:
            stack = DemoDriver().template(make_spec(name=text, labels={"boot_seconds": "0", "note": text}))
            self.assertEqual((stack.template, stack.files), (plain.template, plain.files))

    def test_names_come_back_as_they_went_in_and_break_out_of_nothing(self):
        for name in NAMES:
            with self.subTest(name):
                made = self.send("POST", f"{VOLUMES}/volumes", {"volume": {"size": 1, "name": name}})
                if made.status_code == 400:
                    continue
                shown = self.send("GET", f"{VOLUMES}/volumes/{made.json()['volume']['id']}")
                self.assertEqual(shown.json()["volume"]["name"], name)
                self.assertEqual(shown["Content-Type"], "application/json")
                self.assertNotIn("Set-Cookie", shown.headers)
        root = User.objects.create_superuser("root", password="a good password")
        self.client.force_login(root)
        page = self.client.get("/admin/volumes/volume/").content.decode()
        self.assertIn("&lt;script&gt;alert(1)", page)
        self.assertNotIn("<script>alert(1)", page)

    def test_names_are_of_a_certain_length_and_can_be_stored(self):
        for name in ("x" * 256, "x" * 900_000, "\x00", "a\x00b"):
            self.assertEqual(
                self.send("POST", f"{VOLUMES}/volumes", {"volume": {"size": 1, "name": name}}).status_code,
                400,
            )
            body = {"cluster_template_id": str(self.model.pk), "name": name}
            self.assertEqual(self.send("POST", f"{BAYS}/clusters", body).status_code, 400)

    def test_two_names_that_look_alike_are_two(self):
        for name in ("admin", "\u0430dmin"):
            self.send("POST", f"{VOLUMES}/volumes", {"volume": {"size": 1, "name": name}})
        found = self.send("GET", f"{VOLUMES}/volumes?name=admin").json()["volumes"]
        self.assertEqual(len(found), 1)

    def test_an_error_shows_no_machinery(self):
        """Whatever is wrong with a request: no trace, no statement, no path of ours."""
        for method, path, body in (
            ("POST", f"{VOLUMES}/volumes", b"{"),
            ("POST", f"{VOLUMES}/volumes", {"volume": {"size": {}}}),
            ("GET", f"{VOLUMES}/volumes?sort=x'", None),
            ("PATCH", f"{BAYS}/clusters/{self.bay.pk}", {"op": []}),
            ("GET", f"{BAYS}/clusters/%27", None),
        ):
            said = self.send(method, path, body).content.decode()
            for word in ("Traceback", "SELECT", "psycopg", ".py", "site-packages"):
                self.assertNotIn(word, said)
            json.loads(said)
        self.assertEqual((Bay.objects.count(), Volume.objects.count()), (1, 2))
