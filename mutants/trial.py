"""A trial: run the tests that are named for a bug while it is planted, and judge what became of them."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.supervise import tethered
from mutants.catalogue import Mutant
from mutants.tree import Tree

TIMEOUT = 300.0  # seconds for the tests of one bug: for a machine that is busy with other things too
# A test that ends by one of these met a bug that was badly planted, not the guard's absence.
MALFORMED = frozenset(
    {
        "ImportError",
        "ModuleNotFoundError",
        "SyntaxError",
        "IndentationError",
        "NameError",
        "UnboundLocalError",
    }
)
ANY_LABEL = 8  # lines of output to show where nothing better is known


class Verdict(enum.Enum):
    """What a trial showed."""

    CAUGHT = "caught"  # every test that is named for it failed
    SURVIVED = "SURVIVED"  # one of them passed
    BROKEN = "BROKEN"  # the trial says nothing: the tests did not run, or ended for another reason


@dataclass(frozen=True, slots=True)
class Result:
    """How one test ended: passed, failed or skipped, and by which exception."""

    outcome: str
    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a planted bug."""

    mutant: Mutant
    verdict: Verdict
    why: str
    seconds: float


def trial(tree: Tree, mutant: Mutant, env: Mapping[str, str]) -> Trial:
    """Plant the bug, run its tests, take it out.

    :raises Rotten: it does not fit the tree.
    """
    began = time.monotonic()
    with tree.planted(mutant):
        results, output = run(tree.path, mutant.tests, {**env, "ROADSTEAD_TRIAL_DATABASE": "kept"})
    verdict, why = judge(mutant, results, output)
    return Trial(mutant, verdict, why, time.monotonic() - began)


def judge(mutant: Mutant, results: Mapping[str, Result], output: str) -> tuple[Verdict, str]:
    """Return what the tests' results say of a bug, and in a line why."""
    if missing := [label for label in mutant.tests if label not in results]:
        return Verdict.BROKEN, f"{_short(missing[0])} did not run: {_end(output)}"
    for label in mutant.tests:
        result = results[label]
        if result.outcome == "skipped":
            return Verdict.BROKEN, f"{_short(label)} was skipped: {result.text}"
        if result.kind in MALFORMED:
            return Verdict.BROKEN, f"{_short(label)} ended by {result.kind}: {result.text}"
    if passed := [label for label in mutant.tests if results[label].outcome == "passed"]:
        return Verdict.SURVIVED, f"{_short(passed[0])} passed all the same"
    return Verdict.CAUGHT, ", ".join(f"{_short(label)} ({results[label].kind})" for label in mutant.tests)


def run(path: Path, labels: Collection[str], env: Mapping[str, str]) -> tuple[dict[str, Result], str]:
    """Run tests in a tree; return how each that ran ended, by label, and what was printed."""
    told = path / "trial.json"
    told.unlink(missing_ok=True)
    command = [
        sys.executable,
        "manage.py",
        "test",
        "--keepdb",
        "--testrunner",
        "mutants.runner.TrialRunner",
        *labels,
    ]
    variables = {**env, "ROADSTEAD_TRIAL": str(told), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            tethered(command),
            cwd=path,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=TIMEOUT + 5 * len(labels),
        )
        output = done.stdout
    except subprocess.TimeoutExpired:
        return {}, f"the tests did not end within {TIMEOUT + 5 * len(labels):.0f} s"
    found = json.loads(told.read_text()) if told.exists() else {}
    return {label: Result(*result) for label, result in found.items()}, output


def _short(label: str) -> str:
    return label.rpartition(".")[2]


def _end(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " | ".join(lines[-ANY_LABEL:])[-600:] or "nothing was printed"
