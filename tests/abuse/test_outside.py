"""Addresses and images that a user names (5, 6): nothing is fetched and nothing is opened, whatever they are.

There is no image service: an image's id is refused in a new volume, and in a bay it is Heat's to look up. A volume's
bytes are never taken for a format: back-ends store them raw, and run no tool that would look for a header.
"""

from __future__ import annotations

import ast
from pathlib import Path
from unittest.mock import patch

from project.env import BASE_DIR
from tests.abuse.base import BAYS, VOLUMES, AbuseCase

ADDRESSES = (
    "http://127.0.0.1:1/",
    "http://[::1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://good.example@127.0.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
)


class OutsideTests(AbuseCase):
    def test_no_address_that_a_user_gives_is_asked(self):
        template = str(self.model.pk)
        with patch("socket.socket.connect", side_effect=AssertionError("a connection was made")):
            for address in ADDRESSES:
                for path, body in (
                    (f"{BAYS}/clusters", {"cluster_template_id": template, "discovery_url": address}),
                    (f"{BAYS}/clustertemplates", {"coe": "demo", "image_id": address, "http_proxy": address}),
                    (
                        f"{BAYS}/clustertemplates",
                        {"coe": "demo", "image_id": "i", "insecure_registry": address},
                    ),
                    (f"{VOLUMES}/volumes", {"volume": {"size": 1, "imageRef": address}}),
                ):
                    with self.subTest(path, address=address):
                        self.send("POST", path, body)

    def test_no_image_is_read(self):
        before = self.rows()
        for image in ("5f2a1a0e-4c55-4f0e-9a44-4f6f6c0d4c11", *ADDRESSES):
            answer = self.send("POST", f"{VOLUMES}/volumes", {"volume": {"size": 1, "imageRef": image}})
            self.assertIn(answer.status_code, {400, 404})
        self.assertEqual(self.rows(), before)

    def test_no_back_end_runs_a_program(self):
        for file in Path(BASE_DIR, "volumes", "backends").rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import | ast.ImportFrom)
                    else []
                )
                module = node.module if isinstance(node, ast.ImportFrom) else None
                self.assertNotIn("subprocess", [*names, module], file.name)
