"""The planted bugs as data: which guard each takes out, by what edit, and which tests must notice."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLANTED = Path(__file__).with_name("planted")
NEEDED = {"name", "guard", "tests", "edit"}


class Rotten(Exception):
    """A planted bug does not fit the tree or the list any more; the message names it and what to mend."""


@dataclass(frozen=True, slots=True)
class Edit:
    """In this file, this text, which is there exactly once, becomes that one."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug. Every one of its tests must fail while it is planted.

    `telling` ones are in every short run; the others take turns.
    """

    name: str
    guard: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    telling: bool = False


def load(directory: Path = PLANTED) -> list[Mutant]:
    """Return every planted bug, by file and in the order of its file.

    :raises Rotten: one is incomplete, or two have a name.
    """
    found = [
        _mutant(path, each)
        for path in sorted(directory.glob("*.toml"))
        for each in tomllib.loads(path.read_text())["mutant"]
    ]
    names = [mutant.name for mutant in found]
    for name in names:
        if names.count(name) > 1:
            raise Rotten(f"Two planted bugs are called {name}.")
    return found


def chosen(
    mutants: Sequence[Mutant], *, names: Sequence[str] = (), short: int = 0, turn: int = 0
) -> list[Mutant]:
    """Return those that are asked for by name, or all.

    Where `short` is given, only so many of all: the telling ones, and those whose turn it is.

    :raises Rotten: there is none of that name.
    """
    if names:
        by_name = {mutant.name: mutant for mutant in mutants}
        if unknown := [name for name in names if name not in by_name]:
            raise Rotten(f"No planted bug is called {', '.join(unknown)}: see --list.")
        return [by_name[name] for name in names]
    if not short:
        return list(mutants)
    telling = [mutant for mutant in mutants if mutant.telling]
    others = [mutant for mutant in mutants if not mutant.telling]
    count = min(max(short - len(telling), 0), len(others))
    first = turn * count
    turns = {others[(first + number) % len(others)].name for number in range(count)}
    return [mutant for mutant in mutants if mutant.telling or mutant.name in turns]


def _mutant(path: Path, given: dict[str, Any]) -> Mutant:
    well_formed = NEEDED <= set(given) <= {*NEEDED, "telling"} and given["tests"] and given["edit"]
    if not well_formed or any(set(edit) != {"file", "old", "new"} for edit in given["edit"]):
        name = given.get("name", "one without a name")
        raise Rotten(f"{path.name}: {name} needs name, guard, tests and edits (file, old, new), and no more.")
    edits = tuple(Edit(**edit) for edit in given["edit"])
    return Mutant(given["name"], given["guard"], edits, tuple(given["tests"]), given.get("telling", False))
