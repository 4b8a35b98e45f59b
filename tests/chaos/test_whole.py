"""The whole harness, once, with harm done by hand; that it finds well what is well, `chaos --short` shows each time."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from django.test import SimpleTestCase

from chaos.harms import HARMS
from deploy.state import DEFAULT, ROOT

SHORT = ["--duration", "0", "--clean", "8", "--seed", "1", "--calls", "20", "--clients", "4"]
HOME = DEFAULT / "chaos" / "test"
OWN = ("DATABASE_URL", "BROKER_URL", "OS_", "ROADSTEAD_")


class WholeTests(SimpleTestCase):
    def _run(self, *more: str) -> tuple[int, dict[str, object], str]:
        """Return how a run without faults ended, its summary and what it printed."""
        told = HOME / "told.json"
        told.unlink(missing_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        command = [sys.executable, "-m", "chaos", *SHORT, "--home", str(HOME), "--json", str(told), *more]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        self.assertTrue(told.exists(), done.stdout[-3000:] + done.stderr[-3000:])
        return done.returncode, json.loads(told.read_text()), done.stdout

    def test_each_harm_done_by_hand_is_seen(self) -> None:
        code, summary, said = self._run("--plant", ",".join(HARMS))
        self.assertEqual((code, summary["ok"]), (1, False), said[-5000:])
        planted = [line for line in said.splitlines() if line.startswith("planted ")]
        self.assertEqual(len(planted), len(HARMS), said)
        report = "\n".join(line for line in said.splitlines() if line not in planted)
        for line in planted:
            self.assertIn(line.split()[-1], report, f"{line}: not seen")
