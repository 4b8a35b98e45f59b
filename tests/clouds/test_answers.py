"""Answers of Heat that are not what its API promises."""

import copy
import json
import uuid
from typing import Any

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from clouds import answers
from clouds.errors import REASON_LIMIT

STACK: dict[str, Any] = {
    "id": "5f2a1a0e-4c55-4f0e-9a44-4f6f6c0d4c11",
    "stack_name": "one",
    "stack_status": "UPDATE_IN_PROGRESS",
    "stack_status_reason": "Stack UPDATE started",
    "creation_time": "2026-01-01T00:00:00Z",
    "updated_time": None,
    "tags": ["a", "b"],
    "parameters": {"node_count": "3"},
    "outputs": [{"output_key": "api_address", "output_value": "https://10.0.0.1:6443"}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def failed(
    name, *, owner, thing="", at="2026-01-01T00:00:00Z", reason="broken", kind="OS::Heat::TestResource"
):
    return {
        "resource_name": name,
        "resource_type": kind,
        "resource_status": "CREATE_FAILED",
        "resource_status_reason": reason,
        "physical_resource_id": thing,
        "updated_time": at,
        "links": [{"rel": "stack", "href": f"http://heat/v1/p/stacks/some-name/{owner}"}],
    }


def cause(listed):
    """Return the first failure, of which there must be one."""
    failure = answers.first_failure(listed)
    assert failure is not None
    return failure


class CountTest(SimpleTestCase):
    def test_it_is_a_number_of_what_was_asked_for(self):
        self.assertEqual(
            [answers.count({"stacks": [], "count": each}, 90) for each in (0, 7, 90)], [0, 7, 90]
        )

    def test_all_else_is_refused(self):
        for body in (
            {},
            {"count": None},
            {"count": "7"},
            {"count": 7.0},
            {"count": True},
            {"count": -1},
            {"count": 91},
            [7],
        ):
            with self.subTest(body), self.assertRaises(ValueError):
                answers.count(body, 90)


class StackTest(SimpleTestCase):
    def test_it_reads_every_field(self):
        stack = answers.stack(STACK)
        self.assertEqual(stack.id, uuid.UUID(STACK["id"]))
        self.assertEqual(
            (stack.state, stack.action, stack.status), ("UPDATE_IN_PROGRESS", "UPDATE", "IN_PROGRESS")
        )
        self.assertEqual((stack.tags, stack.updated_at), (("a", "b"), None))
        self.assertEqual(stack.parameters["node_count"], "3")
        self.assertEqual(stack.outputs["api_address"], "https://10.0.0.1:6443")

    def test_its_reason_is_fit_to_be_shown(self):
        stack = answers.stack(
            {**STACK, "stack_status_reason": "login with password=hunter2 failed\n" + "x" * 9999}
        )
        self.assertNotIn("hunter2", stack.reason)
        self.assertLessEqual(len(stack.reason), REASON_LIMIT)

    def test_it_refuses_a_stack_without_what_we_lean_on(self):
        for key in ("id", "stack_name", "stack_status", "creation_time"):
            with self.subTest(key), self.assertRaises(ValueError):
                answers.stack({name: value for name, value in STACK.items() if name != key})

    def test_it_refuses_a_status_that_it_does_not_know(self):
        for status in ("", "CREATE", "CREATE_", "_COMPLETE", "CREATE_DONE", "create_COMPLETE", "COMPLETE"):
            with self.subTest(status), self.assertRaises(ValueError):
                answers.stack({**STACK, "stack_status": status})

    @given(st.sampled_from(sorted(STACK)), JSON)
    def test_a_wrong_field_is_a_value_error_and_nothing_else(self, key, value):
        raw = copy.deepcopy(STACK)
        raw[key] = value
        try:
            stack = answers.stack(raw)
        except ValueError:
            return
        self.assertIn(stack.status, {"IN_PROGRESS", "COMPLETE", "FAILED"})
        json.dumps([stack.name, stack.reason, stack.tags, stack.created_at, stack.updated_at])

    @given(JSON)
    def test_any_other_answer_is_a_value_error(self, raw):
        for read in (answers.stack, answers.created_id):
            with self.assertRaises(ValueError):
                read(raw)


class FirstFailureTest(SimpleTestCase):
    def test_it_goes_down_to_the_resource_that_broke(self):
        listed = [
            failed("nodes", owner="s0", thing="s1", at="2026-01-01T00:00:00Z"),
            failed("2", owner="s1", thing="s2", at="2026-01-01T00:00:00Z"),
            failed("boot", owner="s2", at="2026-01-01T00:00:09Z", reason="no disk"),
        ]
        failure = cause(listed)
        self.assertEqual((failure.resource, failure.reason), ("nodes.2.boot", "no disk"))

    def test_it_takes_the_first_of_several(self):
        listed = [
            failed("b", owner="s0", at="2026-01-01T00:00:02Z"),
            failed("a", owner="s0", at="2026-01-01T00:00:01Z"),
        ]
        self.assertEqual(cause(listed).resource, "a")

    def test_what_was_cancelled_is_not_the_cause(self):
        listed = [
            failed(
                "a", owner="s0", at="2026-01-01T00:00:01Z", reason="CREATE aborted (Task create cancelled)"
            ),
            failed("b", owner="s0", at="2026-01-01T00:00:02Z", reason="no disk"),
        ]
        self.assertEqual(cause(listed).resource, "b")

    def test_a_nested_stack_that_broke_by_itself_is_the_cause(self):
        self.assertEqual(cause([failed("nodes", owner="s0", thing="s1")]).resource, "nodes")

    def test_rings_end(self):
        listed = [failed("a", owner="s1", thing="s0"), failed("b", owner="s0", thing="s1")]
        self.assertIsNone(answers.first_failure(listed))

    def test_nothing_failed(self):
        self.assertIsNone(answers.first_failure([]))

    @given(st.lists(JSON, min_size=1))
    def test_any_other_answer_is_a_value_error(self, raw):
        with self.assertRaises(ValueError):
            answers.first_failure(raw)
