"""Upgrades, resizes, node groups and deletes of one bay at the same moment: one goes first."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from api.problems import BadRequest, Conflict
from bays import actions, changing, grouping
from bays.groups import find_group
from bays.models import Bay, NodeGroup
from bays.states import Status
from bays.tasks import ENDS
from lifecycle.errors import Missing, StateConflict
from lifecycle.models import Operation
from tests import make
from tests.races.base import RaceTestCase, raised

WIDTH = 16
ROUNDS = 4


class NodeGroupRaceTests(RaceTestCase):
    def setUp(self) -> None:
        self.caller = make.caller()
        self.number = 0

    def settled(self, **over: Any) -> Bay:
        self.number += 1
        values = {
            "name": f"bay{self.number}",
            "model": make.baymodel(),
            "api_address": "https://10.0.0.1:6443",
        }
        return make.bay(Status.CREATE_COMPLETE, **{**values, **over})

    def read(self, bay: Bay) -> Bay:
        return Bay.objects.select_related("baymodel").get(pk=bay.pk)

    def upgrade(self, bay: Bay, ident: str) -> Any:
        return changing.upgrade(self.caller, "", self.read(bay), ident, sent={"cluster_template": ident})

    def resize(self, bay: Bay, count: int, group: str = "default-worker") -> Any:
        found = find_group(self.read(bay), group)
        return grouping.resize_group(self.caller, "", found, count, sent={"node_count": count})

    def delete(self, bay: Bay) -> Any:
        return actions.delete(self.caller, "", self.read(bay))

    def create(self, bay: Bay, name: str) -> Any:
        return grouping.create_group(self.caller, "", self.read(bay), {"name": name})

    def limit(self, bay: Bay, group: str, **bounds: int) -> Any:
        return grouping.limit_group(self.caller, "", find_group(self.read(bay), group), bounds)

    def remove(self, bay: Bay, group: str) -> Any:
        return grouping.delete_group(self.caller, "", find_group(self.read(bay), group))

    def assert_one_first(self, results: list[Any], losers: int) -> None:
        refused = raised(results, StateConflict)
        self.assertEqual(len(raised(results, Exception)), len(refused), results)
        self.assertEqual(len(refused), losers, results)

    def test_sixteen_upgrades_have_one_winner_and_its_baymodel_stays(self) -> None:
        models = [make.baymodel(name=f"m{number}", labels={"n": str(number)}) for number in range(WIDTH)]
        for _ in range(ROUNDS):
            bay = self.settled()
            results = self.race(*(partial(self.upgrade, bay, str(model.pk)) for model in models))
            self.assert_one_first(results, WIDTH - 1)
            (won,) = [result for result in results if isinstance(result, Bay)]
            row = self.read(bay)
            self.assertEqual((row.baymodel_id, row.labels), (won.baymodel_id, won.labels))
            self.assertEqual(row.labels["n"], row.baymodel.labels["n"])
            self.assertEqual(Operation.objects.filter(resource_id=bay.pk, action="upgrade").count(), 1)

    def test_upgrades_and_resizes_against_a_delete_end_in_a_delete(self) -> None:
        model = str(make.baymodel(name="newer").pk)
        for _ in range(ROUNDS):
            bay = self.settled()
            make.nodegroup(bay)
            *others, deleted = self.race(
                *[partial(self.upgrade, bay, model)] * 5,
                *[partial(self.resize, bay, 5)] * 5,
                *[partial(self.resize, bay, 5, "blue")] * 5,
                partial(self.delete, bay),
            )
            self.assertIsInstance(deleted, Bay)
            self.assertEqual(len(raised(others, Exception)), len(raised(others, StateConflict)), others)
            self.assertGreaterEqual(len(raised(others, StateConflict)), 14)
            row = self.read(bay)
            self.assertEqual(row.status, Status.DELETE_IN_PROGRESS)
            states = Operation.objects.filter(resource_id=bay.pk, action__in=["update", "upgrade"])
            self.assertLessEqual(set(states.values_list("state", flat=True)), {"SUPERSEDED"})

    def test_an_upgrade_against_resizes_has_one_winner(self) -> None:
        model = make.baymodel(name="newer")
        for _ in range(ROUNDS):
            bay = self.settled()
            resizes = [partial(self.resize, bay, 5)] * (WIDTH - 1)
            results = self.race(*resizes, partial(self.upgrade, bay, str(model.pk)))
            self.assert_one_first(results, WIDTH - 1)
            row = self.read(bay)
            upgraded, resized = row.baymodel_id == model.pk, row.node_count == 5
            self.assertTrue(upgraded != resized, results)

    def test_a_group_is_made_by_one_of_sixteen(self) -> None:
        for _ in range(ROUNDS):
            bay = self.settled()
            results = self.race(*(partial(self.create, bay, f"g{number}") for number in range(WIDTH)))
            self.assert_one_first(results, WIDTH - 1)
            self.assertEqual(bay.nodegroups.count(), 1)

    def test_a_group_made_against_the_bays_delete_goes_with_it_or_is_never_made(self) -> None:
        for _ in range(ROUNDS):
            bay = self.settled()
            *made, deleted = self.race(
                *(partial(self.create, bay, f"g{number}") for number in range(7)), partial(self.delete, bay)
            )
            self.assertIsInstance(deleted, Bay)
            self.assertEqual(self.read(bay).status, Status.DELETE_IN_PROGRESS)
            created = [result for result in made if not isinstance(result, Exception)]
            self.assertLessEqual(len(created), 1)
            self.assertEqual(bay.nodegroups.count(), len(created))
            self.assertEqual(len(raised(made, StateConflict)), 7 - len(created), made)

    def test_a_group_made_against_the_bays_very_end_is_never_left_behind(self) -> None:
        """The bay's last moment: its row goes. Whoever adds a child has locked the parent, or finds none."""
        for _ in range(ROUNDS):
            bay = self.settled()
            stale = self.read(bay)

            def end(bay: Bay = bay) -> None:
                with transaction.atomic():
                    Bay.objects.filter(pk=bay.pk)._raw_delete("default")
                    ENDS["deleted"](bay, bay)

            racers: list[Any] = [partial(grouping.create_group, self.caller, "", stale, {"name": "g"}), end]
            made, ended = self.race(*racers)
            if isinstance(made, Missing):
                self.assertFalse(Bay.objects.filter(pk=bay.pk).exists())
            else:
                self.assertNotIsInstance(made, Exception)
            self.assertEqual(ended, None)
            there = Bay.objects.filter(pk=bay.pk).exists()
            self.assertEqual(NodeGroup.objects.filter(bay_id=bay.pk).exists(), there)

    def test_bounds_and_a_resize_never_contradict_each_other(self) -> None:
        for group in ("default-worker", "blue"):
            for _ in range(ROUNDS):
                bay = self.settled(node_count=2)
                make.nodegroup(bay, node_count=2)
                results = self.race(
                    *[partial(self.resize, bay, 9, group)] * 4,
                    *[partial(self.limit, bay, group, max_node_count=5)] * 4,
                )
                found = find_group(self.read(bay), group)
                if found.max_node_count is not None:
                    self.assertLessEqual(found.node_count, found.max_node_count, results)

    def test_a_resize_of_a_group_against_its_end_has_one_winner(self) -> None:
        for _ in range(ROUNDS):
            bay = self.settled()
            group = make.nodegroup(bay, node_count=2)
            results = self.race(
                *[partial(self.resize, bay, 5, "blue")] * 7, *[partial(self.remove, bay, "blue")] * 7
            )
            self.assert_one_first(results, 13)
            group.refresh_from_db()
            resized = (group.status, group.node_count) == ("UPDATE_IN_PROGRESS", 5)
            removed = (group.status, group.node_count) == ("DELETE_IN_PROGRESS", 2)
            self.assertTrue(resized or removed, results)


