"""The demo driver: what it refuses, and what a real Heat makes of its templates."""

import uuid
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase, override_settings
from hypothesis import given
from hypothesis import strategies as st

from bays import drivers
from bays.drivers import NoDriver, driver_for
from bays.drivers.base import InvalidOutputs, InvalidSpec
from bays.drivers.demo import DemoDriver
from tests.clouds import cause_of, connect_to, heat_endpoint, make_request, make_spec, settled

OUTPUTS = {
    "api_address": "https://10.1.2.254:6443",
    "node_addresses": ["10.1.2.0"],
    "master_addresses": ["10.1.3.0"],
    "coe_version": "demo-1",
}


class DriverForTest(SimpleTestCase):
    def setUp(self):
        drivers.drivers.cache_clear()
        self.addCleanup(drivers.drivers.cache_clear)

    def test_it_finds_the_driver(self):
        self.assertEqual(driver_for("demo", "vm").name, "demo")
        self.assertIs(driver_for("demo", "vm"), driver_for("demo", "vm"))

    def test_it_names_what_there_is(self):
        with self.assertRaisesMessage(NoDriver, "No driver for kubernetes on vm; there is: demo on vm."):
            driver_for("kubernetes", "vm")

    @override_settings(BAY_DRIVERS=["bays.drivers.nothing.Driver"])
    def test_a_wrong_path_is_said(self):
        with self.assertRaisesMessage(ImproperlyConfigured, "bays.drivers.nothing.Driver"):
            driver_for("demo", "vm")

    @override_settings(BAY_DRIVERS=["bays.drivers.demo.DemoDriver"] * 2)
    def test_two_drivers_for_one_thing_are_refused(self):
        with self.assertRaises(ImproperlyConfigured):
            driver_for("demo", "vm")


class CheckTest(SimpleTestCase):
    driver = DemoDriver()

    def test_labels_of_others_are_ignored(self):
        self.driver.check(make_spec(labels={"kube_tag": "v1.30", "boot_seconds": "600", "fail_node": "0"}))

    def test_wrong_values_are_refused_by_field(self):
        wrong: list[tuple[str, dict[str, Any]]] = [
            ("node_count", {"node_count": -1}),
            ("node_count", {"node_count": 251}),
            ("master_count", {"master_count": 0}),
            *(
                ("labels", {"labels": {"boot_seconds": value}})
                for value in ("", "-1", "601", "1.5", "x", "٣", "9" * 99)
            ),
            *(("labels", {"labels": {"fail_node": value}}) for value in ("", "-1", "250", "first")),
        ]
        for field, over in wrong:
            with self.subTest(over), self.assertRaises(InvalidSpec) as caught:
                self.driver.check(make_spec(**over))
            self.assertEqual(caught.exception.field, field)

    def test_the_same_bay_gives_the_same_stack(self):
        spec = make_spec()
        self.assertEqual(self.driver.template(spec), DemoDriver().template(spec))

    def test_the_api_address_stays_when_the_bay_grows(self):
        bay = uuid.uuid4()
        small, large = (self.driver.template(make_spec(id=bay, node_count=count)) for count in (0, 9))
        differ = {key for key in small.parameters if small.parameters[key] != large.parameters[key]}
        self.assertEqual(differ, {"node_count"})


class OutputsTest(SimpleTestCase):
    driver = DemoDriver()

    def test_it_reads_what_the_template_promises(self):
        found = self.driver.outputs(OUTPUTS)
        self.assertEqual((found.api_address, found.node_addresses), ("https://10.1.2.254:6443", ["10.1.2.0"]))

    def test_it_refuses_what_it_does_not(self):
        for over in (
            {"api_address": None},
            {"api_address": "javascript:alert(1)"},
            {"node_addresses": None},
            {"node_addresses": "10.1.2.0"},
            {"node_addresses": [1]},
            {"node_addresses": ["<b>"]},
            {"master_addresses": [None]},
        ):
            with self.subTest(over), self.assertRaises(InvalidOutputs):
                self.driver.outputs({**OUTPUTS, **over})

    @given(
        st.dictionaries(
            st.sampled_from(sorted(OUTPUTS)), st.none() | st.text() | st.lists(st.text() | st.integers())
        )
    )
    def test_anything_else_is_invalid_outputs(self, outputs):
        with self.assertRaises(InvalidOutputs):
            self.driver.outputs(outputs)


class OnRealHeatTest(SimpleTestCase):
    driver = DemoDriver()

    def setUp(self):
        self.heat = connect_to(heat_endpoint())
        self.bay = uuid.uuid4()

    def made(self, **over):
        spec = make_spec(id=self.bay, **over)
        stack_id = self.heat.create(make_request(spec))
        self.addCleanup(self.heat.delete, stack_id)
        return stack_id, settled(self.heat, stack_id)

    def changed(self, stack_id, **over):
        self.heat.update(stack_id, make_request(make_spec(id=self.bay, **over)))
        return settled(self.heat, stack_id)

    def addresses(self, stack_id):
        return self.driver.outputs(self.heat.show(stack_id, outputs=True).outputs).node_addresses

    def nodes(self, stack_id):
        """Return what is under each node: its own stack and its resources, with their times."""
        client, _ = self.heat._connection()
        listed = [one.to_dict() for one in client.resources.list(str(stack_id), nested_depth=5)]
        return {
            (one["resource_name"], one["physical_resource_id"]): (one["creation_time"], one["updated_time"])
            for one in listed
            if one["resource_type"] == "OS::Heat::TestResource"
        }

    def test_a_resize_makes_and_removes_nodes_and_leaves_the_others_alone(self):
        stack_id, stack = self.made(node_count=2)
        self.assertEqual(stack.state, "CREATE_COMPLETE")
        first, addresses = self.nodes(stack_id), self.addresses(stack_id)
        self.assertEqual((len(first), len(addresses)), (3, 2))

        self.assertEqual(self.changed(stack_id, node_count=3).state, "UPDATE_COMPLETE")
        grown = self.nodes(stack_id)
        self.assertEqual(len(grown), 4)
        self.assertEqual({key: grown[key] for key in first}, first)
        self.assertEqual(self.addresses(stack_id)[:2], addresses)

        self.assertEqual(self.changed(stack_id, node_count=0).state, "UPDATE_COMPLETE")
        self.assertEqual(self.addresses(stack_id), [])
        self.assertEqual(len(self.nodes(stack_id)), 1)

    def test_a_bay_without_nodes_is_whole(self):
        stack_id, stack = self.made(node_count=0)
        self.assertEqual((stack.state, self.addresses(stack_id)), ("CREATE_COMPLETE", []))

    def test_an_update_with_other_labels_lifts_a_failure(self):
        stack_id, stack = self.made(node_count=2, labels={"boot_seconds": "0", "fail_node": "1"})
        self.assertEqual(stack.state, "CREATE_FAILED")
        self.assertEqual(cause_of(self.heat, stack_id).resource, "nodes.1.boot")
        stack = self.changed(stack_id, node_count=2)
        self.assertEqual(stack.state, "UPDATE_COMPLETE", stack.reason)
        self.assertEqual(len(self.addresses(stack_id)), 2)

    def test_a_failure_during_growth_names_the_new_node(self):
        stack_id, _ = self.made(node_count=1)
        stack = self.changed(stack_id, node_count=2, labels={"boot_seconds": "0", "fail_node": "1"})
        self.assertEqual(stack.state, "UPDATE_FAILED")
        self.assertEqual(cause_of(self.heat, stack_id).resource, "nodes.1.boot")
