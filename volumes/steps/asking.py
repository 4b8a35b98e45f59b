"""What a step shares with the others: when a long verb should pause, and what a back-end's errors mean."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings

from lifecycle import local
from lifecycle.leases import Held
from lifecycle.outcome import Failed, Retry, StepOutcome
from volumes import reasons, storage
from volumes.backends.base import BackendError, Fenced, GoOn, NoSpace, NotThere, Refused, Unavailable
from volumes.models.volumes import InPool

R = TypeVar("R", bound=InPool)
Step = Callable[[Held[R]], StepOutcome]


def a_while() -> GoOn:
    """Return what tells a long verb to pause after COPY_SLICE seconds, and to stop once the lease may be lost."""
    end = time.monotonic() + settings.COPY_SLICE

    def go_on() -> bool:
        local.require_lease()
        return time.monotonic() < end

    return go_on


def step(act: Step[R]) -> Step[R]:
    """Turn what a back-end may raise into outcomes: silence makes the step try again, a refusal fails the work."""

    def taken(held: Held[R]) -> StepOutcome:
        local.require_lease()
        try:
            return act(held)
        except BackendError as error:
            return outcome_of(held.row, error)

    return taken


def outcome_of(row: InPool, error: BackendError) -> StepOutcome:
    """Return what an error means for work that can be done nowhere else."""
    match error:
        case Unavailable():
            storage.mark_down(row.backend, error)
            return Retry(reasons.unreachable(row.backend, error.reason))
        case Fenced():  # by a successor of ours, whose row this is; our write will be refused
            return Retry(reasons.overtaken(error.reason))
        case NoSpace() | NotThere() | Refused():
            return Failed(refusal_of(row, error))
    return Retry(reasons.broken(row.backend, error.reason))


def refusal_of(row: InPool, error: BackendError) -> str:
    """Return the sentence for an answer of the back-end's after which nothing can still come."""
    says = reasons.full if isinstance(error, NoSpace) else reasons.refused
    return (reasons.not_stored if isinstance(error, NotThere) else says)(row.backend, error.reason)
