"""The harness itself: a bug that no test notices is said to survive, and one that is badly planted to be broken."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path
from typing import ClassVar

from django.test import SimpleTestCase

from deploy.state import ROOT
from mutants.catalogue import Edit, Mutant, Rotten
from mutants.report import conclude
from mutants.tree import Tree
from mutants.trial import Result, Trial, Verdict, judge, trial

FILE, GUARD = "lifecycle/machine.py", "        if not holds:\n"
TEST = "tests.lifecycle.test_machine.MachineTests.test_it_refuses_a_table_that_contradicts_itself"


def mutant(new: str, *tests: str, old: str = GUARD) -> Mutant:
    return Mutant("planted", "a table does not contradict itself", (Edit(FILE, old, new),), tests or (TEST,))


class TrialTests(SimpleTestCase):
    tree: ClassVar[Tree]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        scratch = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.tree = Tree(Path(scratch), ROOT)

    def verdict(self, planted: Mutant) -> Verdict:
        found = trial(self.tree, planted, os.environ)
        self.assertEqual(
            (self.tree.path / FILE).read_text(), (ROOT / FILE).read_text(), "it was taken out again"
        )
        return found.verdict

    def test_a_bug_that_its_test_notices_is_caught(self) -> None:
        self.assertIs(self.verdict(mutant("        if holds is None:\n")), Verdict.CAUGHT)

    def test_a_bug_that_changes_nothing_survives(self) -> None:
        self.assertIs(self.verdict(mutant("        if not holds:  # planted\n")), Verdict.SURVIVED)

    def test_a_bug_that_is_no_python_or_names_nothing_is_broken(self) -> None:
        for new in ("        if not:\n", "        if not what_there_is_not:\n"):
            self.assertIs(self.verdict(mutant(new)), Verdict.BROKEN)

    def test_a_bug_whose_test_is_not_there_is_broken(self) -> None:
        self.assertIs(self.verdict(mutant("        if holds is None:\n", TEST + "_any_more")), Verdict.BROKEN)

    def test_a_bug_that_does_not_fit_stops_the_run(self) -> None:
        with self.assertRaises(Rotten):
            self.verdict(mutant("", old="no such text"))


class JudgeTests(SimpleTestCase):
    def judged(self, *results: Result) -> Verdict:
        labels = [f"m.C.test_{number}" for number in range(len(results))]
        return judge(mutant("", *labels), dict(zip(labels, results, strict=True)), "")[0]

    def test_every_test_that_is_named_has_to_fail(self) -> None:
        passed, failed = Result("passed"), Result("failed", "AssertionError")
        self.assertIs(self.judged(failed, failed), Verdict.CAUGHT)
        self.assertIs(self.judged(failed, passed), Verdict.SURVIVED)

    def test_a_skipped_test_and_a_wrong_name_catch_nothing(self) -> None:
        failed = Result("failed", "AssertionError")
        self.assertIs(self.judged(failed, Result("skipped")), Verdict.BROKEN)
        self.assertIs(self.judged(failed, Result("failed", "NameError")), Verdict.BROKEN)

    def test_the_run_fails_unless_all_are_caught(self) -> None:
        def code(*verdicts: Verdict) -> int:
            with contextlib.redirect_stdout(io.StringIO()):
                return conclude([Trial(mutant(""), verdict, "", 0.0) for verdict in verdicts], 1, 0.0)

        self.assertEqual(code(Verdict.CAUGHT, Verdict.CAUGHT), 0)
        for other in (Verdict.SURVIVED, Verdict.BROKEN):
            self.assertEqual(code(Verdict.CAUGHT, other), 1)
        self.assertEqual(code(), 1)
