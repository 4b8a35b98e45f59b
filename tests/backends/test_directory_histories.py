"""Any history of verbs, crashes, frozen workers that wake up later, and writes of users, against a model in memory."""

from __future__ import annotations

import itertools
import shutil
import signal
import unittest
import uuid
from collections.abc import Callable, Collection

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.backends import filesystems
from tests.backends.interruption import FAILED, FENCED, FINISHED, Child, interrupt
from tests.backends.storage import always, never
from volumes.backends.base import Finished, NotThere, Ref
from volumes.backends.directory.connect import Access
from volumes.backends.directory.copying import Pace
from volumes.backends.directory.driver import DirectoryBackend
from volumes.backends.directory.pool import Pool, prepare

SIZES = st.sampled_from([1, 4096, 10_000, 20_000])
THINGS = [Ref(pool, uuid.uuid4()) for pool in ("a", "a", "b")]
THING = st.sampled_from(THINGS)
POINT = st.one_of(st.none(), st.integers(1, 45))


class Histories(RuleBasedStateMachine):
    """What is stored is what the model says; a verb that was cut short is finished by the next worker."""

    def __init__(self) -> None:
        super().__init__()
        self.base = filesystems.scratch()
        pools = [Pool(name, str(self.base / name)) for name in ("a", "b")]
        for pool in pools:
            prepare(pool.path)
        access = Access("local", frozenset({"here"}))
        self.backend = DirectoryBackend("h", pools, access=access, pace=Pace(4096), patience=0.0)
        self.model: dict[Ref, bytes] = {}
        self.epochs = itertools.count(1)
        self.frozen: list[tuple[Child, set[int]]] = []  # and how each may end

    def teardown(self) -> None:
        for child, _ in self.frozen:
            child.kill()
        shutil.rmtree(self.base)

    @rule(thing=THING, size=SIZES, at=POINT, freeze=st.booleans())
    def create(self, thing: Ref, size: int, at: int | None, freeze: bool) -> None:
        size = max(size, len(self.model.get(thing, b"")))
        self.call(lambda epoch: self.backend.create(thing, size, epoch=epoch), at, freeze)
        self.model[thing] = self.model.get(thing, b"").ljust(size, b"\0")

    @rule(source=THING, thing=THING, more=SIZES, at=POINT, freeze=st.booleans())
    def copy(self, source: Ref, thing: Ref, more: int, at: int | None, freeze: bool) -> None:
        if source in self.model and thing not in self.model:
            size = len(self.model[source]) + more

            def verb(epoch: int) -> None:
                self.backend.copy(source, thing, size, epoch=epoch, go_on=never)
                self.backend.copy(source, thing, size, epoch=epoch, go_on=always)

            self.call(verb, at, freeze)
            self.model[thing] = self.model[source].ljust(size, b"\0")

    @rule(snapshot=THING, thing=THING, at=POINT, freeze=st.booleans())
    def revert(self, snapshot: Ref, thing: Ref, at: int | None, freeze: bool) -> None:
        if snapshot in self.model and thing in self.model and snapshot != thing:

            def verb(epoch: int) -> None:
                if self.backend.revert(thing, snapshot, epoch=epoch, go_on=never) != Finished():
                    self.backend.revert(thing, snapshot, epoch=epoch, go_on=always)

            self.call(verb, at, freeze)
            self.model[thing] = self.model[snapshot].ljust(len(self.model[thing]), b"\0")

    @rule(thing=THING, size=SIZES, at=POINT, freeze=st.booleans())
    def extend(self, thing: Ref, size: int, at: int | None, freeze: bool) -> None:
        ends = {FINISHED, FENCED, *([] if thing in self.model else [FAILED])}
        try:
            self.call(lambda epoch: self.backend.extend(thing, size, epoch=epoch), at, freeze, ends)
            self.model[thing] = self.model[thing].ljust(size, b"\0")
        except NotThere:
            assert thing not in self.model

    @rule(thing=THING, at=POINT, freeze=st.booleans())
    def delete(self, thing: Ref, at: int | None, freeze: bool) -> None:
        self.call(lambda epoch: self.backend.delete(thing, epoch=epoch), at, freeze)
        self.model.pop(thing, None)

    @rule(thing=THING, data=st.binary(min_size=1, max_size=10), offset=st.integers(0, 20_000))
    def write(self, thing: Ref, data: bytes, offset: int) -> None:
        if thing in self.model and offset + len(data) <= len(self.model[thing]):
            with (self.base / thing.pool / "volumes" / str(thing.id)).open("r+b") as file:
                file.seek(offset)
                file.write(data)
            old = self.model[thing]
            self.model[thing] = old[:offset] + data + old[offset + len(data) :]

    @rule()
    def wake(self) -> None:
        while self.frozen:
            child, ends = self.frozen.pop(0)
            assert child.thaw() in ends

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        stored = {Ref(found.pool, found.id): found for found in self.backend.inventory() if found.id}
        assert set(stored) == set(self.model)
        for thing, data in self.model.items():
            assert (self.base / thing.pool / "volumes" / str(thing.id)).read_bytes() == data
            assert not stored[thing].partial

    def call(
        self,
        verb: Callable[[int], object],
        at: int | None,
        freeze: bool,
        ends: Collection[int] = (FINISHED, FENCED),
    ) -> None:
        """Call a verb, after a worker that was cut short in it if `at` says where."""
        if at is not None:
            epoch = next(self.epochs)
            by = signal.SIGSTOP if freeze else signal.SIGKILL
            child = interrupt(lambda: verb(epoch), before=at, by=by)
            if freeze and child.interrupted:
                self.frozen.append((child, set(ends)))
        verb(next(self.epochs))


class WokenTests(unittest.TestCase):
    def test_who_was_frozen_while_extending_what_is_not_there_says_so_when_it_wakes(self) -> None:
        """Wherever it is frozen; found by the histories, at the last of its calls."""
        for at in range(1, 46):
            lived = Histories()
            try:
                lived.extend(thing=THINGS[0], size=1, at=at, freeze=True)
                lived.wake()
                lived.what_is_stored_is_what_the_model_says()
            finally:
                lived.teardown()


HistoryTests: type[unittest.TestCase] = Histories.TestCase
HistoryTests.settings = settings(  # type: ignore[attr-defined]
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
