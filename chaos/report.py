"""A run told to people: as text for a terminal and a log, and as one page that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from chaos import figures
from chaos.figures import Run
from chaos.timeline import timeline
from chaos.verdict import Harm

TEMPLATE = Path(__file__).with_name("report.html")
SHOWN = 50  # of each kind of harm
NAMES = {
    Harm.LOST: "lost",
    Harm.DOUBLED: "doubled",
    Harm.STUCK: "stuck",
    Harm.ORPHAN: "orphans",
    Harm.WRONG: "contradictions",
    Harm.UNEXPLAINED: "not linearizable",
    Harm.UNDECIDED: "undecided",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title; the first column is text, the others are numbers."""

    title: str
    about: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def verdict_of(run: Run) -> str:
    """Return the verdict in a line."""
    found = [f"{len(run.verdict.harms[harm])} {NAMES[harm]}" for harm in Harm if run.verdict.harms[harm]]
    if not found:
        return "Nothing was lost, doubled, stuck or left over, and every history can be explained."
    return f"Not well: {', '.join(found)}."


def text(run: Run) -> str:
    """Return the report as text."""
    lines = [run.title, verdict_of(run), f"Repeat it: {run.command}", run.machine, ""]
    lines += [f"  {name:34}{value}" for name, value in _figures(run)]
    for table in _tables(run):
        lines += ["", table.title, *_aligned(table)]
    for harm, said in run.verdict.harms.items():
        if said:
            lines += ["", f"{NAMES[harm]} ({len(said)}):", *(f"  {each}" for each in said[:SHOWN])]
            lines += [f"  and {len(said) - SHOWN} more"] if len(said) > SHOWN else []
    return "\n".join(lines) + "\n"


def html(run: Run) -> str:
    """Return the report as a page."""
    cards = "".join(f"<li>{escape(name)}<b>{escape(value)}</b></li>" for name, value in _figures(run))
    return Template(TEMPLATE.read_text()).substitute(
        title=escape(run.title),
        verdict=escape(verdict_of(run)),
        **{"class": "good" if run.verdict.ok else "bad"},
        command=escape(run.command),
        machine=escape(run.machine),
        cards=cards,
        timeline=timeline(run),
        sections="".join([*_harms(run), *map(_table, _tables(run))]),
    )


def _figures(run: Run) -> Iterator[tuple[str, str]]:
    """Yield what is to be known first."""
    verdict = run.verdict
    for harm in Harm:
        yield NAMES[harm], str(verdict.count(harm))
    yield "faults", str(len(run.faults))
    yield "requests", str(len(run.calls))
    yield "accepted changes/s, clean", f"{figures.rate(run, run.clean):.1f}"
    yield "accepted changes/s, faults", f"{figures.rate(run, run.struck):.1f}"
    yield "answered calls/s, clean", f"{figures.answered(run, run.clean):.1f}"
    yield "answered calls/s, faults", f"{figures.answered(run, run.struck):.1f}"
    share = figures.share(run)
    yield "share of the clean rate", "-" if share is None else f"{share:.0%}"
    every = [each for times in figures.take_overs(run.faults).values() for each in times]
    times = figures.seen(every)
    for name, value in zip(("p50", "p99", "max"), _spread(times), strict=True):
        yield f"take-over {name}", _seconds(value)
    yield "stale writes refused", str(verdict.stale_refused)
    yield "requests sent again unanswered", str(verdict.sent_again)
    yield "answers given again", str(verdict.replayed)


def _tables(run: Run) -> Iterator[Table]:
    kinds = figures.by_kind(run.faults)
    rows = [(kind, str(count), f"{lasted:.1f}") for kind, (count, lasted) in kinds.items()]
    yield Table("Faults", "What was struck, and for how long in all.", ("kind", "strikes", "seconds"), rows)
    overs = figures.take_overs(run.faults)
    rows2 = [
        (kind, str(len(times)), *map(_seconds, _spread(figures.seen(times))), str(times.count(None)))
        for kind, times in overs.items()
    ]
    heads = ("after", "rows held", "p50", "p99", "max", "not seen")
    about = "From the blow at a row's holder to the next claim. Where few were held, p99 is the slowest."
    yield Table("Take-overs", about, heads, rows2)
    outcomes = ("accepted", "refused", "unanswered")
    rows3 = [
        (action, *(str(counted[each]) for each in outcomes))
        for action, counted in figures.by_action(run.calls).items()
    ]
    yield Table("Calls", "What clients asked for, and what they were told.", ("action", *outcomes), rows3)
    ended = run.verdict.outcomes
    states = sorted({state for _, state in ended})
    rows4 = [
        (action, *(str(ended[action, state] or "") for state in states))
        for action in sorted({action for action, _ in ended})
    ]
    yield Table(
        "Operations", "What became of all that was accepted.", ("action", *map(str.lower, states)), rows4
    )
    failed = [(what, str(count)) for what, count in run.verdict.failed.most_common()]
    if failed:
        about = (
            "Failed with a reason, as they may where storage is full or a cloud dies: each has an outcome."
        )
        yield Table("Operations that failed", about, ("what and why", "count"), failed)
    checked = [(f"{kind}: {answer}", str(n)) for (kind, answer), n in sorted(run.verdict.checked.items())]
    yield Table("Histories", "Each resource's calls, checked by themselves.", ("kind", "count"), checked)


def _harms(run: Run) -> Iterator[str]:
    for harm, said in run.verdict.harms.items():
        if said:
            items = "".join(f"<li>{escape(each)}</li>" for each in said[:SHOWN])
            more = f"<p>And {len(said) - SHOWN} more.</p>" if len(said) > SHOWN else ""
            name = NAMES[harm].capitalize()
            yield f'<h2 class="bad">{name} ({len(said)})</h2><ol class="harm">{items}</ol>{more}'


def _table(table: Table) -> str:
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in table.heads)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    body = rows or f'<tr><td colspan="{len(table.heads)}">none</td></tr>'
    title = escape(table.title)
    return (
        f'<h2>{title}</h2><div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f"<table><caption>{escape(table.about)}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _aligned(table: Table) -> Iterator[str]:
    width = min(max([len(row[0]) for row in table.rows] + [len(table.heads[0])]), 100)
    for first, *others in (table.heads, *table.rows):
        yield f"  {first:{width}}" + "".join(f"{cell:>12}" for cell in others)


def _spread(times: Iterable[float]) -> tuple[float | None, float | None, float | None]:
    found = list(times)
    return figures.percentile(found, 0.5), figures.percentile(found, 0.99), max(found, default=None)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"
