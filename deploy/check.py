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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deploy import access
from deploy.interrupts import interruptible
from deploy.named import unnamed
from deploy.progress import WIDTH
from deploy.rabbitmq_programs import programs
from deploy.servers import servers
from deploy.spin import require_spin
from deploy.state import DEFAULT, ROOT, StartError, State
from deploy.supervise import tethered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

BIN = Path(sys.executable).parent
MANAGE = (sys.executable, str(ROOT / "manage.py"))
NODES_LANE = "nodes"
NODES = {"faults"}  # packages whose tests mostly wait for whole nodes
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
            with state.lock("make test"), servers(state) as running, _apart(labels) as databases:
                env = _environment(state, running.env)
                for label, command in () if labels else CHECKS:
                    _check(label, command, env, counts)
                running.await_heat()
                tested = _tests(state, labels, env, databases)
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
    variables = {key: value for key, value in started.items() if value is not None}
    variables["SECRET_KEY"] = state.secret("django", 32)
    access.write_env(state, variables)
    env = {key: value for key, value in os.environ.items() if key not in started} | variables
    if "OS_ENDPOINT" in variables:
        env["ROADSTEAD_TEST_HEAT"] = variables["OS_ENDPOINT"]
    return env | {"ROADSTEAD_ENV_FILE": str(state.path / "env")}


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
def _apart(labels: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Yield where a lane has a PostgreSQL of its own: a long transaction of the other would delay its events."""
    if labels or "postgres" not in unnamed():
        yield {}
        return
    with servers(State(DEFAULT / "test" / NODES_LANE), ["postgres"], own=["postgres"]) as running:
        yield {NODES_LANE: str(running.env["DATABASE_URL"])}


def _tests(
    state: State, labels: Sequence[str], env: Mapping[str, str], databases: Mapping[str, str]
) -> Counts:
    """Run Django's tests in lanes side by side, each with a database of its own; return their counts together."""
    lanes = {"": list(labels)} if labels else _lanes()
    tested = Counts()

    def lane(name: str) -> Counts:
        own = {"DATABASE_URL": databases[name]} if name in databases else {}
        return _lane(state, name, lanes[name], {**env, **own})

    with ThreadPoolExecutor(len(lanes)) as pool:
        for each in pool.map(lane, lanes):
            tested.add(each)
    return tested


def _lanes() -> dict[str, list[str]]:
    """Return the packages of tests by lane: those that mostly wait for whole nodes, and all others."""
    packages = sorted(path.parent.name for path in (ROOT / "tests").glob("*/__init__.py"))
    return {
        NODES_LANE: [f"tests.{name}" for name in packages if name in NODES],
        "rest": [f"tests.{name}" for name in packages if name not in NODES],
    }


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
