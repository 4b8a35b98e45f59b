"""The embedded Keystone and the embedded Heat behind it: a stack in the project of the user who asks for it."""

from __future__ import annotations

import time
import uuid
from typing import ClassVar

from django.test import SimpleTestCase

from clouds.errors import NotFound, Unavailable
from clouds.heat import StackRequest, connect
from clouds.keystone import Keystone
from deploy.cloud import PEOPLE, Cloud, populate
from tests.clouds.real import start_cloud

PATIENCE = 60
TEMPLATE = {
    "heat_template_version": "2021-04-16",
    "resources": {"one": {"type": "OS::Heat::Value", "properties": {"value": "1"}}},
}


class RealCloudTests(SimpleTestCase):
    databases = {"default"}
    cloud: ClassVar[Cloud]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloud = start_cloud(cls)

    def test_the_people_are_there_and_settling_twice_changes_nothing(self):
        there = self.cloud.keystone()
        before = {user["name"]: user["id"] for user in there.find("users")}
        self.assertLessEqual(set(PEOPLE), set(before))
        populate(there, lambda user: "another-password")
        self.assertEqual({user["name"]: user["id"] for user in there.find("users")}, before)
        self.assertEqual(Keystone(self.cloud.login("demo")).whoami(), before["demo"])

    def test_who_has_no_role_there_cannot_log_in(self):
        with self.assertRaises(Unavailable):
            Keystone(self.cloud.login("stranger")).whoami()

    def test_a_stack_lives_in_the_project_of_the_user_who_asks(self):
        mine, other = connect(self.cloud.login("demo")), connect(self.cloud.login("stranger", "alt"))
        made = mine.create(StackRequest(f"s-{uuid.uuid4().hex}", ("a-tag",), TEMPLATE))
        end = time.monotonic() + PATIENCE
        while (stack := mine.show(made)).status == "IN_PROGRESS" and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(stack.state, "CREATE_COMPLETE", stack.reason)
        with self.assertRaises(NotFound):
            other.show(made)
        demo = Keystone(self.cloud.login("demo"))
        trusts = demo._ask("GET", "/OS-TRUST/trusts", params={"trustor_user_id": demo.whoami()})["trusts"]
        self.assertEqual(len(trusts), 1)
