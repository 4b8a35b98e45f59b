"""`make test`: every check, every test, then the short forms of the proofs, on servers of its own below `.state/test/`.

With labels it runs only the tests that they name. The last line says what passed; each check counts as one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deploy import access
from deploy.interrupts import interruptible
from deploy.named import EVERYTHING, unnamed
from deploy.progress import WIDTH
from deploy.rabbitmq_programs import programs
from deploy.servers import Servers, servers
from deploy.spin import require_spin
from deploy.state import DEFAULT, ROOT, StartError, State
from deploy.supervise import tethered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

BIN = Path(sys.executable).parent
MANAGE = (sys.executable, str(ROOT / "manage.py"))
REST = "rest"
TEST_HEAT = "ROADSTEAD_TEST_HEAT"
SHOWN = 80  # lines of a failed check's output

CHAOS = (sys.executable, "-m", "chaos", "--short")
CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ruff check", (str(BIN / "ruff"), "check", "--quiet", "--output-format=concise", ".")),
    ("ruff format", (str(BIN / "ruff"), "format", "--check", "--quiet", ".")),
    ("mypy --strict", (str(BIN / "mypy"), "--strict")),
    ("lint-imports", (str(BIN / "lint-imports"), "--no-cache")),
    ("makemigrations --check", (*MANAGE, "makemigrations", "--check", "--dry-run")),
    ("check --deploy", (*MANAGE, "check", "--deploy", "--fail-level", "WARNING")),
    ("statechart --check", (*MANAGE, "statechart", "--check")),
)
PRODUCTION = {"PUBLIC_URL": "https://roadstead.example"}  # what `check --deploy` is to judge


@dataclass(frozen=True)
class Proof:
    """A program that judges by itself: what it must find to be run, and whether it uses the servers of the tests."""

    label: str
    command: tuple[str, ...]
    needs: Callable[[State], object] = lambda _: None
    here: bool = False


PROOFS = (
    Proof("mutants --short", (sys.executable, "-m", "mutants", "--short"), here=True),
    Proof("model", (sys.executable, "-m", "mutants.model", "--faults", "2"), lambda _: require_spin()),
    Proof("chaos --short, Valkey", (*CHAOS, "--seed", "1", "--broker", "redis")),
    Proof("chaos --short, RabbitMQ", (*CHAOS, "--seed", "2", "--broker", "rabbitmq"), programs),
)


@dataclass(frozen=True)
class Lane:
    """Packages of tests that mostly wait for other programs and run beside all others, on servers of their own.

    Otherwise a long transaction of one lane would delay the events of another, its bells would find no row, and who
    looks for stray stacks would find those of another.
    """

    packages: frozenset[str]
    own: frozenset[str]


LANES = {
    "nodes": Lane(frozenset({"faults"}), frozenset({"postgres"})),  # its tests start the other servers
    "clients": Lane(frozenset({"backends", "chaos", "clients", "fuzz", "owners"}), EVERYTHING),
}


@dataclass
class Counts:
    """How many checks and tests ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def main(labels: Sequence[str]) -> int:
    """Run it all; return 0 only if something ran and nothing failed."""
    counts, state = Counts(), State(DEFAULT / "test")
    with interruptible():
        try:
            with state.lock("make test"), servers(state) as running, _apart(labels) as apart:
                env = _environment(state, running.env)
                for label, command in () if labels else CHECKS:
                    _check(label, command, env, counts)
                for each in (running, *apart.values()):
                    each.await_heat()
                tested = _tests(state, labels, env, apart)
                for proof in () if labels else PROOFS:
                    _prove(proof, state, env, counts)
        except StartError as error:
            print(f"\n{error}", file=sys.stderr)
            tested = Counts(failed=1)
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return 130
    counts.add(tested)
    if not tested.passed + tested.failed:
        print("No test ran.")
        counts.failed += 1
    print(counts, flush=True)
    return 1 if counts.failed else 0


def _environment(state: State, started: Mapping[str, str | None]) -> dict[str, str]:
    variables = _told(started) | {"SECRET_KEY": state.secret("django", 32)}
    access.write_env(state, {name: value for name, value in variables.items() if name != TEST_HEAT})
    env = {key: value for key, value in os.environ.items() if key not in started} | variables
    return env | {"ROADSTEAD_ENV_FILE": str(state.path / "env")}


