"""`make mutants`: plant each bug in a copy of the tree, run the tests that must notice it, and print the table."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy.interrupts import interruptible
from deploy.progress import stage
from deploy.servers import servers
from deploy.state import DEFAULT, ROOT, StartError, State
from mutants import report
from mutants.catalogue import Mutant, Rotten, chosen, load
from mutants.tree import Tree
from mutants.trial import Trial, run, trial

SHORT = 10  # bugs in a short run
DAY = 24 * 3600


def main() -> int:
    """Run it; return the exit code: 0 only if every bug was caught and no test fails without one."""
    options = _options()
    try:
        mutants = load()
        short = SHORT if options.short else 0
        wanted = chosen(mutants, names=options.only or (), short=short, turn=options.turn)
        if options.list:
            report.listing(wanted)
            return 0
        with interruptible():
            return _run(wanted, len(mutants), options.json)
    except (StartError, Rotten) as error:
        report.complain(str(error))
    except KeyboardInterrupt:
        report.complain("Interrupted.")
        return 130
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="plant this one; may be given again")
    parser.add_argument(
        "--short", action="store_true", help=f"{SHORT} of them: the telling ones, and others by turns"
    )
    parser.add_argument(
        "--turn", type=int, default=int(time.time() // DAY), help="whose turn it is (default: the day)"
    )
    parser.add_argument("--list", action="store_true", help="say what there is, and plant nothing")
    parser.add_argument("--json", metavar="FILE", help="append a JSON object a line for each bug")
    return parser.parse_args()


def _run(mutants: Sequence[Mutant], known: int, json_file: str | None) -> int:
    began = time.monotonic()
    state = State(DEFAULT / "mutants")
    with (
        state.lock("make mutants"),
        servers(state) as running,
        tempfile.TemporaryDirectory(prefix="roadstead-mutants-") as scratch,
    ):
        env = environment(state, running.env)
        with stage("A copy of the tree"):
            tree = Tree(Path(scratch), ROOT)
        running.await_heat()
        if sick := _without_a_bug(tree, mutants, env):
            report.complain(f"Without any bug planted these do not pass:\n{sick}")
            return 1
        trials: list[Trial] = []
        for mutant in mutants:
            trials.append(trial(tree, mutant, env))
            report.show(trials[-1])
    if json_file:
        report.keep(trials, json_file)
    return report.conclude(trials, known, time.monotonic() - began)


def environment(state: State, started: Mapping[str, str | None]) -> dict[str, str]:
    """Return the environment of the trials: the servers, and a database of their own on them."""
    env = {key: value for key, value in os.environ.items() if key not in started}
    env |= {key: value for key, value in started.items() if value is not None}
    database = urlsplit(env["DATABASE_URL"])
    env["DATABASE_URL"] = urlunsplit(database._replace(path="/mutants"))  # Django tests in test_mutants
    if "OS_ENDPOINT" in env:
        env.setdefault("ROADSTEAD_TEST_HEAT", env["OS_ENDPOINT"])
    return env | {"SECRET_KEY": state.secret("django", 32), "ROADSTEAD_ENV_FILE": os.devnull}


def _without_a_bug(tree: Tree, mutants: Sequence[Mutant], env: Mapping[str, str]) -> str:
    """Run every test that is named, with no bug planted; return what did not pass."""
    labels = sorted({label for mutant in mutants for label in mutant.tests})
    with stage(f"{len(labels)} tests without a bug"):
        results, output = run(tree.path, labels, env)
    wrong = [f"  {label}: did not run" for label in labels if label not in results]
    wrong += [
        f"  {label}: {result.outcome}, {result.kind} {result.text}"
        for label, result in sorted(results.items())
        if result.outcome != "passed"
    ]
    return "\n".join([*wrong, output[-2000:]]) if wrong else ""


if __name__ == "__main__":
    sys.exit(main())
