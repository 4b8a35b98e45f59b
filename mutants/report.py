"""What a run prints: a line for each bug, and the sum; the same as lines of JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mutants.catalogue import Mutant
from mutants.trial import Trial, Verdict

GUARD, SHOWN = 62, 110


def show(trial: Trial) -> None:
    """Print one line, and for a bug that was not caught what is wrong."""
    mutant = trial.mutant
    head = f"  {mutant.name:<36} {mutant.guard:<{GUARD}} {trial.verdict.value:<8} {trial.seconds:5.1f} s"
    print(
        f"{head}  {_cut(trial.why)}" if trial.verdict is Verdict.CAUGHT else f"{head}\n      {trial.why}",
        flush=True,
    )


def keep(trials: Sequence[Trial], path: str) -> None:
    """Append one JSON object a line."""
    with Path(path).open("a") as file:
        for trial in trials:
            line = {
                "mutant": trial.mutant.name,
                "guard": trial.mutant.guard,
                "files": sorted({edit.file for edit in trial.mutant.edits}),
                "tests": trial.mutant.tests,
                "verdict": trial.verdict.value.lower(),
                "why": trial.why,
                "seconds": round(trial.seconds, 2),
            }
            file.write(json.dumps(line) + "\n")


def conclude(trials: Sequence[Trial], of: int, seconds: float) -> int:
    """Print the sum and return the exit code: 0 only if every planted bug was caught."""
    counts = Counter(trial.verdict for trial in trials)
    caught, survived, broken = (counts[verdict] for verdict in Verdict)
    print(
        f"\n{caught} of {len(trials)} planted bugs caught ({of} there are), {survived} survived, {broken} broken: ",
        end="",
    )
    print(f"{seconds:.0f} s.", flush=True)
    return 0 if trials and caught == len(trials) else 1


def listing(mutants: Sequence[Mutant]) -> None:
    """Print what there is to plant."""
    for mutant in mutants:
        star = "*" if mutant.telling else " "
        print(
            f"{star} {mutant.name:<36} {mutant.guard}\n      {mutant.edits[0].file}: {', '.join(mutant.tests)}"
        )


def complain(text: str) -> None:
    """Print to standard error what keeps the run from being one."""
    print(f"\n{text}", file=sys.stderr)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