def _told(started: Mapping[str, str | None]) -> dict[str, str]:
    """Return the variables that tell tests of the servers that were started."""
    told = {key: value for key, value in started.items() if value is not None}
    return told | ({TEST_HEAT: told["OS_ENDPOINT"]} if "OS_ENDPOINT" in told else {})


def _check(label: str, command: Sequence[str], env: Mapping[str, str], counts: Counts) -> None:
    print(f"  {label} ".ljust(WIDTH, "."), end=" ", flush=True)
    started = time.monotonic()
    done = subprocess.run(
        tethered(command),
        env={**env, **PRODUCTION} if "--deploy" in command else env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    passed = done.returncode == 0
    counts.passed += passed
    counts.failed += not passed
    print(f"{time.monotonic() - started:.1f} s{'' if passed else '  FAILED'}", flush=True)
    if not passed:
        lines = (done.stdout + done.stderr).splitlines()
        print("\n".join(f"      {line}" for line in lines[-SHOWN:]), flush=True)


def _prove(proof: Proof, state: State, env: Mapping[str, str], counts: Counts) -> None:
    """Run a proof, or say why it cannot be run here."""
    try:
        proof.needs(state)
    except StartError as error:
        print(f"  {proof.label}: left out. {error}", flush=True)
        counts.skipped += 1
    else:
        _check(proof.label, proof.command, env if proof.here else os.environ, counts)


@contextmanager
def _apart(labels: Sequence[str]) -> Iterator[Mapping[str, Servers]]:
    """Yield the servers that each lane has for itself; none where the environment names those that are to be used."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(servers(State(DEFAULT / "test" / name), own, own=own))
            for name, lane in LANES.items()
            if (own := lane.own & unnamed()) and not labels
        }


def _tests(
    state: State, labels: Sequence[str], env: Mapping[str, str], apart: Mapping[str, Servers]
) -> Counts:
    """Run Django's tests in lanes side by side, each on its own servers; return their counts together."""
    lanes = {"": list(labels)} if labels else _lanes()
    tested = Counts()

    def lane(name: str) -> Counts:
        told = _told(apart[name].env) if name in apart else {}
        return _lane(state, name, lanes[name], {**env, **told})

    with ThreadPoolExecutor(len(lanes)) as pool:
        for each in pool.map(lane, lanes):
            tested.add(each)
    return tested


def _lanes() -> dict[str, list[str]]:
    """Return the packages of tests by lane."""
    packages = sorted(path.parent.name for path in (ROOT / "tests").glob("*/__init__.py"))
    lane_of = {package: name for name, lane in LANES.items() for package in lane.packages}
    lanes: dict[str, list[str]] = {name: [] for name in (*LANES, REST)}
    for package in packages:
        lanes[lane_of.get(package, REST)].append(f"tests.{package}")
    return lanes


def _lane(state: State, name: str, labels: Sequence[str], env: Mapping[str, str]) -> Counts:
    """Run tests; their counts come by a file that the test runner writes. A lane's output is shown when it ends."""
    what = f"manage.py test {name}".rstrip()
    report = state.path / f"counts{name}.json"
    report.unlink(missing_ok=True)
    database = urlsplit(env["DATABASE_URL"])
    told = {"ROADSTEAD_TEST_COUNTS": str(report)}
    told["DATABASE_URL"] = database._replace(
        path=f"{database.path}_{name}" if name else database.path
    ).geturl()
    command = tethered([*MANAGE, "test", "--shuffle", "--no-input", *labels])
    started = time.monotonic()
    print(f"  {what}", flush=True)
    output = subprocess.PIPE if name else None
    done = subprocess.run(
        command,
        env={**env, **told},
        cwd=ROOT,
        check=False,
        text=True,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    counts = Counts(**json.loads(report.read_text())) if report.exists() else Counts()
    end = f"  {what}: {time.monotonic() - started:.1f} s, {counts}"
    if done.returncode != 0 and not counts.failed:
        end += f", ended with status {done.returncode}"
        counts.failed += 1
    print(f"{done.stdout or ''}{end}", flush=True)
    return counts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
