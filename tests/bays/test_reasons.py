"""What a sentence says: code, resource, advice."""

from __future__ import annotations

import uuid

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from bays import reasons
from clouds.errors import Unavailable, Undelegated


class ReasonTests(SimpleTestCase):
    def test_what_is_written_is_understood(self):
        for sentence, code in (
            (reasons.refused("no such image"), "heat-refused"),
            (reasons.silent(Unavailable("timed out")), "heat-silent"),
            (reasons.busy(), "heat-busy"),
            (reasons.silent(Undelegated("no such trust")), "delegation-lost"),
            (reasons.rolling_back(2, reasons.refused("no such image")), "rolling-back"),
            (reasons.rolled_back(0, reasons.missing(None)), "rolled-back"),
            (reasons.not_rolled_back("nodes.1 (a): b", "nodes.2 (a): c"), "rollback-failed"),
            (reasons.missing(uuid.uuid4()), "stack-missing"),
            (reasons.missing(None), "stack-missing"),
            (reasons.failed("nodes.1", "OS::Nova::Server", "no host"), "resource-failed"),
            ("Deadline passed: CREATE_IN_PROGRESS was not over by 2026-11-20 10:00:00 UTC.", "deadline"),
            ("Gave up after 5 attempts, none of which came to an end.", "gave-up"),
            ("the stack's output api_address is not an https URL", "output-invalid"),
            ("The stack is CREATE_FAILED and Heat gives no reason.", "stack-failed"),  # as it was once said
            ("Something else.", "other"),
        ):
            found = reasons.understood(sentence)
            assert found is not None
            self.assertEqual(found.code, code, sentence)
            self.assertTrue(found.advice)

    def test_a_failed_resource_is_named(self):
        failed = reasons.failed("a.0.b", "OS::Heat::TestResource", "x (y): z")
        for sentence in (
            failed,
            reasons.rolling_back(1, failed),
            reasons.rolled_back(1, failed),
            reasons.not_rolled_back(failed, "b (c): d"),
        ):
            found = reasons.understood(sentence)
            assert found is not None
            self.assertEqual((found.resource, found.resource_type), ("a.0.b", "OS::Heat::TestResource"))

    @given(st.text())
    def test_any_sentence_is_understood_somehow(self, sentence):
        self.assertEqual(reasons.understood(sentence) is None, sentence == "")
