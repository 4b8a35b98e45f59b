from typing import Any

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from api.patch import Patchable
from api.problems import BadRequest

RULES = Patchable(
    changeable=frozenset({"node_count", "labels", "keypair"}),
    internal=frozenset({"uuid"}),
    mandatory=frozenset({"name", "node_count"}),
)
BAY: dict[str, Any] = {
    "uuid": "u",
    "name": "n",
    "node_count": 1,
    "labels": {"a": "1"},
    "keypair": None,
    "coe": "kubernetes",
}


def op(op, path, *value):
    return {"op": op, "path": path, **({"value": value[0]} if value else {})}


class PatchTests(SimpleTestCase):
    def test_it_returns_what_changes(self):
        changes = {
            "nothing": ([], {}),
            "replace": ([op("replace", "/node_count", 3)], {"node_count": 3}),
            "the same again": ([op("replace", "/node_count", 1)], {}),
            "true is not 1": ([op("replace", "/node_count", True)], {"node_count": True}),
            "add what is unset": ([op("add", "/keypair", "k")], {"keypair": "k"}),
            "remove": ([op("remove", "/labels")], {"labels": None}),
            "remove what is unset": ([op("remove", "/keypair")], {}),
            "add a key": ([op("add", "/labels/b", "2")], {"labels": {"a": "1", "b": "2"}}),
            "replace a key": ([op("replace", "/labels/a", "2")], {"labels": {"a": "2"}}),
            "remove a key": ([op("remove", "/labels/a")], {"labels": {}}),
            "an escaped key": ([op("add", "/labels/a~1b~0", "2")], {"labels": {"a": "1", "a/b~": "2"}}),
            "in order": ([op("remove", "/labels"), op("add", "/labels", {"z": "1"})], {"labels": {"z": "1"}}),
            "there and back": ([op("replace", "/name", "m"), op("replace", "/name", "n")], {}),
            "as JSON text": ([op("replace", "/labels", '{"b": "2"}')], {"labels": {"b": "2"}}),
            "as Python text": (
                [op("replace", "/labels", "{'b': '2', 'c': \"d'\"}")],
                {"labels": {"b": "2", "c": "d'"}},
            ),
            "as other text": ([op("replace", "/labels", "{open('x')}")], {"labels": "{open('x')}"}),
        }
        for name, (patch, expected) in changes.items():
            with self.subTest(name):
                document = {**BAY, "labels": dict(BAY["labels"])}
                self.assertEqual(RULES.changes(document, patch), expected)
                self.assertEqual(document, BAY)

    def test_it_refuses_what_may_not_be(self):
        refused = {
            "an object": {"node_count": 3},
            "nothing": None,
            "text": "[]",
            "a list of text": ["x"],
            "no op": [{"path": "/node_count", "value": 1}],
            "another op": [op("test", "/node_count", 1)],
            "copy": [{"op": "copy", "from": "/uuid", "path": "/name"}],
            "an op that is no text": [{"op": [], "path": "/name", "value": 1}],
            "no path": [{"op": "replace", "value": 1}],
            "no slash": [op("replace", "node_count", 1)],
            "the root": [op("replace", "", {})],
            "slash": [op("replace", "/", 1)],
            "too deep": [op("replace", "/labels/a/b", 1)],
            "a path that is no text": [op("replace", ["x"], 1)],
            "no value": [op("replace", "/node_count")],
            "internal": [op("replace", "/uuid", "x")],
            "internal though the same": [op("replace", "/uuid", "u")],
            "below internal": [op("add", "/uuid/x", "x")],
            "mandatory": [op("remove", "/node_count")],
            "unknown": [op("add", "/colour", "x")],
            "replace unknown": [op("replace", "/colour", "x")],
            "already set": [op("add", "/node_count", 5)],
            "fixed": [op("replace", "/coe", "swarm")],
            "below a number": [op("add", "/node_count/x", 1)],
            "missing key": [op("remove", "/labels/zz")],
            "more keys": [{**op("replace", "/node_count", 1), "extra": 1}],
            "too many": [op("replace", "/node_count", 1)] * 1001,
        }
        for name, patch in refused.items():
            with self.subTest(name), self.assertRaises(BadRequest):
                RULES.changes(BAY, patch)

    def test_it_leaves_text_that_hides_something_as_text(self):
        hidden = [
            "{'a': '\\x00'}",
            '{"a": "\\u0000"}',
            "{'a': '\\ud800'}",
            '{"a": 1, "a": 2}',
            "{'a': " + "9" * 5000 + "}",
            "{'a': 1.2.3}",
            "{'a': [1]}",
            "{" * 5000,
            '{"a":' * 5000,
            "[1]",
        ]
        for text in hidden:
            with self.subTest(text[:40]):
                self.assertEqual(RULES.changes(BAY, [op("replace", "/labels", text)]), {"labels": text})

    @given(
        st.lists(
            st.dictionaries(
                st.sampled_from(["op", "path", "value", "from"]),
                st.sampled_from(
                    ["add", "replace", "remove", *(f"/{key}" for key in BAY), "/labels/a", "/x", ""]
                )
                | st.none()
                | st.integers()
                | st.lists(st.none()),
            )
        )
    )
    def test_it_never_touches_what_is_not_changeable(self, patch):
        try:
            changes = RULES.changes(BAY, patch)
        except BadRequest:
            return
        self.assertLessEqual(changes.keys(), RULES.changeable)
