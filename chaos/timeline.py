"""The picture of a run: what was accepted each second, what was struck when, and what came of it, on one axis of time.

Inline SVG without anything from elsewhere. Each lane bears its name and each bar its story (a title), so that no colour
has to be told from another.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape

from chaos.figures import LOOKS, SECOND, Run
from chaos.history import Fault

WIDTH, LEFT, RIGHT = 1100, 118, 14
PLOT, ROW, GAP, AXIS = 150, 11, 9, 30  # heights
LEAST = 3.0  # width of a bar that was over at once
MARK = 8
STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
MOST_TICKS = 14
Scale = Callable[[float], float]


def timeline(run: Run) -> str:
    """Return the picture as one svg element."""
    begun, ended = run.clean.begun, max(run.quiet.ended, run.clean.begun + SECOND)

    def x(moment: float) -> float:
        inside = min(max(moment, begun), ended)
        return LEFT + (inside - begun) / (ended - begun) * (WIDTH - LEFT - RIGHT)

    parts = list(_rates(run, begun, ended, x))
    y = PLOT + 2 * GAP
    for label, moments, kind in (
        (f"take-overs ({len(run.verdict.take_overs)})", run.verdict.take_overs, "take"),
        (f"refused writes ({run.verdict.stale_refused})", run.refusals, "refused"),
    ):
        parts += _marks(label, [each for each in moments if begun <= each < ended], kind, y, x)
        y += ROW + GAP
    for group, rows in _lanes(run.faults).items():
        parts += _lane(group, rows, y, x, begun=begun, ended=ended)
        y += len(rows) * ROW + GAP
    parts = [*_phases(run, x, y), *_axis(begun, ended, x, y), *parts]
    height = y + AXIS
    about = (
        f"Requests accepted per second over {(ended - begun) / SECOND:.0f} seconds, {len(run.faults)} faults in lanes "
        f"by group, {len(run.verdict.take_overs)} take-overs."
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-labelledby="what about" class="timeline">'
        f'<title id="what">Timeline of the run</title><desc id="about">{escape(about)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _rates(run: Run, begun: int, ended: int, x: Scale) -> Iterator[str]:
    """Draw the accepted changes and looks of each second, one on the other."""
    count = (ended - begun) // SECOND + 1
    changes, looks = Counter[int](), Counter[int]()
    for call in run.calls:
        if call.accepted and call.ended is not None and begun <= call.ended < ended:
            kind = looks if call.action.endswith(LOOKS) else changes
            kind[(call.ended - begun) // SECOND] += 1
    top = max((changes[n] + looks[n] for n in range(count)), default=0) or 1

    def y(value: float) -> float:
        return GAP + PLOT - value / top * (PLOT - GAP)

    for value in _ticks(top, 4):
        yield (
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            f'<text class="label" x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value}</text>'
        )
    for word, at in (("accepted", 12), ("per second", 26)):
        yield f'<text class="label" x="4" y="{GAP + at}">{word}</text>'
    both = [changes[n] + looks[n] for n in range(count)]
    for name, values, what in (
        ("looks", both, "looks (on top)"),
        ("changes", [changes[n] for n in range(count)], "changes"),
    ):
        points = [(x(begun + n * SECOND), x(begun + (n + 1) * SECOND), y(v)) for n, v in enumerate(values)]
        line = " ".join(f"L{left:.1f} {at:.1f} L{right:.1f} {at:.1f}" for left, right, at in points)
        yield (
            f'<path class="{name}" d="M{LEFT} {y(0):.1f} {line} L{points[-1][1]:.1f} {y(0):.1f} Z">'
            f"<title>{what} accepted in each second</title></path>"
        )


def _marks(label: str, moments: Iterable[int], kind: str, y: float, x: Scale) -> Iterator[str]:
    yield f'<text class="label" x="4" y="{y + ROW - 1:.0f}">{label}</text>'
    for moment in moments:
        at = x(moment)
        shape = f"M{at:.1f} {y:.1f} l{MARK / 2} {MARK} h-{MARK} Z"
        if kind == "refused":
            half = MARK / 2
            shape = f"M{at:.1f} {y:.1f} l{half} {half} l-{half} {half} l-{half} -{half} Z"
        yield f'<path class="{kind}" d="{shape}"/>'


def _lanes(faults: Sequence[Fault]) -> Mapping[str, list[list[Fault]]]:
    """Return the faults of each group in as many rows as it takes to show those at the same time below each other."""
    lanes: dict[str, list[list[Fault]]] = defaultdict(list)
    for fault in sorted(faults, key=lambda each: each.begun):
        rows = lanes[str(fault.details.get("group") or fault.kind)]
        for row in rows:
            if (row[-1].ended or row[-1].begun) + SECOND <= fault.begun:
                row.append(fault)
                break
        else:
            rows.append([fault])
    return dict(sorted(lanes.items()))


def _lane(
    group: str, rows: Sequence[Sequence[Fault]], y: float, x: Scale, *, begun: int, ended: int
) -> Iterator[str]:
    count = sum(map(len, rows))
    yield f'<text class="label" x="4" y="{y + ROW - 2:.0f}">{escape(group)} ({count})</text>'
    for number, row in enumerate(rows):
        for fault in row:
            left, right = x(fault.begun), x(fault.ended or ended)
            lasted = ((fault.ended or ended) - fault.begun) / SECOND
            at = (fault.begun - begun) / SECOND
            said = f"{fault.kind} of {fault.target} at {at:.1f} s for {lasted:.1f} s. {fault.note}"
            yield (
                f'<rect class="fault" x="{left:.1f}" y="{y + number * ROW:.0f}" '
                f'width="{max(right - left, LEAST):.1f}" height="{ROW - 3}" rx="1.5">'
                f"<title>{escape(said)}</title></rect>"
            )


def _phases(run: Run, x: Scale, y: float) -> Iterator[str]:
    for name, span in (("clean", run.clean), ("faults", run.struck), ("quiet", run.quiet)):
        left, right = x(span.begun), x(span.ended)
        yield (
            f'<rect class="phase {name}" x="{left:.1f}" y="0" width="{max(right - left, 0):.1f}" height="{y:.0f}"/>'
            f'<text class="label phase-name" x="{left + 4:.1f}" y="11">{name}</text>'
        )


def _axis(begun: int, ended: int, x: Scale, y: float) -> Iterator[str]:
    for second in _ticks((ended - begun) / SECOND, MOST_TICKS):
        at = x(begun + second * SECOND)
        yield (
            f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{y:.0f}"/>'
            f'<text class="label" x="{at:.1f}" y="{y + 16:.0f}" text-anchor="middle">{second}</text>'
        )
    yield f'<text class="label" x="4" y="{y + 16:.0f}">seconds</text>'


def _ticks(top: float, most: int) -> range:
    step = next((step for step in STEPS if top / step <= most), STEPS[-1])
    return range(0, int(top) + 1, step)
