"""The checker takes histories that can be explained, and none of those that cannot, each written by hand."""

from __future__ import annotations

import random
from collections.abc import Callable

from django.test import SimpleTestCase
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.histories import check_all, doubly_answered, operations
from chaos.linearizable import Answer, Op, check
from tests.chaos.telling import A, B, S, Telling, V, lived, mutated

LIMITS = {"tight": 2}
CREATE, UPDATE = "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"


def answers(told: Telling, *, failed: tuple[str, ...] | None = None) -> dict[str, Answer]:
    """Return the answer for each kind of history there is; the worst where there are several."""
    worst: dict[str, Answer] = {}
    order = [Answer.YES, Answer.UNDECIDED, Answer.NO]
    for checked in check_all(told.calls, LIMITS, failed=failed, seconds=10):
        found = worst.get(checked.kind, Answer.YES)
        worst[checked.kind] = max(found, checked.result.answer, key=order.index)
    return worst


class GoodHistoryTests(SimpleTestCase):
    def accept(self, told: Telling) -> None:
        found = answers(told)
        self.assertTrue(found)
        self.assertEqual(set(found.values()), {Answer.YES}, found)
        self.assertEqual(list(doubly_answered(told.calls)), [])

    def test_it_accepts_a_life_from_end_to_end(self):
        told = Telling().created().shown("creating").shown("available").extend(3).shown("extending")
        told.shown("available", 3).snapped().snapshot_shown("creating").snapshot_shown("available")
        told.delete(400, error="its snapshots would be left: 1.")
        told.tell("snapshot.delete", S, 202, volume=V).delete(400, error="its snapshots would be left: 1.")
        told.tell("snapshot.show", S, 404, volume=V).delete().shown("deleting", 3).missing()
        self.accept(told)

    def test_it_accepts_what_overlaps_in_any_order(self):
        told = Telling().created(at=(0, 10)).shown("available", at=(11, 20))
        told.extend(2, at=(30, 90)).shown("available", 2, at=(31, 80)).shown("available", 1, at=(32, 85))
        self.accept(told)

    def test_it_tries_every_order_of_what_overlaps(self):
        for last in "ab":
            told = Telling().created(at=(0, 10)).tell("volume.update", V, 200, name="a", at=(20, 30))
            told.tell("volume.update", V, 200, name="b", at=(21, 31))
            with self.subTest(last):
                self.accept(told.shown("available", answer={"name": last}))

    def test_a_call_that_was_not_answered_may_have_taken_effect_late_or_never(self):
        for size in (1, 4):
            told = (
                Telling()
                .available()
                .extend(4, None)
                .shown("available")
                .delete(400, error="its snapshots would be left: 1.")
            )
            told.calls.pop()
            with self.subTest(size=size):
                self.accept(told.shown("available", size))

    def test_one_of_two_simultaneous_extends_wins_and_the_other_is_told_why(self):
        told = Telling().created(at=(0, 10)).shown("available", at=(11, 20)).extend(2, at=(30, 60))
        told.extend(3, 400, at=(31, 59), error=f"Cannot extend volume {V}, whose status is extending: ...")
        self.accept(told.shown("available", 2))

    def test_a_request_that_is_sent_again_under_its_key_is_one_request(self):
        told = Telling().available().extend(2, None, key="k").extend(2, 202, key="k").shown("available", 2)
        self.accept(told.extend(2, 202, key="k").shown("available", 2))

    def test_a_volume_goes_to_whoever_takes_it_over(self):
        told = Telling().available().offered().shown("awaiting-transfer").taken("two").missing()
        self.accept(told.shown("available", by="two").delete(by="two").missing(by="two"))

    def test_an_offer_is_refused_for_a_snapshot_that_is_not_finished(self):
        wrong = f"Cannot transfer snapshot {S}, whose status is creating: the status must be available."
        told = Telling().available().snapped().tell("transfer.create", None, 400, volume=V, error=wrong)
        self.accept(told.snapshot_shown("available"))
        told.tell("transfer.create", None, 400, volume=V, error=wrong)
        self.assertIs(answers(told)["volume"], Answer.NO)

    def test_it_is_attached_and_let_go(self):
        told = Telling().available().attach().shown("reserved")
        told.tell("attachment.connect", A, 200, volume=V).shown("attaching")
        told.tell("attachment.complete", A, 204, volume=V).shown("in-use").extend(2).shown("in-use", 2)
        told.tell("attachment.delete", A, 200, volume=V)
        self.accept(told.shown("detaching", 2).shown("available", 2))

    def test_a_cascade_takes_the_snapshots_along(self):
        told = Telling().available().snapped().snapshot_shown("available").delete(cascade=True)
        self.accept(told.snapshot_shown("deleting").tell("snapshot.show", S, 404, volume=V).missing())

    def test_work_that_failed_on_record_may_be_asked_for_again(self):
        told = Telling().created(at=(0, 10)).shown("available", at=(11, 20))
        told.extend(3, at=(30, 60)).extend(3, at=(31, 59)).shown("available", 3)
        self.assertIs(answers(told, failed=(V,))["volume"], Answer.YES)
        self.assertIs(answers(told, failed=())["volume"], Answer.NO)

    def test_a_delete_of_a_bay_overtakes_its_create(self):
        told = Telling().bay("create", 202, {"id": B}, node_count=1)
        told.bay("show", 200, {"status": CREATE, "node_count": 1}).bay("delete", 204)
        told.bay("delete", 409, error="whose status is DELETE_IN_PROGRESS: the status must be one of")
        self.accept(told.bay("show", 404))

    def test_a_quota_has_room_again_when_a_delete_has_ended(self):
        told = Telling().created(by="tight").created("volume-2", by="tight").shown("available", by="tight")
        told.tell(
            "volume.create", None, 413, by="tight", name="x", error="Quota exceeded for volumes: 2 of 2"
        )
        self.accept(told.delete(by="tight").created("volume-3", by="tight"))


