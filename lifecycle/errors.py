"""What the core refuses, and why."""

from __future__ import annotations


class UnsafeSwap(TypeError):
    """A swap was asked to filter on, or write from, something other than its own row's columns.

    Under READ COMMITTED two sessions would both win such a write: it is a programming error.
    """


class LifecycleError(Exception):
    """A request or a write that the core refuses."""


class Missing(LifecycleError):
    """There is no such row, or no longer."""


class Unprovided(LifecycleError):
    """Something that a new resource needs was not to be had: nothing was written."""


class StateConflict(LifecycleError):
    """The resource's state does not allow the request; the message names the condition and what was found."""

    def __init__(self, message: str, *, event: str, found: str) -> None:
        super().__init__(message)
        self.event = event
        self.found = found


class Stale(LifecycleError):
    """The writer no longer holds the row under the epoch it claimed: its write was refused, nothing changed."""


class Undone(LifecycleError):
    """What was to be written together with a step's outcome could not be: nothing was, the step is taken again."""


class Overtaken(LifecycleError):
    """A request won the row while its holder worked: the holder's outcome is no longer asked for."""


class LeaseLost(LifecycleError):
    """The process may not act outside any more: its lease is not surely its own."""
