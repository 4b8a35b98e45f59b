"""Workers that die or freeze before any system call of a verb, and what the next one then makes of it."""

from __future__ import annotations

import itertools
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.backends.interruption import FENCED, FINISHED, Child, interrupt
from tests.backends.storage import CHUNK, SIZE, BackendCase, always, never
from volumes.backends.base import Ref

OLD, NEW = os.urandom(SIZE), os.urandom(SIZE)
MOST = 2000  # calls of a verb


@dataclass
class Scene:
    """A verb that is about to be called, and the bytes under its target's name before it and after it."""

    target: Ref
    verb: Callable[[int], object]
    before: bytes | None
    after: bytes | None


class Interrupted(BackendCase):
    """Scenes for each verb, and a walk along the calls in them."""

    every = 1  # 8 looks at each eighth call only, from one of the first eight on

    def scenes(self) -> dict[str, Callable[[], Scene]]:
        return {
            "create": self.creating,
            "copy": lambda: self.copying(0),
            "copy to another pool": lambda: self.copying(1),
            "snapshot": self.snapshotting,
            "revert": self.reverting,
            "extend": self.extending,
            "delete": self.deleting,
        }

    def creating(self) -> Scene:
        target = self.ref()
        return Scene(target, lambda epoch: self.backend.create(target, SIZE, epoch=epoch), None, bytes(SIZE))

    def copying(self, pool: int) -> Scene:
        source, target = self.volume(OLD), self.ref(pool)
        return Scene(target, self.whole(self.backend.copy, source, target, 2 * SIZE), None, OLD + bytes(SIZE))

    def snapshotting(self) -> Scene:
        source, target = self.volume(OLD), self.ref()
        return Scene(target, self.whole(self.backend.snapshot, source, target), None, OLD)

    def reverting(self) -> Scene:
        target = self.volume(OLD)
        snapshot = self.snapshot(target)
        self.write(target, 0, NEW)
        return Scene(target, self.whole(self.backend.revert, target, snapshot), NEW, OLD)

    def extending(self) -> Scene:
        target = self.volume(OLD)
        return Scene(
            target,
            lambda epoch: self.backend.extend(target, 2 * SIZE, epoch=epoch),
            OLD,
            OLD + bytes(SIZE),
        )

    def deleting(self) -> Scene:
        target = self.volume(OLD)
        return Scene(target, lambda epoch: self.backend.delete(target, epoch=epoch), OLD, None)

    def whole(self, verb: Callable[..., object], *args: object) -> Callable[[int], object]:
        """Return a long verb in two calls: one chunk, then the rest."""

        def call(epoch: int) -> None:
            verb(*args, epoch=epoch, go_on=never)
            verb(*args, epoch=epoch, go_on=always)

        return call

    def at_each_point(self, by: signal.Signals, then: Callable[[Scene, Child], object]) -> None:
        """Interrupt each verb, called with epoch 5, before each of its calls; each time look at a fresh scene."""
        for name, make in self.scenes().items():
            for before in range(random.randint(1, self.every), MOST, self.every):
                scene = make()
                child = interrupt(partial(scene.verb, 5), before=before, by=by)
                if not child.interrupted:
                    self.assertEqual(os.waitstatus_to_exitcode(child.status), FINISHED)
                    self.assertGreater(before, 3)  # else nothing was counted
                    break
                with self.subTest(verb=name, before=before):
                    then(scene, child)
                for made in self.made:
                    self.backend.delete(made, epoch=100)
                self.made.clear()
                self.tidy()
            else:
                self.fail(f"No end after {MOST} calls.")

    def check(self, scene: Scene, *contents: bytes | None) -> None:
        content = self.content(scene.target)
        self.assertTrue(
            content in contents, f"{content and len(content)} bytes: neither what was nor what shall be"
        )
        self.assert_no_stray()


class CrashPromises(Interrupted):
    def test_who_comes_after_the_dead_finishes_the_verb(self) -> None:
        def finish(scene: Scene, _: Child) -> None:
            scene.verb(6)
            self.check(scene, scene.after)

        self.at_each_point(signal.SIGKILL, finish)

    def test_a_delete_after_the_dead_leaves_nothing(self) -> None:
        def delete(scene: Scene, _: Child) -> None:
            self.backend.delete(scene.target, epoch=6)
            self.check(scene, None)

        self.at_each_point(signal.SIGKILL, delete)

    def test_there_is_never_half_a_verb_to_be_seen(self) -> None:
        def look(scene: Scene, _: Child) -> None:
            self.assertIn(self.content(scene.target), (scene.before, scene.after))
            self.backend.fence(scene.target, epoch=6)
            self.check(scene, scene.before, scene.after)

        self.at_each_point(signal.SIGKILL, look)

    def test_who_comes_after_two_dead_finishes_it_all_the_same(self) -> None:
        points = itertools.cycle(range(1, 60, 7))

        def die_and_finish(scene: Scene, _: Child) -> None:
            interrupt(partial(scene.verb, 6), before=next(points), by=signal.SIGKILL)
            scene.verb(7)
            self.check(scene, scene.after)

        self.at_each_point(signal.SIGKILL, die_and_finish)


class StalePromises(Interrupted):
    """A worker freezes before a call; its successor finishes and a user writes; then the worker wakes up."""

    def test_it_does_no_harm_to_what_its_successor_finished(self) -> None:
        self.wake_after(lambda scene: scene.verb(6))

    def test_it_does_no_harm_to_what_was_fenced_off(self) -> None:
        self.wake_after(lambda scene: self.backend.fence(scene.target, epoch=6))

    def test_it_brings_nothing_back_that_was_deleted(self) -> None:
        self.wake_after(lambda scene: self.backend.delete(scene.target, epoch=6))

    def test_it_brings_nothing_back_that_was_finished_then_deleted(self) -> None:
        def finish_and_delete(scene: Scene) -> None:
            scene.verb(6)
            self.backend.delete(scene.target, epoch=7)

        self.wake_after(finish_and_delete)

    def test_it_does_no_harm_to_what_was_extended_since(self) -> None:
        def extend(scene: Scene) -> None:
            self.backend.fence(scene.target, epoch=6)
            if self.content(scene.target) is not None:
                self.backend.extend(scene.target, 3 * SIZE, epoch=7)

        self.wake_after(extend)

    def wake_after(self, successor: Callable[[Scene], object]) -> None:
        def succeed_and_wake(scene: Scene, child: Child) -> None:
            try:
                successor(scene)
                content = self.content(scene.target)
                if content is not None:
                    self.write(scene.target, CHUNK, b"what a user wrote")
                    self.write(scene.target, len(content) - 8, b"the end.")
                    content = self.content(scene.target)
                names = self.names()
            except BaseException:
                child.kill()
                raise
            self.assertIn(child.thaw(), (FINISHED, FENCED))
            self.check_grown(scene.target, content)
            self.assertEqual(self.names(), names)
            self.assert_no_stray()

        self.at_each_point(signal.SIGSTOP, succeed_and_wake)

    def check_grown(self, target: Ref, expected: bytes | None) -> None:
        """What was there is there, with nothing but zeros after it."""
        content = self.content(target)
        if content is None or expected is None:
            self.assertEqual(content, expected)
        else:
            self.assertTrue(content[: len(expected)] == expected)
            self.assertFalse(content[len(expected) :].strip(b"\0"))

    def names(self) -> set[tuple[str, str]]:
        return {(found.pool, found.name) for found in self.backend.inventory()}
