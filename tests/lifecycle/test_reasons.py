"""Every reason that a step can give has a code: what steps say is walked in their text."""

from __future__ import annotations

import ast
import inspect
import uuid
from types import ModuleType

from django.test import SimpleTestCase

import bays.reasons
import bays.steps.asking
import bays.steps.bays
import bays.steps.judging
import bays.steps.last_looks
import lifecycle.advance
import lifecycle.reasons
import volumes.reasons
import volumes.steps.asking
import volumes.steps.connections
import volumes.steps.snapshots
import volumes.steps.volumes
from clouds.errors import Unavailable

# What a step answers with a reason, or passes one on to as `why`, and which of the arguments it is.
ENDS = {"Failed": 0, "Retry": 0, "Broke": 0, "Undone": 0, "failed": 1}
# Functions of a module of steps that return a sentence, which they take from `reasons` themselves.
TELLERS = {"cause_of", "refusal_of"}
STEPS: dict[ModuleType, tuple[ModuleType, ...]] = {
    bays.reasons: (bays.steps.asking, bays.steps.bays, bays.steps.judging, bays.steps.last_looks),
    volumes.reasons: (
        volumes.steps.asking,
        volumes.steps.connections,
        volumes.steps.snapshots,
        volumes.steps.volumes,
    ),
    lifecycle.reasons: (lifecycle.advance,),
}
SAID: dict[ModuleType, dict[str, tuple[str, str]]] = {  # a sentence of each function, and its code
    bays.reasons: {
        "refused": (bays.reasons.refused("x"), "heat-refused"),
        "impossible": (bays.reasons.impossible("x"), "driver-refused"),
        "unpromised": (bays.reasons.unpromised("x"), "output-invalid"),
        "silent": (bays.reasons.silent(Unavailable("x")), "heat-silent"),
        "busy": (bays.reasons.busy(), "heat-busy"),
        "rolling_back": (bays.reasons.rolling_back(1, "x"), "rolling-back"),
        "rolled_back": (bays.reasons.rolled_back(1, "x"), "rolled-back"),
        "not_rolled_back": (bays.reasons.not_rolled_back("x", "y"), "rollback-failed"),
        "missing": (bays.reasons.missing(None), "stack-missing"),
        "failed": (bays.reasons.failed("r", "T", "x"), "resource-failed"),
        "stack_failed": (bays.reasons.stack_failed("S", ""), "stack-failed"),
    },
    volumes.reasons: {
        "unreachable": (volumes.reasons.unreachable("b", "x"), "backend-unreachable"),
        "full": (volumes.reasons.full("b", "x"), "no-space"),
        "not_stored": (volumes.reasons.not_stored("b", "x"), "not-stored"),
        "refused": (volumes.reasons.refused("b", "x"), "backend-refused"),
        "broken": (volumes.reasons.broken("b", "x"), "backend-failed"),
        "overtaken": (volumes.reasons.overtaken("x"), "overtaken"),
        "nowhere": (volumes.reasons.nowhere([("p", "x")], "y"), "made-nowhere"),
        "snapshots_left": (volumes.reasons.snapshots_left([str(uuid.uuid4())]), "snapshots-left"),
        "room_taken": (volumes.reasons.room_taken("b#p"), "room-taken"),
    },
    lifecycle.reasons: {
        "deadline": (lifecycle.reasons.deadline("S", "now", ""), "deadline"),
        "gave_up": (lifecycle.reasons.gave_up(5, ""), "gave-up"),
        "lost": (lifecycle.reasons.lost("S"), "worker-lost"),
        "broke": (lifecycle.reasons.broke("E"), "step-broke"),
        "cut_off": (lifecycle.reasons.cut_off(), "step-broke"),
    },
}


def told(module: ModuleType) -> list[ast.expr]:
    """Return the expressions that a module of steps gives as reasons, and those that its tellers return."""
    tree = ast.parse(inspect.getsource(module))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ENDS:
            place = ENDS[node.func.id]
            found += node.args[place : place + 1]
            found += [word.value for word in node.keywords if word.arg == "reason"]
        if isinstance(node, ast.FunctionDef) and node.name in TELLERS:
            returns = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
            found += [value for value in returns if value is not None]
    return found


def said_by(expression: ast.expr) -> str | None:
    """Return the function of `reasons` that makes the expression; a teller's name; None if neither does."""
    match expression:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="reasons"), attr=name)):
            return name
        case ast.Call(func=ast.Name(id=name)) if name in TELLERS:
            return name
        case ast.Call(func=ast.Name(id="Cause"), args=[reason, _]):
            return said_by(reason)
        case ast.Attribute(value=ast.Call() as cause, attr="reason"):
            return said_by(cause)
    return None


class ReasonTests(SimpleTestCase):
    def test_a_step_says_nothing_but_what_has_a_code(self):
        said: dict[ModuleType, set[str]] = {}
        for words, modules in STEPS.items():
            for module in modules:
                for expression in told(module):
                    name = said_by(expression)
                    indirect = ast.unparse(expression).startswith(
                        ("(reasons.not_stored if ", "refused.reason", "cause.reason", "why")
                    )
                    self.assertTrue(
                        name or indirect, f"{module.__name__}: {ast.unparse(expression)} has no code"
                    )
                    said.setdefault(words, set()).add(name or "")
        for words, names in said.items():
            self.assertLessEqual(names - TELLERS - {""}, set(SAID[words]), words.__name__)

    def test_each_sentence_is_understood_as_what_it_is(self):
        for words, sentences in SAID.items():
            understood = getattr(words, "understood")  # noqa: B009 - of a module that the types do not know
            for name, (sentence, code) in sentences.items():
                found = understood(sentence, ()) if words is lifecycle.reasons else understood(sentence)
                assert found is not None
                self.assertEqual(found.code, code, name)
                self.assertTrue(found.advice)

    def test_what_failed_is_named(self):
        found = volumes.reasons.understood(volumes.reasons.unreachable("fast", "gone"))
        assert found is not None
        self.assertEqual((found.resource, found.resource_type), ("fast", "backend"))
