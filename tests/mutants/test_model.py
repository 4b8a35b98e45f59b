"""The model of claims, leases and fences holds, and does not without a guard; `make model` looks at much more of it."""

from __future__ import annotations

import re
import unittest

from django.test import SimpleTestCase

from deploy import spin
from mutants import model


@unittest.skipUnless(spin.is_there(), f"needs {', '.join(spin.PACKAGES)}")
class ModelTests(SimpleTestCase):
    def test_it_holds_in_every_state(self) -> None:
        found = model.search("", faults=1)
        self.assertEqual((found.complete, found.violated), (True, ""))
        self.assertGreater(found.states, 10_000)

    def test_without_a_guard_it_fails(self) -> None:
        for variant, violated in (("NO_STORAGE_FENCE", "things<=1"), ("NO_SWEEP", "status")):
            found = model.search(variant, faults=2)
            self.assertIn(violated, found.violated)
            self.assertTrue(found.expected)


class VariantTests(SimpleTestCase):
    def test_each_guard_that_can_be_left_out_is_in_the_model_and_the_other_way_round(self) -> None:
        in_model = set(re.findall(r"^#ifn?def (NO_\w+)", model.MODEL.read_text(), re.MULTILINE))
        self.assertEqual(in_model, {name for name in model.VARIANTS if name})
