"""The plan of a run: which fault strikes what, when and for how long, all of it from a seed.

Faults overlap. What bounds them is a budget: of each sort of process one lives at any time, one server at most is out
at once, and nothing is struck that is out already. So something can always be learnt, and whatever was accepted must
come to its end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chaos.faults.base import Kind, Taken

MOST = {
    "worker": 2,
    "api": 2,
    "beat": 2,
    "forkserver": 2,
    "outage": 1,
    "link": 6,
    "heat": 2,
    "storage": 2,
    "clock": 1,
}
TRIES = 30  # until a moment is left without a fault
LEAST_TAIL = 5.0  # seconds at the end in which nothing new is struck


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault to come. `seed` is for what is left to the moment: which of several processes, say."""

    number: int
    at: float  # seconds from the beginning of the faults
    lasts: float
    kind: str
    target: str
    seed: int

    def __str__(self) -> str:
        until = f" for {self.lasts:.1f} s" if self.lasts else ""
        return f"{self.at:7.2f} s  {self.kind} {self.target}{until}"


@dataclass(frozen=True, slots=True)
class _Out:
    taken: Taken
    begun: float
    ended: float


def make(seed: int, duration: float, rate: float, kinds: Sequence[Kind]) -> list[Strike]:
    """Return the strikes of a run, in their order: `rate` a second on average, as far as the budget allows.

    :raises ValueError: there is no kind to choose from.
    """
    if not kinds:
        raise ValueError("no kinds of faults to choose from")
    rng = random.Random(f"plan {seed}")
    weights = [kind.weight for kind in kinds]
    strikes: list[Strike] = []
    out: list[_Out] = []
    at = round(rng.expovariate(rate), 3)
    while at < duration - LEAST_TAIL:
        out = [each for each in out if each.ended > at]
        for _ in range(TRIES):
            kind = rng.choices(kinds, weights)[0]
            target = rng.choice(kind.targets)
            lasts = round(min(rng.uniform(*kind.lasts), duration - at), 3)
            one = _Out(kind.takes(target), at, at + lasts + kind.rest)
            if _fits(one, out):
                out.append(one)
                strikes.append(Strike(len(strikes), at, lasts, kind.name, target, rng.getrandbits(32)))
                break
        at = round(at + rng.expovariate(rate), 3)
    return strikes


def _fits(one: _Out, others: Sequence[_Out]) -> bool:
    """Tell whether enough is left in action for as long as this one lasts."""
    beside = [other for other in others if other.begun < one.ended and one.begun < other.ended]
    taken = frozenset[str]().union(*(other.taken for other in beside))
    if one.taken & taken:
        return False
    count = Counter(name.partition(":")[0] for name in one.taken | taken)
    return all(count[name] <= most for name, most in MOST.items())
