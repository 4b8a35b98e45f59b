"""The page of a machine: what its picture shows, shares and leaves out, and that its table has all."""

from __future__ import annotations

from datetime import timedelta
from unittest import TestCase

from lifecycle.chart import draw
from lifecycle.machine import GONE, Busy, Change, Machine, Outcome, Request, WhenLost

BUSY = Busy(WhenLost.RESUME, deadline=timedelta(minutes=1), failed="failed")
MACHINE = Machine(
    "lamp",
    statuses=["making", "off", "on", "dim", "broken", "put-away"],
    births={"make": "making"},
    busy={"making": BUSY},
    requests=[
        Request("remake", frozenset({"off", "broken"}), "making"),
        Request("rescue", frozenset({"off", "on", "dim", "broken", "put-away"}), "making", drawn=False),
    ],
    outcomes=[
        Outcome("made", frozenset({"making"}), "off", succeeded=True),
        Outcome("removed", frozenset({"making"}), GONE, succeeded=True),
        Outcome("failed", frozenset({"making"}), "broken", succeeded=False),
    ],
    changes=[
        Change("press", frozenset({"off"}), frozenset({"on"})),
        Change("pull", frozenset({"off"}), frozenset({"on"})),
        Change("turn", frozenset({"on", "dim"}), frozenset({"on", "dim", "off"})),
        Change("paint", frozenset({"off"}), frozenset()),
        Change("smash", frozenset({"on", "off"}), frozenset({"broken", "put-away"}), drawn=False),
    ],
)


class ChartTests(TestCase):
    def setUp(self):
        page = draw(MACHINE)
        self.picture, self.tables = page.split("```mermaid")[1].split("```")
        self.head = page.split("```mermaid")[0]

    def test_moves_between_the_same_two_share_an_arrow(self):
        self.assertIn("off -->|press<br>pull| on", self.picture)

    def test_a_move_to_several_leads_through_a_choice(self):
        for line in ("on -->|turn| choice0", "dim -->|turn| choice0", "choice0 --> dim", "choice0 --> off"):
            self.assertIn(line, self.picture)

    def test_requests_and_outcomes_have_lines_of_their_own(self):
        self.assertIn("broken -->|remake| making", self.picture)
        self.assertIn("making -.->|removed| gone((gone))", self.picture)

    def test_what_would_hide_the_rest_is_left_out_and_told(self):
        for event in ("rescue", "smash"):
            self.assertNotIn(event, self.picture)
            self.assertIn(event, self.head)
        self.assertNotIn("put-away", self.picture)
        self.assertNotIn("paint", self.picture)

    def test_the_tables_have_all(self):
        for event in (*MACHINE.requests, *MACHINE.changes, *MACHINE.births):
            self.assertIn(f"| {event} |", self.tables)
        self.assertIn("| smash | off, on | broken, put-away, at once |", self.tables)
        self.assertIn("| paint | off | the same, at once |", self.tables)
