"""A transition table as a page for people: the state diagram (Mermaid) and the same in words."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.machine import GONE, Machine, WhenLost

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
    yield ""


def _diagram(machine: Machine) -> Iterator[str]:
    """A flow chart: unlike Mermaid's state diagram it has two kinds of lines."""
    yield "```mermaid"
    yield "flowchart LR"
    yield "    born((( )))"
    for status in machine.statuses:
        shape = "([{}])" if status in machine.busy else "[{}]"
        kind = "busy" if status in machine.busy else "failed" if status.endswith("FAILED") else "rest"
        yield f"    {status}{shape.format(status)}:::{kind}"
    for event, status in machine.births.items():
        yield f"    born -->|{event}| {status}"
    for request in machine.requests.values():
        for source in _ordered(machine, request.sources):
            yield f"    {source} -->|{request.event}| {request.target}"
    for outcome in machine.outcomes.values():
        target = "gone((gone))" if outcome.target == GONE else outcome.target
        for source in _ordered(machine, outcome.sources):
            yield f"    {source} -.->|{outcome.event}| {target}"
    yield "    classDef busy fill:#e3f2fd,stroke:#1565c0,color:#0d47a1"
    yield "    classDef failed fill:#ffebee,stroke:#c62828,color:#b71c1c"
    yield "    classDef rest fill:#e8f5e9,stroke:#2e7d32,color:#1b5e20"
    yield "```"
    yield ""


def _requests(machine: Machine) -> Iterator[str]:
    yield "| request | accepted in | leads to |"
    yield "|---|---|---|"
    for event, status in machine.births.items():
        yield f"| {event} | (a new row) | {status} |"
    for request in machine.requests.values():
        yield f"| {request.event} | {', '.join(_ordered(machine, request.sources))} | {request.target} |"
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
