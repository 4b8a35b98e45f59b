"""`make model`: have Spin go through every state of docs/model/lease.pml, and of the same model without each guard.

The whole model must hold; without any one of its guards it must fail. docs/model.md says what the words mean.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.interrupts import interruptible
from deploy.spin import require_spin
from deploy.state import ROOT, StartError
from deploy.supervise import tethered

MODEL = ROOT / "docs" / "model" / "lease.pml"
FAULTS = 3
MEMORY = 4000  # MB
DEPTH = 100_000
TIMEOUT = 1800.0
VARIANTS = {
    "": "the whole",
    "NO_EPOCH": "outcome and rest do not name the epoch of their claim",
    "NO_OPERATION": "an outcome does not name what it was for",
    "NO_LEASE_CHECK": "a claim does not look at the lease",
    "NO_STORAGE_FENCE": "the store takes calls of any epoch",
    "NO_OVERTAKE": "the store's fence is raised by calls, not before the look",
    "NO_ADOPT": "a create does not look for what is there",
    "NO_SWEEP": "nobody rings again",
}


@dataclass(frozen=True, slots=True)
class Search:
    """What Spin found in one variant of the model."""

    variant: str
    states: int
    depth: int
    megabytes: float
    seconds: float
    violated: str  # the assertion that fails; empty if none does
    complete: bool  # every state was looked at

    @property
    def expected(self) -> bool:
        """Whether it came out as it must: the whole holds everywhere, anything less fails."""
        return bool(self.violated) if self.variant else self.complete and not self.violated

    @property
    def verdict(self) -> str:
        if self.violated:
            return f"fails: {self.violated}"
        return "holds in every state" if self.complete else "NOT FINISHED: out of memory or depth"


def main() -> int:
    """Search each variant and print the table; return 0 if all came out as they must."""
    parser = argparse.ArgumentParser(prog="make model", description=__doc__)
    parser.add_argument(
        "--faults", type=int, default=FAULTS, help="of any kind, in one run (default: %(default)s)"
    )
    parser.add_argument(
        "--only", choices=[name for name in VARIANTS if name], help="without this guard alone"
    )
    options = parser.parse_args()
    variants = [options.only] if options.only else list(VARIANTS)
    try:
        with interruptible():
            require_spin()
            return _table(variants, options.faults)
    except StartError as error:
        print(f"\n{error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
    return 1


def _table(variants: Sequence[str], faults: int) -> int:
    print(f"{MODEL.relative_to(ROOT)}, {faults} faults of any kind\n")
    print(f"  {'left out':<18} {'states':>12} {'depth':>6} {'MB':>6} {'s':>6}  verdict")
    wrong = 0
    for variant in variants:
        found = search(variant, faults)
        wrong += not found.expected
        figures = f"{found.states:>12,} {found.depth:>6} {found.megabytes:>6.0f} {found.seconds:>6.1f}"
        flag = "" if found.expected else "   <-- must not be"
        print(
            f"  {variant or 'nothing':<18} {figures}  {found.verdict}{flag}\n      {VARIANTS[variant]}",
            flush=True,
        )
    print("\nAll came out as they must." if not wrong else f"\n{wrong} did not come out as they must.")
    return 1 if wrong else 0


def search(variant: str, faults: int) -> Search:
    """Go through every state of the model without one guard, or of the whole where `variant` is empty.

    :raises StartError: Spin or the compiler refuses the model.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="roadstead-model-") as scratch:
        flags = [f"-DFAULTS={faults}", *([f"-D{variant}"] if variant else [])]
        _run(["spin", *flags, "-a", str(MODEL)], scratch)
        _run(
            ["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY}", "-o", "pan", "pan.c"],
            scratch,
        )
        said = _run(["./pan", f"-m{DEPTH}", "-w25"], scratch)
    return Search(
        variant=variant,
        states=int(_number(r"([\d.e+]+) states, stored", said)),
        depth=int(_number(r"depth reached (\d+)", said)),
        megabytes=_number(r"([\d.]+)\s+total actual memory usage", said),
        seconds=time.monotonic() - began,
        violated=" ".join(re.findall(r"^pan:1: (?:assertion violated )?(.*) \(at depth", said, re.MULTILINE)),
        complete="errors: 0" in said and not re.search("Search not completed|too small", said),
    )


def _number(pattern: str, said: str) -> float:
    found = re.search(pattern, said)
    return float(found[1]) if found else 0.0


def _run(command: Sequence[str], scratch: str) -> str:
    done = subprocess.run(
        tethered(command),
        cwd=Path(scratch),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    if done.returncode != 0:
        raise StartError(f"{' '.join(command)} failed with status {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
