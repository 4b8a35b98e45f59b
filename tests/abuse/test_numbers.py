"""Numbers that are none, or too many (13), in bodies and in queries of every service."""

from __future__ import annotations

from tests.abuse.base import BAYS, VOLUMES, AbuseCase

WRONG = (
    b"-1",
    b"1e9",
    b'"1e3"',
    b"NaN",
    b"Infinity",
    b"true",
    b"9223372036854775808",
    b"1.5",
    b'"\xd9\xa1"',
    b'""',
    b"1000000000000",
)
QUERIES = (
    "-1",
    "1e3",
    "NaN",
    "true",
    "9223372036854775808",
    "9" * 400,
    "%D9%A1",
    "0x10",
    "1_000",
    "+1",
    " 1",
)


class NumberTests(AbuseCase):
    def test_no_body_of_a_wrong_number_is_accepted(self):
        template, bay, volume = str(self.model.pk).encode(), self.bay.pk, self.volume.pk
        before = self.rows()
        for number in WRONG:
            for path, body in (
                (f"{BAYS}/clusters", b'{"cluster_template_id": "%s", "node_count": %s}' % (template, number)),
                (f"{BAYS}/bays", b'{"baymodel_id": "%s", "master_count": %s}' % (template, number)),
                (f"{BAYS}/clusters/{bay}/actions/resize", b'{"node_count": %s}' % number),
                (f"{VOLUMES}/volumes", b'{"volume": {"size": %s}}' % number),
                (f"{VOLUMES}/volumes/{volume}/action", b'{"os-extend": {"new_size": %s}}' % number),
            ):
                with self.subTest(path, number=number):
                    answer = self.send("POST", path, body)
                    self.assertIn(answer.status_code, {400, 403, 413}, answer.content)
        self.assertEqual(self.rows(), before)

    def test_no_query_of_a_wrong_number_is_a_fault(self):
        for path in ("clusters", "clustertemplates", "operations"):
            for number in QUERIES:
                answer = self.send("GET", f"{BAYS}/{path}?limit={number}")
                self.assertEqual(answer.status_code, 400, (path, number))
        for path in ("volumes", "snapshots/detail", "types", "attachments"):
            for number in QUERIES:
                for name in ("limit", "offset"):
                    answer = self.send("GET", f"{VOLUMES}/{path}?{name}={number}")
                    self.assertIn(answer.status_code, {200, 400}, (path, name, number))
