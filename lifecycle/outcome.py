"""What a step may answer. A step says what it found; only the lease's holder writes it down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Done:
    """The work has ended well: make the move `event` and write `fields` with it."""

    event: str
    fields: Fields = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """The work goes on: run the step again after `after`, any worker may.

    `also` runs in the transaction that writes this down, for what must change together with it (a reservation).
    """

    after: timedelta = timedelta(0)
    fields: Fields = field(default_factory=dict)
    also: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """The work waits for something outside: the synchronizer looks, in bulk, and wakes the row."""

    after: timedelta
    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retry:
    """The outside could not be asked or did not answer: try again, each time later, until the deadline."""

    reason: str
    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """The work cannot end well: make the busy state's failed move, with this reason for the user."""

    reason: str
    fields: Fields = field(default_factory=dict)


StepOutcome = Done | Again | Watch | Retry | Failed
