"""The plan of a chaos run: the same seed is the same plan, and the budget holds at every moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.test import SimpleTestCase

from chaos import faults, plan
from chaos.faults.base import NODES, with_role
from chaos.plan import Strike

DURATION = 600.0
KINDS = {kind.name: kind for kind in faults.KINDS}


class PlanTests(SimpleTestCase):
    def test_the_same_seed_is_the_same_plan_and_another_is_another(self) -> None:
        first, same, other = (plan.make(seed, DURATION, 0.5, faults.KINDS) for seed in (1, 1, 2))
        self.assertEqual(first, same)
        self.assertNotEqual(first, other)

    def test_it_strikes_about_as_often_as_is_asked_for_and_with_every_kind(self) -> None:
        strikes = plan.make(3, 4000, 0.5, faults.KINDS)
        self.assertGreater(len(strikes), 0.8 * 0.5 * 4000)
        self.assertEqual({strike.kind for strike in strikes}, set(KINDS))

    def test_of_each_sort_of_process_one_is_always_left_and_one_server_at_most_is_out(self) -> None:
        for seed in range(4):
            strikes = plan.make(seed, DURATION / 2, 2.0, faults.KINDS)
            for moment in sorted({strike.at for strike in strikes}):
                out = _out(strikes, moment)
                self.assertEqual(len(out), len(set(out)), f"seed {seed}: struck twice at {moment}: {out}")
                count = Counter(name.partition(":")[0] for name in out)
                for role in ("worker", "api", "beat"):
                    self.assertLess(count[role], len(with_role(role)), f"seed {seed}, {moment}: {out}")
                self.assertLessEqual(count["outage"], 1, f"seed {seed}, {moment}: {out}")

    def test_faults_overlap(self) -> None:
        strikes = plan.make(4, DURATION, 0.5, faults.KINDS)
        self.assertGreater(max(len(_out(strikes, strike.at)) for strike in strikes), 5)

    def test_all_is_healed_when_the_time_is_over(self) -> None:
        for strike in plan.make(5, DURATION, 1.0, faults.KINDS):
            self.assertLessEqual(strike.at + strike.lasts, DURATION + 0.01)

    def test_faults_are_chosen_by_group_and_by_name(self) -> None:
        self.assertEqual(faults.chosen("all"), list(faults.KINDS))
        self.assertEqual({kind.group for kind in faults.chosen("kill,clock")}, {"kill", "clock"})
        self.assertEqual([kind.name for kind in faults.chosen("wipe-broker")], ["wipe-broker"])
        with self.assertRaisesMessage(ValueError, "no such faults: nonsense"):
            faults.chosen("kill,nonsense")

    def test_targets_are_what_there_is(self) -> None:
        for kind in faults.KINDS:
            for target in kind.targets:
                for taken in kind.takes(target):
                    role, _, where = taken.partition(":")
                    if role in {"worker", "api", "beat"}:
                        self.assertIn(where, NODES)


def _out(strikes: Sequence[Strike], moment: float) -> list[str]:
    """Return what is out at a moment; what two strikes take is there twice."""
    return [
        name
        for strike in strikes
        if strike.at <= moment < strike.at + strike.lasts + KINDS[strike.kind].rest
        for name in KINDS[strike.kind].takes(strike.target)
    ]
