"""The planted bugs themselves: each still fits the tree, and names tests that there are."""

from __future__ import annotations

import ast
import importlib
import tempfile
from collections import Counter
from pathlib import Path

from django.test import SimpleTestCase

from deploy.state import ROOT
from mutants.catalogue import Edit, Mutant, Rotten, chosen, load
from mutants.tree import changed

ENOUGH = 24


def plant(mutant: Mutant) -> dict[str, str]:
    return changed(mutant, {edit.file: (ROOT / edit.file).read_text() for edit in mutant.edits})


class PlantedTests(SimpleTestCase):
    def test_there_are_enough(self) -> None:
        self.assertGreaterEqual(len(load()), ENOUGH)

    def test_each_fits_the_tree_exactly_once_and_is_python(self) -> None:
        for mutant in load():
            with self.subTest(mutant.name):
                for name, text in plant(mutant).items():
                    ast.parse(text, name)

    def test_each_names_tests_that_there_are(self) -> None:
        for label in sorted({label for mutant in load() for label in mutant.tests}):
            with self.subTest(label):
                module, case, method = label.rsplit(".", 2)
                self.assertTrue(method.startswith("test_"))
                self.assertTrue(callable(getattr(getattr(importlib.import_module(module), case), method)))


class RottenTests(SimpleTestCase):
    def test_what_does_not_fit_is_said_to_be_rotten(self) -> None:
        for text, complaint in (
            ("no such text", "is 0 times"),
            ("import", "times in lifecycle/local.py, not once"),
        ):
            mutant = Mutant("old", "a guard", (Edit("lifecycle/local.py", text, ""),), ("a.b.c",))
            with self.assertRaisesMessage(Rotten, complaint):
                plant(mutant)
        with self.assertRaisesMessage(Rotten, "there is no gone.py"):
            changed(Mutant("old", "a guard", (Edit("gone.py", "a", "b"),), ("a.b.c",)), {})

    def test_what_is_incomplete_or_there_twice_is_refused(self) -> None:
        whole = '[[mutant]]\nname = "n"\nguard = "g"\ntests = ["a.b.c"]\nedit = [{file = "f", old = "o", new = "n"}]\n'
        for text, complaint in (
            (whole + whole, "Two planted bugs are called n"),
            (whole.replace('guard = "g"\n', ""), "n needs name, guard, tests and edits"),
            (whole.replace('["a.b.c"]', "[]"), "n needs name, guard, tests and edits"),
            (whole.replace(', new = "n"', ""), "n needs name, guard, tests and edits"),
            (whole + "why = 1\n", "n needs name, guard, tests and edits"),
        ):
            with self.subTest(text), tempfile.TemporaryDirectory() as directory:
                (Path(directory) / "some.toml").write_text(text)
                with self.assertRaisesMessage(Rotten, complaint):
                    load(Path(directory))


class ChoiceTests(SimpleTestCase):
    def test_a_short_run_has_the_telling_ones_and_the_others_take_turns(self) -> None:
        mutants, short = load(), 10
        telling = {mutant.name for mutant in mutants if mutant.telling}
        turns: Counter[str] = Counter()
        for turn in range(len(mutants)):
            names = {mutant.name for mutant in chosen(mutants, short=short, turn=turn)}
            self.assertEqual((len(names), telling - names), (short, set()))
            turns.update(names - telling)
        others = len(mutants) - len(telling)
        self.assertEqual((len(telling) < short, len(turns)), (True, others))
        self.assertLessEqual(max(turns.values()) - min(turns.values()), 1 + len(mutants) // others)

    def test_they_are_chosen_by_name(self) -> None:
        mutants = load()
        self.assertEqual(chosen(mutants, names=[mutants[3].name]), [mutants[3]])
        with self.assertRaisesMessage(Rotten, "No planted bug is called nonsense"):
            chosen(mutants, names=["nonsense"])
