"""The report says what the run was: as text, as a page that needs nothing else, and in numbers."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

from django.test import SimpleTestCase

from chaos import report
from chaos.figures import SECOND, Run, Span, percentile, refusals, share, summary, take_overs
from chaos.history import Call, Fault
from chaos.timeline import timeline
from chaos.verdict import Harm, Verdict

EVIL = '<b title="x">&'


def call(second: float, action: str = "volume.create", status: int | None = 202) -> Call:
    moment = int(second * SECOND)
    return Call(0, 0, action, None, {"tenant": "one"}, None, moment, moment, status)


def a_run(**over: object) -> Run:
    """Return a run of 10 s clean, 20 s of faults and 10 s of quiet, with half the clean rate during faults."""
    took = [
        {"seconds": 0.5, "how": "claimed"},
        {"seconds": 0.1, "how": "over"},
        {"seconds": None, "how": "never"},
    ]
    faults = [
        Fault(
            "worker killed", "node1", 12 * SECOND, 12 * SECOND, EVIL, {"group": "kill", "take_overs": took}
        ),
        Fault("link cut", "node1>postgres", 13 * SECOND, 18 * SECOND, "", {"group": "links"}),
        Fault("link cut", "node2>postgres", 14 * SECOND, None, "", {"group": "links"}),
    ]
    values: dict[str, object] = {
        "seed": 7,
        "broker": "redis",
        "command": "make chaos SEED=7",
        "machine": "a machine",
        "clean": Span(0, 10 * SECOND),
        "struck": Span(10 * SECOND, 30 * SECOND),
        "quiet": Span(30 * SECOND, 40 * SECOND),
        "calls": [call(n + 0.5) for n in range(20)] + [call(5, "volume.show", 200), call(15, status=None)],
        "faults": faults,
        "verdict": Verdict(take_overs=[13 * SECOND, 99 * SECOND], stale_refused=2),
    }
    return Run(**(values | over))  # type: ignore[arg-type]


class FiguresTests(SimpleTestCase):
    def test_the_share_is_of_changes_alone(self):
        self.assertEqual(share(a_run()), 0.5)
        self.assertIsNone(share(a_run(calls=[])))

    def test_a_take_over_counts_unless_the_work_was_over(self):
        self.assertEqual(take_overs(a_run().faults), {"worker killed": [0.5, None]})

    def test_percentiles(self):
        self.assertEqual(percentile(range(1, 101), 0.5), 51)
        self.assertEqual(percentile(range(1, 101), 0.99), 100)
        self.assertIsNone(percentile([], 0.5))

    def test_the_summary_is_json(self):
        found = json.loads(json.dumps(summary(a_run())))
        self.assertEqual((found["lost"], found["ok"], found["share_of_clean"]), (0, True, 0.5))
        self.assertEqual(found["faults"], {"link cut": 2, "worker killed": 1})

    def test_refusals_are_found_in_logs_of_either_form(self):
        with tempfile.TemporaryDirectory() as place:
            log = Path(place) / "node1.log"
            log.write_text(
                "timestamp='2026-01-01T00:00:00.5Z' level='warning' event='double prevented'\n"
                '{"event": "double prevented", "timestamp": "2026-01-01T00:00:01.5Z"}\n'
                "timestamp='2026-01-01T00:00:02Z' event='claimed'\n"
            )
            first, second = refusals([log])
        self.assertEqual(second - first, SECOND)


class ReportTests(SimpleTestCase):
    def test_the_text_says_well_or_what_is_not(self):
        run = a_run()
        self.assertIn("Nothing was lost", report.text(run))
        run.verdict.add(Harm.LOST, "volume 1 is lost")
        run.verdict.add(Harm.UNDECIDED, "volume 2 took too long")
        text = report.text(run)
        self.assertIn("Not well: 1 lost, 1 undecided.", text)
        self.assertIn("volume 1 is lost", text)
        self.assertIn("make chaos SEED=7", text)

    def test_the_page_needs_nothing_from_elsewhere_and_trusts_no_text(self):
        run = a_run()
        run.verdict.add(Harm.LOST, EVIL)
        page = report.html(run)
        self.assertNotIn(EVIL, page)
        self.assertNotIn("$", re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL))
        self.assertEqual(re.findall(r"(?:src|href)=|url\(|@import|<script", page), [])
        self.assertIn('<html lang="en">', page)
        self.assertIn("prefers-color-scheme: dark", page)

    def test_the_picture_is_well_formed_and_tells_its_story_in_words(self):
        svg = ET.fromstring(timeline(a_run()))  # noqa: S314 - our own words
        titles = [title.text for title in svg.iter("title")]
        self.assertIn(f"worker killed of node1 at 12.0 s for 0.0 s. {EVIL}", titles)
        self.assertTrue((svg.findtext("desc") or "").startswith("Requests accepted per second over 40"))
        bars = [rect for rect in svg.iter("rect") if rect.get("class") == "fault"]
        self.assertEqual(len(bars), 3)
        self.assertEqual(len({bar.get("y") for bar in bars}), 3)  # what is at the same time is drawn apart
        marks = [path for path in svg.iter("path") if path.get("class") == "take"]
        self.assertEqual(len(marks), 1)  # what was after the run is not drawn

    def test_a_run_of_nothing_has_a_report(self):
        nothing = a_run(calls=[], faults=[], clean=Span(0, 0), struck=Span(0, 0), quiet=Span(0, 0))
        self.assertIn("none", report.html(nothing))
        self.assertIn("share of the clean rate", report.text(nothing))