class StaleTests(RaceTestCase):
    """A request that was decided on a bay as it was, written when whole changes have come and gone meanwhile."""

    def setUp(self) -> None:
        self.caller = make.caller()
        nodes = {"default-worker": [{"id": "a", "name": "0", "address": "10.0.0.0"}]}
        self.bay = make.bay(Status.UPDATE_COMPLETE, node_count=3, nodes=nodes)
        self.stale = Bay.objects.select_related("baymodel").get(pk=self.bay.pk)

    def meanwhile(self, **columns: object) -> None:
        Bay.objects.filter(pk=self.bay.pk).update(**columns)

    def test_an_upgrade_that_was_decided_on_an_older_bay_is_refused(self) -> None:
        model = make.baymodel(name="newer", labels={"b": "2"})
        self.meanwhile(labels={"a": "1"})
        with self.assertRaisesMessage(Conflict, "changed by another request"):
            changing.upgrade(self.caller, "", self.stale, str(model.pk), sent={})
        row = Bay.objects.get(pk=self.bay.pk)
        self.assertEqual((row.status, row.labels), (Status.UPDATE_COMPLETE, {"a": "1"}))

    def test_nodes_that_were_named_on_an_older_bay_are_not_removed(self) -> None:
        self.meanwhile(nodes={"default-worker": [{"id": "a", "name": "7", "address": "10.0.0.0"}]})
        with self.assertRaisesMessage(Conflict, "changed by another request"):
            changing.resize(self.caller, "", self.stale, 2, sent={}, remove=["a"])
        self.assertEqual(Bay.objects.get(pk=self.bay.pk).change, {})

    def test_nodes_that_came_meanwhile_are_counted(self) -> None:
        self.meanwhile(node_count=9)
        with self.assertRaisesMessage(Conflict, "node_count (9)"):
            grouping.limit_group(
                self.caller, "", find_group(self.stale, "default-worker"), {"max_node_count": 5}
            )
        self.assertIsNone(Bay.objects.get(pk=self.bay.pk).max_node_count)

    def test_bounds_that_came_meanwhile_are_heeded(self) -> None:
        self.meanwhile(max_node_count=4)
        with self.assertRaisesMessage(BadRequest, "max_node_count = 4"):
            changing.resize(self.caller, "", self.stale, 9, sent={})
        self.assertEqual(Bay.objects.get(pk=self.bay.pk).node_count, 3)
