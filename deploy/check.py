"""`make test`: every check and test, one after the other, on servers of its own below `.state/test/`.

With labels it runs only the tests that they name. The last line says what passed; each check counts as one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import access
from deploy.interrupts import interruptible
from deploy.progress import WIDTH
from deploy.servers import servers
from deploy.state import DEFAULT, ROOT, StartError, State
from deploy.supervise import tethered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BIN = Path(sys.executable).parent
MANAGE = (sys.executable, str(ROOT / "manage.py"))
SHOWN = 80  # lines of a failed check's output

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


@dataclass
class Counts:
    """How many checks and tests ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def main(labels: Sequence[str]) -> int:
    """Run it all; return 0 only if something ran and nothing failed."""
    counts, state = Counts(), State(DEFAULT / "test")
    with interruptible():
        try:
            with state.lock("make test"), servers(state) as running:
                env = _environment(state, running.env)
                for label, command in () if labels else CHECKS:
                    _check(label, command, env, counts)
                running.await_heat()
                tested = _tests(state, labels, env)
        except StartError as error:
            print(f"\n{error}", file=sys.stderr)
            tested = Counts(failed=1)
        except KeyboardInterrupt:
            print("\nInterrupted.", file=sys.stderr)
            return 130
    counts.passed += tested.passed
    counts.failed += tested.failed
    counts.skipped += tested.skipped
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


def _tests(state: State, labels: Sequence[str], env: Mapping[str, str]) -> Counts:
    """Run Django's tests, their output streamed; their counts come by a file that the test runner writes."""
    report = state.path / "counts.json"
    report.unlink(missing_ok=True)
    started = time.monotonic()
    print("  manage.py test", flush=True)
    command = tethered([*MANAGE, "test", "--shuffle", "--no-input", *labels])
    done = subprocess.run(command, env={**env, "ROADSTEAD_TEST_COUNTS": str(report)}, cwd=ROOT, check=False)
    counts = Counts(**json.loads(report.read_text())) if report.exists() else Counts()
    if done.returncode != 0 and not counts.failed:
        print(f"  manage.py test ended with status {done.returncode}")
        counts.failed += 1
    print(f"  manage.py test: {time.monotonic() - started:.1f} s", flush=True)
    return counts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
