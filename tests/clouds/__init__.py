"""Tests of clouds, against a real Heat."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping

from django.conf import settings

from bays.drivers.base import BaySpec
from bays.drivers.demo import DemoDriver
from clouds.heat import Failure, Heat, Stack, StackRequest, connect

PATIENCE = 60  # seconds until a stack that does not settle fails the test


def heat_endpoint() -> str:
    """Return the endpoint of the Heat that `make test` started; tests without one must not pass."""
    endpoint = os.environ.get("ROADSTEAD_TEST_HEAT") or settings.CLOUD_VARIABLES.get("OS_ENDPOINT")
    if not endpoint:
        raise AssertionError(
            "These tests need a Heat: run `make test`, or set ROADSTEAD_TEST_HEAT to an endpoint."
        )
    return str(endpoint)


def connect_to(endpoint: str, **options) -> Heat:
    return connect({"OS_AUTH_TYPE": "none", "OS_ENDPOINT": endpoint}, **options)


def make_spec(**over) -> BaySpec:
    fields = {
        "id": uuid.uuid4(),
        "name": "bay",
        "coe": "demo",
        "server_type": "vm",
        "node_count": 1,
        "master_count": 1,
        "labels": {"boot_seconds": "0"},
    }
    return BaySpec(**{**fields, **over})


def make_request(spec: BaySpec, *tags: str) -> StackRequest:
    stack = DemoDriver().template(spec)
    return StackRequest(
        name=f"test-{spec.id}",
        tags=(f"test-{spec.id}", *tags),
        template=stack.template,
        files=stack.files,
        parameters=stack.parameters,
    )


def tiny_request(*tags: str, **resource: object) -> StackRequest:
    """Return a stack of one resource, for what does not need a bay."""
    name = f"test-{uuid.uuid4()}"
    properties: Mapping[str, object] = resource
    template = {
        "heat_template_version": "2021-04-16",
        "resources": {"one": {"type": "OS::Heat::TestResource", "properties": properties}},
    }
    return StackRequest(name=name, tags=(name, *tags), template=template)


def settled(heat: Heat, stack_id: uuid.UUID) -> Stack:
    """Return the stack once it is no longer in progress."""
    deadline = time.monotonic() + PATIENCE
    while (stack := heat.show(stack_id)).status == "IN_PROGRESS":
        if time.monotonic() > deadline:
            raise AssertionError(f"{stack.name} is still {stack.state} after {PATIENCE} s")
        time.sleep(0.1)
    return stack


def cause_of(heat: Heat, stack_id: uuid.UUID) -> Failure:
    """Return why the stack failed, which must be known."""
    failure = heat.first_failure(stack_id)
    if failure is None:
        raise AssertionError("no resource has failed")
    return failure
