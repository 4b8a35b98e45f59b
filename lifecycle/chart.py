"""A transition table as a page for people: the state diagram (Mermaid) and the same in words."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.machine import GONE, Change, Machine, Request, WhenLost

LOST = {
    WhenLost.RESUME: "the next worker takes the step again",
    WhenLost.FAIL: "the next worker moves it to the failed state",
}


def draw(machine: Machine) -> str:
    """Return the Markdown page of a machine; the same table always gives the same page."""
    return "\n".join([*_head(machine), *_diagram(machine), *_requests(machine), *_busy(machine), ""])


def _head(machine: Machine) -> Iterator[str]:
    yield f"# The states of a {machine.name}"
    yield ""
    yield "Generated from the transition table by `manage.py statechart`; `make test` fails if it is out of date."
    yield "Solid lines are requests, made by the API. Dotted ones are outcomes, made by the holder of the lease alone."
    left_out = [move.event for move in _requested(machine) if not move.drawn]
    if left_out:
        yield f"The picture leaves out what leads from nearly everywhere ({', '.join(left_out)}); the table does not."
    yield ""


def _diagram(machine: Machine) -> Iterator[str]:
    """A flow chart: unlike Mermaid's state diagram it has two kinds of lines."""
    arrows = list(_arrows(machine))
    touched = {end for source, _, _, target in arrows for end in (source, target)}
    yield "```mermaid"
    yield "flowchart LR"
    yield "    born((( )))"
    for status in machine.statuses:
        if status in touched:
            yield f"    {status}{_shape(machine, status)}"
    for number, targets in enumerate(_choices(machine)):
        yield f"    {_choice(number)}{{one of}}:::choice"
        for target in _ordered(machine, targets):
            yield f"    {_choice(number)} --> {target}"
    for source, line, events, target in arrows:
        yield f"    {source} {line}|{'<br>'.join(events)}| {'gone((gone))' if target == GONE else target}"
    yield "    classDef busy fill:#e3f2fd,stroke:#1565c0,color:#0d47a1"
    yield "    classDef failed fill:#ffebee,stroke:#c62828,color:#b71c1c"
    yield "    classDef rest fill:#e8f5e9,stroke:#2e7d32,color:#1b5e20"
    if _choices(machine):
        yield "    classDef choice fill:#fff8e1,stroke:#f9a825,color:#6d4c00"
    yield "```"
    yield ""


def _shape(machine: Machine, status: str) -> str:
    if status in machine.busy:
        return f"([{status}]):::busy"
    failed = status.lower().endswith("failed") or status.startswith("error")
    return f"[{status}]:::{'failed' if failed else 'rest'}"


def _arrows(machine: Machine) -> Iterator[tuple[str, str, list[str], str]]:
    """Yield source, line, events and target; events with the same ends share one arrow."""
    arrows: dict[tuple[str, str, str], list[str]] = {}
    for event, status in machine.births.items():
        arrows.setdefault(("born", "-->", status), []).append(event)
    for move in (move for move in _requested(machine) if move.drawn):
        target = _target(machine, move)
        for source in _ordered(machine, move.sources):
            if target and (source != target or isinstance(move, Request)):
                arrows.setdefault((source, "-->", target), []).append(move.event)
    for outcome in machine.outcomes.values():
        for source in _ordered(machine, outcome.sources):
            arrows.setdefault((source, "-.->", outcome.target), []).append(outcome.event)
    for (source, line, target), events in arrows.items():
        yield source, line, events, target


def _requested(machine: Machine) -> Iterator[Request | Change]:
    yield from machine.requests.values()
    yield from machine.changes.values()


def _target(machine: Machine, move: Request | Change) -> str:
    """Return where an arrow leads: to a status, to the choice between several, or nowhere."""
    if isinstance(move, Request):
        return move.target
    if len(move.targets) > 1:
        return _choice(_choices(machine).index(move.targets))
    return next(iter(move.targets), "")


def _choices(machine: Machine) -> list[frozenset[str]]:
    """Return the sets of statuses between which changes choose, each once."""
    sets = (change.targets for change in machine.changes.values() if change.drawn and len(change.targets) > 1)
    return list(dict.fromkeys(sets))


def _choice(number: int) -> str:
    return f"choice{number}"


def _requests(machine: Machine) -> Iterator[str]:
    yield "| request | accepted in | leads to |"
    yield "|---|---|---|"
    for event, status in machine.births.items():
        yield f"| {event} | (a new row) | {status} |"
    for request in machine.requests.values():
        yield f"| {request.event} | {', '.join(_ordered(machine, request.sources))} | {request.target} |"
    for change in machine.changes.values():
        sources, targets = (", ".join(_ordered(machine, names)) for names in (change.sources, change.targets))
        yield f"| {change.event} | {sources} | {targets or 'the same'}, at once |"
    yield ""


def _busy(machine: Machine) -> Iterator[str]:
    yield "| busy state | ends well by | fails by | deadline | if its worker is lost |"
    yield "|---|---|---|---|---|"
    for status, spec in machine.busy.items():
        ends = [
            f"{outcome.event} → {outcome.target}"
            for outcome in machine.outcomes.values()
            if outcome.succeeded and status in outcome.sources
        ]
        failure = f"{spec.failed} → {machine.outcomes[spec.failed].target}"
        minutes = f"{spec.deadline.total_seconds() / 60:g} min, or the request's"
        yield f"| {status} | {', '.join(ends)} | {failure} | {minutes} | {LOST[spec.when_lost]} |"


def _ordered(machine: Machine, statuses: frozenset[str]) -> list[str]:
    return [status for status in machine.statuses if status in statuses]
