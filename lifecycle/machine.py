"""A resource's life as data: its states, what a user may request, how work ends, what happens to lost work.

A `Machine` does nothing. Everything that must agree with the table is derived from it: the CHECK constraint
and the index on busy rows, the text of a refusal, the admin's buttons, the state diagram and the tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

GONE = "(gone)"  # not a status: the target of the outcome that removes the row


class WhenLost(StrEnum):
    """What the next holder does with work whose holder was lost."""

    RESUME = "resume"  # run the same step again: it looks before it acts
    FAIL = "fail"  # move to the failed state: the work cannot be taken up half way


@dataclass(frozen=True, slots=True)
class Busy:
    """A state in which work is owed.

    `deadline` is the time from the request to the forced failure; a request may bring its own.
    `failed` is the outcome that ends the state when the work fails or runs out of time.
    """

    when_lost: WhenLost
    deadline: timedelta
    failed: str


@dataclass(frozen=True, slots=True)
class Request:
    """A move that the API makes: from a state in which `event` may be asked for, into a busy one."""

    event: str
    sources: frozenset[str]
    target: str
    drawn: bool = True  # one that leads from everywhere would hide the rest of a diagram


@dataclass(frozen=True, slots=True)
class Outcome:
    """A move that only the holder of the row makes: out of a busy state, to rest or out of the table."""

    event: str
    sources: frozenset[str]
    target: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A move that is over as soon as it is accepted: it owes no work.

    From any of `sources` to the one of `targets` that its maker names; without targets it leaves the status as it is.
    A source may be busy only for what calls work off by force.
    """

    event: str
    sources: frozenset[str]
    targets: frozenset[str]
    drawn: bool = True  # one that leads from everywhere to everywhere would hide the rest of a diagram


class Machine:
    """The transition table of one kind of resource.

    :raises ValueError: the table contradicts itself: an unknown state, a busy state that cannot fail or
        cannot be left, a request that ends at rest, an outcome that starts from rest.
    """

    def __init__(
        self,
        name: str,
        *,
        statuses: Sequence[str],
        births: Mapping[str, str],
        busy: Mapping[str, Busy],
        requests: Sequence[Request],
        outcomes: Sequence[Outcome],
        changes: Sequence[Change] = (),
    ) -> None:
        self.name = name
        self.statuses = tuple(str(status) for status in statuses)
        self.births = dict(births)
        self.busy = {str(status): spec for status, spec in busy.items()}
        self.requests = {request.event: request for request in requests}
        self.outcomes = {outcome.event: outcome for outcome in outcomes}
        self.changes = {change.event: change for change in changes}
        self._refuse_contradictions(len(requests) + len(outcomes) + len(changes))

    @property
    def at_rest(self) -> tuple[str, ...]:
        """The states in which nothing is owed."""
        return tuple(status for status in self.statuses if status not in self.busy)

    def offered(self, status: str) -> tuple[Request | Change, ...]:
        """Return the requests and changes that a resource in this status accepts."""
        asked: tuple[Request | Change, ...] = (*self.requests.values(), *self.changes.values())
        return tuple(move for move in asked if status in move.sources)

    def sources(self, event: str) -> frozenset[str]:
        """Return the statuses in which a request or change may be asked for."""
        return (self.requests.get(event) or self.changes[event]).sources

    def removal(self, status: str) -> Outcome | None:
        """Return the outcome that removes a row in this status, where that is what is being done to it."""
        ends = (end for end in self.outcomes.values() if end.target == GONE and status in end.sources)
        return next(ends, None)

    def moves(self) -> Iterator[tuple[str, str, str]]:
        """Yield every move that there is: event, status before, status after (or GONE)."""
        moves: tuple[Request | Outcome, ...] = (*self.requests.values(), *self.outcomes.values())
        for move in moves:
            yield from ((move.event, source, move.target) for source in move.sources)
        for change in self.changes.values():
            yield from ((change.event, s, t) for s in change.sources for t in change.targets or (s,))

    def refusal(self, event: str, found: str) -> str:
        """Return why `event` is refused for a resource in the status `found`, in words for its user."""
        allowed = ", ".join(status for status in self.statuses if status in self.sources(event))
        return f"Cannot {event} a {self.name} whose status is {found}: the status must be one of {allowed}."

    def _refuse_contradictions(self, events: int) -> None:
        known = set(self.statuses)
        if len({*self.requests, *self.outcomes, *self.changes}) != events:
            raise ValueError(f"{self.name}: an event is named twice")
        for request in self.requests.values():
            self._require(request.sources <= known, f"{request.event} starts from an unknown state")
            self._require(request.target in self.busy, f"{request.event} is a request but ends at rest")
        for outcome in self.outcomes.values():
            self._require(
                outcome.sources <= set(self.busy), f"{outcome.event} is an outcome but starts from rest"
            )
            self._require(outcome.target in {*known, GONE}, f"{outcome.event} ends in an unknown state")
        for change in self.changes.values():
            self._require(change.sources <= known, f"{change.event} starts from an unknown state")
            ends = change.targets or change.sources
            self._require(ends <= set(self.at_rest), f"{change.event} is over at once but ends busy")
        for born in self.births.values():
            self._require(born in self.busy, f"a {self.name} is born at rest, in {born}")
        for status, spec in self.busy.items():
            self._require(status in known, f"{status} is busy but unknown")
            failure = self.outcomes.get(spec.failed)
            self._require(
                failure is not None and status in failure.sources and not failure.succeeded,
                f"{status} cannot fail by {spec.failed}",
            )
            self._require(
                any(status in outcome.sources and outcome.succeeded for outcome in self.outcomes.values()),
                f"{status} cannot succeed",
            )
        for status in self.at_rest:
            self._require(bool(self.offered(status)), f"{status} can never be left")

    def _require(self, holds: bool, complaint: str) -> None:
        if not holds:
            raise ValueError(f"{self.name}: {complaint}")