def _two_extends(told: Telling) -> Telling:
    told.created(at=(0, 10)).shown("available", at=(11, 20))
    return told.extend(3, at=(30, 60)).extend(3, at=(31, 59))


def _unlisted(told: Telling) -> Telling:
    told.available().tell("volume.list", None, 200, {"volumes": {}})
    return told.shown("available")


BAD: dict[str, tuple[str, Callable[[Telling], Telling]]] = {
    "a create that is lost": ("volume", lambda t: t.created().missing()),
    "a create that is undone": ("volume", lambda t: t.available().shown("creating")),
    "two winners among simultaneous extends": ("volume", _two_extends),
    "a smaller size after an extend": (
        "volume",
        lambda t: t.available().extend(3).shown("available", 3).shown("available", 1),
    ),
    "an extend that was applied twice": (
        "volume",
        lambda t: t.available().extend(2, key="k").extend(2, key="k").shown("available", 3),
    ),
    "an extend that was accepted and never made": (
        "volume",
        lambda t: t.available().extend(3).shown("available", 1),
    ),
    "an effect before its cause": (
        "volume",
        lambda t: t.available().shown("available", 4).extend(4, None),
    ),
    "a delete that was accepted and never made": (
        "volume",
        lambda t: t.available().delete().shown("available", by="admin"),
    ),
    "a volume that comes back after it was gone": (
        "volume",
        lambda t: t.available().delete().missing().shown("available"),
    ),
    "a snapshot of a volume that is gone": (
        "volume",
        lambda t: t.available().delete().missing().snapped(),
    ),
    "a clone of a volume that is gone": (
        "volume",
        lambda t: t.available().delete().missing().created("volume-2", source_volid=V),
    ),
    "a volume deleted under its snapshot": (
        "volume",
        lambda t: t.available().snapped().delete().snapshot_shown("available"),
    ),
    "a snapshot that was never deleted and is gone": (
        "volume",
        lambda t: t.available().snapped().tell("snapshot.show", S, 404, volume=V),
    ),
    "two who have it attached at once": ("volume", lambda t: t.available().attach().attach("attachment-2")),
    "deleted while it is attached": (
        "volume",
        lambda t: t.available().attach().delete(),
    ),
    "two who took over one offer": (
        "volume",
        lambda t: t.available().offered().taken("two").taken("three"),
    ),
    "seen by its old owner after it was taken over": (
        "volume",
        lambda t: t.available().offered().taken("two").shown("available"),
    ),
    "refused for a status that it cannot have": (
        "volume",
        lambda t: t.available().extend(2, 400, error=f"Cannot extend {V}, whose status is deleting: x"),
    ),
    "a snapshot refused as left over that is long gone": (
        "volume",
        lambda t: t.available().delete(400, error="its snapshots would be left: 1."),
    ),
    "not in a list that was asked for after it was made": ("volume", _unlisted),
    "an old name after a completed change": (
        "name",
        lambda t: t.available().tell("volume.update", V, 200, name="new").shown("available"),
    ),
    "a change of name that was refused and made": (
        "name",
        lambda t: (
            t.available().tell("volume.update", V, 412, name="new").shown("available", answer={"name": "new"})
        ),
    ),
    "a bay resized while it is deleted": (
        "bay",
        lambda t: (
            t.bay("create", 202, {"id": B}, node_count=1).bay("delete", 204).bay("resize", 202, node_count=2)
        ),
    ),
    "a bay with the nodes that it had": (
        "bay",
        lambda t: (
            t.bay("create", 202, {"id": B}, node_count=1)
            .bay("show", 200, {"status": "CREATE_COMPLETE", "node_count": 1})
            .bay("resize", 202, node_count=2)
            .bay("show", 200, {"status": "UPDATE_COMPLETE", "node_count": 1})
        ),
    ),
    "a bay that works on what nobody asked for": (
        "bay",
        lambda t: t.bay("create", 202, {"id": B}, node_count=1).bay(
            "show", 200, {"status": UPDATE, "node_count": 1}
        ),
    ),
    "more than a quota allows": (
        "quota",
        lambda t: t.created(by="tight").created("volume-2", by="tight").created("volume-3", by="tight"),
    ),
    "refused by a quota that has room": (
        "quota",
        lambda t: t.created(by="tight").tell(
            "volume.create", None, 413, by="tight", name="x", error="Quota exceeded for volumes"
        ),
    ),
}


