"""A run in numbers: what its report shows and its summary keeps."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from chaos.history import Call, Fault
from chaos.verdict import Harm, Verdict

SECOND = 1_000_000_000  # nanoseconds
LOOKS = (".show", ".list")
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment to another, in nanoseconds of the monotonic clock."""

    begun: int
    ended: int

    @property
    def seconds(self) -> float:
        return max(self.ended - self.begun, 0) / SECOND

    def holds(self, moment: int | None) -> bool:
        return moment is not None and self.begun <= moment < self.ended


@dataclass(frozen=True)
class Run:
    """All that is known of a run. `refusals` are moments at which stale writes were refused, so far as is known."""

    seed: int
    broker: str
    command: str  # that repeats it
    machine: str
    clean: Span
    struck: Span  # the faults
    quiet: Span
    calls: Sequence[Call]
    faults: Sequence[Fault]
    verdict: Verdict
    refusals: Sequence[int] = field(default_factory=tuple)

    @property
    def title(self) -> str:
        return f"Chaos run, seed {self.seed}, {self.broker}"


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the value that `share` of them stay within; None of none."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else None


def rate(run: Run, span: Span, *, changes: bool = True) -> float:
    """Return how many requests a second were accepted; with `changes` only those that change something."""
    accepted = sum(
        call.accepted and span.holds(call.ended) and not (changes and call.action.endswith(LOOKS))
        for call in run.calls
    )
    return accepted / span.seconds if span.seconds else 0.0


def answered(run: Run, span: Span) -> float:
    """Return how many requests a second were answered, accepted or refused."""
    found = sum(not call.unknown and span.holds(call.ended) for call in run.calls)
    return found / span.seconds if span.seconds else 0.0


def share(run: Run) -> float | None:
    """Return the accepted rate during faults as a share of that without."""
    clean = rate(run, run.clean)
    return rate(run, run.struck) / clean if clean else None


def take_overs(faults: Iterable[Fault]) -> dict[str, list[float | None]]:
    """Return for each kind of fault the seconds after which each row that was held was taken up; None: not seen."""
    found: dict[str, list[float | None]] = defaultdict(list)
    for fault in faults:
        for each in fault.details.get("take_overs", ()):
            if each.get("how") != "over":  # the blow came after its last write
                found[fault.kind].append(each.get("seconds"))
    return dict(sorted(found.items()))


def seen(seconds: Iterable[float | None]) -> list[float]:
    return [each for each in seconds if each is not None]


def by_action(calls: Iterable[Call]) -> dict[str, Counter[str]]:
    """Return for each action how many calls were accepted, refused and not answered."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for call in calls:
        outcome = "accepted" if call.accepted else "unanswered" if call.unknown else "refused"
        found[call.action][outcome] += 1
    return dict(sorted(found.items()))


def by_kind(faults: Iterable[Fault]) -> dict[str, tuple[int, float]]:
    """Return for each kind of fault how often it struck and how many seconds it lasted in all."""
    count: Counter[str] = Counter()
    lasted: Counter[str] = Counter()
    for fault in faults:
        count[fault.kind] += 1
        lasted[fault.kind] += (fault.ended or fault.begun) - fault.begun
    return {kind: (count[kind], lasted[kind] / SECOND) for kind in sorted(count)}


def refusals(logs: Iterable[Path]) -> list[int]:
    """Return when stale writes were refused, by the clocks of the nodes that logged it: one of them may be off."""
    skew = time.monotonic_ns() - time.time_ns()
    moments = []
    for log in logs:
        for line in log.read_text(errors="replace").splitlines():
            stamp = _STAMP.search(line) if "double prevented" in line else None
            if stamp:
                moments.append(int(datetime.fromisoformat(stamp[0]).timestamp() * 1e9) + skew)
    return sorted(moments)


def summary(run: Run) -> dict[str, Any]:
    """Return the run as one JSON object."""
    every = seen(each for times in take_overs(run.faults).values() for each in times)
    verdict = run.verdict
    return {
        "seed": run.seed,
        "broker": run.broker,
        "command": run.command,
        "machine": run.machine,
        "ok": verdict.ok,
        "seconds": {"clean": run.clean.seconds, "faults": run.struck.seconds, "quiet": run.quiet.seconds},
        **{str(harm): verdict.count(harm) for harm in Harm},
        "calls": len(run.calls),
        "faults": {kind: count for kind, (count, _) in by_kind(run.faults).items()},
        "accepted_per_second": {"clean": rate(run, run.clean), "faults": rate(run, run.struck)},
        "answered_per_second": {"clean": answered(run, run.clean), "faults": answered(run, run.struck)},
        "share_of_clean": share(run),
        "take_over": {
            "count": len(every),
            "p50": percentile(every, 0.5),
            "p99": percentile(every, 0.99),
            "max": max(every, default=None),
        },
        "stale_writes_refused": verdict.stale_refused,
        "answers_replayed": verdict.replayed,
        "sent_again": verdict.sent_again,
        "histories": {f"{kind} {answer}": count for (kind, answer), count in sorted(verdict.checked.items())},
        "failed": dict(verdict.failed),
    }
