"""Finds whether some order of a history's operations, taken one at a time, explains all that clients were told.

The search of Wing and Gong, depth first, with Lowe's memory of configurations that led nowhere, over histories that
were parted by resource before (linearizability is local: a history is linearizable if each object's is). An operation
of unknown outcome may have taken effect at any moment after it was begun, or never.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

I = TypeVar("I")  # noqa: E741 - what a model is told of an operation: input and output in one
C_contra = TypeVar("C_contra", contravariant=True)
S = TypeVar("S", bound=Hashable)
LOOK_AT_CLOCK = 256  # steps


@dataclass(frozen=True, slots=True)
class Op(Generic[I]):
    """An operation, from the moment its first request left to that of its answer; `ended` None: never answered.

    `certain` says that it took effect: one that is not may be left out. Uncertain operations of one `kind` have the
    same effect, so that it does not matter which of them took it first.
    """

    call: I
    begun: int
    ended: int | None
    certain: bool = True
    kind: Hashable = None


class Model(Protocol[S, C_contra]):
    """What one resource does when its operations come one after another."""

    def initial(self) -> S:
        """Return the state before the first operation."""

    def step(self, state: S, call: C_contra) -> Iterable[S]:
        """Return the states that the operation may leave behind; none: it cannot have happened here as told."""


class Answer(StrEnum):
    YES = "linearizable"
    NO = "not linearizable"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Result(Generic[S, I]):
    """The answer and, where it is not yes, how far the longest explanation came."""

    answer: Answer
    explained: int
    of: int
    state: S | None = None  # where the longest explanation ended
    stuck: tuple[I, ...] = ()  # the operations of which none could come next
    order: tuple[I, ...] = ()  # the explanation itself

    def __str__(self) -> str:
        if self.answer is Answer.YES:
            return f"{self.answer} ({self.of} operations)"
        came = f"{self.answer}: {self.explained} of {self.of} operations explained"
        return f"{came}, then none of {self.stuck} in {self.state}"


def check(model: Model[S, I], ops: Iterable[Op[I]], *, seconds: float = 30.0) -> Result[S, I]:
    """Search for an order. Whoever runs out of time says so: UNDECIDED is no YES."""
    return _Search(model, list(ops), time.monotonic() + seconds).run()


class _Search(Generic[S, I]):
    """One search. Operations that must be in the order are numbered by their begin; those that may be, apart."""

    def __init__(self, model: Model[S, I], ops: Sequence[Op[I]], end: float) -> None:
        self._model, self._end = model, end
        by_begin = sorted(ops, key=lambda op: op.begun)
        self._must = [op for op in by_begin if op.certain]
        self._may = [op for op in by_begin if not op.certain]
        twins: dict[Hashable, int] = {}
        self._twin: list[int | None] = []  # of each that may be: the one of its kind that goes first
        for number, op in enumerate(self._may):
            self._twin.append(twins.get(op.kind) if op.kind is not None else None)
            twins[op.kind] = number
        # A doubly linked list of those still to be placed; the last element is its head.
        count = len(self._must)
        self._next = [*range(1, count), count, 0] if count else [0]
        self._before = [count, *range(count)] if count else [0]
        self._placed = self._taken = 0  # bit sets
        self._seen: set[tuple[int, int, S]] = set()

    def run(self) -> Result[S, I]:
        """Walk the tree of orders; each level of the stack is one placed operation."""
        head, path = len(self._must), list[tuple[int, bool, S]]()
        state = self._model.initial()
        choices = [self._choices(state)]
        best, best_state, stuck = -1, state, tuple[I, ...]()
        steps = 0
        while self._next[head] != head:
            placed = len(path) - self._taken.bit_count()
            if placed > best:
                best, best_state, stuck = placed, state, self._stuck()
            steps += 1
            if steps % LOOK_AT_CLOCK == 0 and time.monotonic() > self._end:
                return Result(Answer.UNDECIDED, best, head, best_state, stuck)
            chosen = next(choices[-1], None)
            if chosen is not None:
                number, must, after = chosen
                self._place(number, must=must)
                path.append((number, must, state))
                state = after
                choices.append(self._choices(state))
            elif path:
                choices.pop()
                number, must, state = path.pop()
                self._take_back(number, must=must)
            else:
                return Result(Answer.NO, best, head, best_state, stuck)
        order = tuple((self._must if must else self._may)[number].call for number, must, _ in path)
        return Result(Answer.YES, head, head, state, (), order)

    def _choices(self, state: S) -> Iterator[tuple[int, bool, S]]:
        """Yield what may come next, and the state after it, where that was not tried before.

        Next may come whatever was begun before the first end of all that is still to be placed. What is certain is
        tried first, by its end: mostly that is the order in which it happened.
        """
        first_end, early = self._open()
        for number in sorted(early, key=lambda n: self._must[n].ended or math.inf):
            yield from self._after(number, state, must=True)
        for number, op in enumerate(self._may):
            if op.begun > first_end:
                return
            twin = self._twin[number]
            if not self._taken >> number & 1 and (twin is None or self._taken >> twin & 1):
                yield from self._after(number, state, must=False)

    def _after(self, number: int, state: S, *, must: bool) -> Iterator[tuple[int, bool, S]]:
        op = (self._must if must else self._may)[number]
        placed = self._placed | (1 << number) if must else self._placed
        taken = self._taken if must else self._taken | (1 << number)
        for after in self._model.step(state, op.call):
            if not must and after == state:
                continue  # it changes nothing: as good as never
            configuration = (placed, taken, after)
            if configuration not in self._seen:
                self._seen.add(configuration)
                yield number, must, after

    def _open(self) -> tuple[float, list[int]]:
        """Return the first end among what is to be placed, and what was begun before it."""
        head, first_end, early = len(self._must), math.inf, []
        number = self._next[head]
        while number != head and self._must[number].begun <= first_end:
            early.append(number)
            ended = self._must[number].ended
            first_end = first_end if ended is None else min(first_end, ended)
            number = self._next[number]
        return first_end, early

    def _stuck(self) -> tuple[I, ...]:
        return tuple(self._must[number].call for number in self._open()[1])

    def _place(self, number: int, *, must: bool) -> None:
        if not must:
            self._taken |= 1 << number
            return
        self._placed |= 1 << number
        before, after = self._before[number], self._next[number]
        self._next[before], self._before[after] = after, before

    def _take_back(self, number: int, *, must: bool) -> None:
        if not must:
            self._taken &= ~(1 << number)
            return
        self._placed &= ~(1 << number)
        before, after = self._before[number], self._next[number]
        self._next[before] = self._before[after] = number
