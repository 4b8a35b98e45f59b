from __future__ import annotations

from datetime import timedelta

from django.apps import apps
from django.test import SimpleTestCase

from lifecycle.chart import draw
from lifecycle.machine import GONE, Busy, Machine, Outcome, Request, WhenLost
from lifecycle.models import Leased

MACHINES = [model.machine for model in apps.get_models() if issubclass(model, Leased)]
HOUR = timedelta(hours=1)


def thing(**over: object) -> Machine:
    """A small sound machine, with what the test breaks."""
    table: dict[str, object] = {
        "statuses": ["MAKING", "MADE", "BROKEN"],
        "births": {"create": "MAKING"},
        "busy": {"MAKING": Busy(WhenLost.RESUME, HOUR, "failed")},
        "requests": [Request("remake", frozenset({"MADE", "BROKEN"}), "MAKING")],
        "outcomes": [
            Outcome("made", frozenset({"MAKING"}), "MADE", succeeded=True),
            Outcome("failed", frozenset({"MAKING"}), "BROKEN", succeeded=False),
        ],
    }
    return Machine("thing", **{**table, **over})  # type: ignore[arg-type]


class EveryMachineTests(SimpleTestCase):
    """Walk the table of every resource that is installed."""

    def test_there_are_machines_to_walk(self) -> None:
        self.assertIn("bay", [machine.name for machine in MACHINES])

    def test_every_busy_state_can_succeed_can_fail_and_says_what_happens_when_its_holder_is_lost(
        self,
    ) -> None:
        for machine in MACHINES:
            for status, busy in machine.busy.items():
                with self.subTest(machine=machine.name, status=status):
                    ends = [outcome for outcome in machine.outcomes.values() if status in outcome.sources]
                    self.assertTrue(any(outcome.succeeded for outcome in ends))
                    failure = machine.outcomes[busy.failed]
                    self.assertIn(status, failure.sources)
                    self.assertFalse(failure.succeeded)
                    self.assertNotIn(failure.target, machine.busy)
                    self.assertIn(busy.when_lost, WhenLost)
                    self.assertGreater(busy.deadline, timedelta(0))

    def test_every_state_is_reached_and_left(self) -> None:
        for machine in MACHINES:
            moves = list(machine.moves())
            reached = set(machine.births.values()) | {target for _, _, target in moves}
            left = {source for _, source, target in moves if target != source}
            self.assertEqual(set(machine.statuses) - reached, set(), machine.name)
            self.assertEqual(set(machine.statuses) - left, set(), machine.name)

    def test_every_failed_state_accepts_a_request(self) -> None:
        for machine in MACHINES:
            for busy in machine.busy.values():
                target = machine.outcomes[busy.failed].target
                self.assertTrue(target == GONE or machine.offered(target), target)


class MachineTests(SimpleTestCase):
    def test_it_accepts_a_sound_table(self) -> None:
        self.assertEqual(thing().at_rest, ("MADE", "BROKEN"))

    def test_it_refuses_a_table_that_contradicts_itself(self) -> None:
        made = Outcome("made", frozenset({"MAKING"}), "MADE", succeeded=True)
        failed = Outcome("failed", frozenset({"MAKING"}), "BROKEN", succeeded=False)
        remake = Request("remake", frozenset({"MADE", "BROKEN"}), "MAKING")
        broken: dict[str, dict[str, object]] = {
            "a busy state that cannot fail": {"outcomes": [made]},
            "a busy state that cannot succeed": {"outcomes": [failed]},
            "a failure that counts as success": {
                "outcomes": [made, Outcome("failed", frozenset({"MAKING"}), "BROKEN", succeeded=True)]
            },
            "a state that can never be left": {
                "requests": [Request("remake", frozenset({"MADE"}), "MAKING")]
            },
            "a request that ends at rest": {
                "requests": [Request("remake", frozenset({"MADE", "BROKEN"}), "MADE")]
            },
            "a request from an unknown state": {
                "requests": [Request("remake", frozenset({"LOST"}), "MAKING")]
            },
            "an outcome from rest": {
                "outcomes": [made, failed, Outcome("decay", frozenset({"MADE"}), "BROKEN", succeeded=False)]
            },
            "an outcome into the unknown": {
                "outcomes": [made, failed, Outcome("lose", frozenset({"MAKING"}), "LOST", succeeded=False)]
            },
            "a birth at rest": {"births": {"create": "MADE"}},
            "an event named twice": {"requests": [remake, remake]},
            "an unknown busy state": {"busy": {"WAITING": Busy(WhenLost.FAIL, HOUR, "failed")}},
        }
        for what, change in broken.items():
            with self.subTest(what), self.assertRaises(ValueError):
                thing(**change)

    def test_a_refusal_names_the_condition_and_what_was_found(self) -> None:
        self.assertEqual(
            thing().refusal("remake", "MAKING"),
            "Cannot remake a thing whose status is MAKING: the status must be one of MADE, BROKEN.",
        )

    def test_the_page_of_a_machine_names_every_move(self) -> None:
        page = draw(thing())
        for words in ("born -->|create| MAKING", "BROKEN -->|remake| MAKING", "MAKING -.->|failed| BROKEN"):
            self.assertIn(words, page)