class BadHistoryTests(SimpleTestCase):
    def test_it_accepts_none_of_them(self):
        for what, (kind, tell) in BAD.items():
            with self.subTest(what):
                self.assertIs(answers(tell(Telling()), failed=())[kind], Answer.NO)

    def test_a_key_that_is_answered_in_two_ways(self):
        for second in ({"status": 202, "answer": {"digest": "b"}}, {"status": 400, "answer": None}):
            told = (
                Telling().available().extend(2, answer={"digest": "a"}, key="k").extend(2, key="k", **second)
            )
            with self.subTest(second):
                self.assertEqual(len(list(doubly_answered(told.calls))), 1)

    def test_two_changes_of_one_revision(self):
        told = Telling().available()
        for name in ("a", "b"):
            told.tell("volume.update", V, 200, name=name, if_match='"0123-4567"')
        self.assertIn("2 changes were accepted of revision 0123", "".join(doubly_answered(told.calls)))

    def test_it_says_where_the_explanation_ends(self):
        (checked, *_) = check_all(Telling().created().shown("available").missing().calls, {})
        self.assertEqual((checked.result.explained, checked.result.of), (2, 3))
        self.assertEqual([call.status for call in checked.result.stuck], [404])
        self.assertIn("2 of 3 operations explained", str(checked.result))


class Counter:
    """A model that can never say which way it went: any add may have been any number."""

    def initial(self) -> int:
        return 0

    def step(self, state: int, call: str) -> list[int]:
        return [state + 1, state + 2] if call == "add" else []


class SearchTests(SimpleTestCase):
    def test_who_runs_out_of_time_has_not_decided(self):
        ops = [Op("add", 0, 1000 + number) for number in range(40)] + [Op("never", 2000, 2001)]
        self.assertIs(check(Counter(), ops, seconds=0.05).answer, Answer.UNDECIDED)

    def test_the_order_that_it_found_is_one_that_explains(self):
        ops = [Op("add", number, number + 5) for number in range(10)]
        result = check(Counter(), ops)
        self.assertEqual((result.answer, len(result.order)), (Answer.YES, 10))

    def test_nothing_at_all_is_explained(self):
        self.assertIs(check(Counter(), []).answer, Answer.YES)

    def test_what_was_never_answered_and_changes_nothing_costs_nothing(self):
        told = Telling().available()
        for _ in range(200):
            told.tell("volume.update", V, None, name="same")
            told.shown("available")
        self.assertEqual(set(answers(told).values()), {Answer.YES})

    def test_looks_that_were_not_answered_are_no_operations(self):
        self.assertEqual(operations(Telling().tell("volume.show", V, None).calls), [])


class LivedHistoryTests(SimpleTestCase):
    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, 2**32))
    def test_what_a_right_server_did_is_accepted(self, seed):
        calls = lived(random.Random(seed), 40)
        for checked in check_all(calls, {}, seconds=20):
            self.assertIs(checked.result.answer, Answer.YES, f"seed {seed}: {checked.kind} {checked.result}")

    def test_what_was_changed_afterwards_is_mostly_not(self):
        rng = random.Random(4)
        seen = refused = 0
        for _ in range(150):
            calls = lived(rng, 40)
            changed = mutated(rng, calls)
            if changed is not calls:
                seen += 1
                found = check_all(changed, {}, seconds=20)
                refused += any(each.result.answer is Answer.NO for each in found)
        self.assertGreater(refused / seen, 0.6, f"{refused} of {seen}")
        self.assertGreater(seen, 75)
