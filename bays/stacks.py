"""A bay in Heat: where Heat is, what the bay's stack is called, bears and holds, and how it is found again.

Names and tags are made from ids, so that whoever takes over finds what the one before has made.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from functools import cache

from django.conf import settings

from bays import delegations
from bays.calling import leased, outside
from bays.drivers import driver_for
from bays.drivers.base import BaySpec, GroupSpec
from bays.models import Bay, NodeGroup
from bays.states import Status
from clouds.errors import NotFound
from clouds.heat import Heat, Stack, StackRequest, connect

REMOVE, BATCH, ROLLBACK = "remove", "max_batch_size", "rollback"  # in Bay.change
OWNER_TAG = "roadstead"  # on every stack of ours
BAY_TAG = "roadstead-bay-"  # and the bay's id
OPERATION_TAG = (
    "roadstead-op-"  # and the id of the operation that last made or changed it, and for which time
)


def heat() -> Heat:
    """Return Heat as our service user meets it in the service project; it sends nothing from inside a transaction."""
    return _heat(outside)


def heat_of(bay: Bay) -> Heat:
    """Return Heat as the bay's stack is met there: in its owner's project by the bay's delegation, if it has one.

    :raises Undelegated: the delegation cannot be read.
    """
    return _heat_of(bay, outside)


def leased_heat(bay: Bay) -> Heat:
    """Return the same for a step; it sends nothing without a safe lease either.

    :raises Undelegated: the delegation cannot be read.
    """
    return _heat_of(bay, leased)


def _heat_of(bay: Bay, guard: Callable[[], None]) -> Heat:
    trust_id = delegations.trust_of(bay)
    return _heat(guard) if trust_id is None else delegations.heat_by(trust_id, guard)


def _heat(guard: Callable[[], None]) -> Heat:
    return _connect(tuple(sorted(settings.CLOUD_VARIABLES.items())), settings.CLOUD_TIMEOUT, guard)


@cache
def _connect(variables: tuple[tuple[str, str], ...], seconds: float, guard: Callable[[], None]) -> Heat:
    return connect(dict(variables), guard=guard, timeout=seconds)


def spec_of(bay: Bay, groups: Iterable[NodeGroup] = ()) -> BaySpec:
    """Return what the bay should be, for its driver, with these further node groups."""
    model = bay.baymodel
    return BaySpec(
        id=bay.pk,
        name=bay.name,
        coe=model.coe,
        server_type=model.server_type,
        node_count=bay.node_count,
        master_count=bay.master_count,
        labels=bay.labels,
        keypair=bay.keypair,
        image_id=model.image_id,
        flavor_id=bay.flavor_id,
        master_flavor_id=bay.master_flavor_id,
        docker_volume_size=bay.docker_volume_size,
        discovery_url=bay.discovery_url,
        create_timeout=bay.create_timeout,
        groups=tuple(group_spec_of(group) for group in groups),
        remove=bay.change.get(REMOVE, {}),
        max_batch_size=bay.change.get(BATCH),
    )


def group_spec_of(group: NodeGroup) -> GroupSpec:
    return GroupSpec(
        id=group.pk,
        name=group.name,
        node_count=group.node_count,
        role=group.role,
        labels=group.labels,
        image_id=group.image_id,
        flavor_id=group.flavor_id,
        docker_volume_size=group.docker_volume_size,
    )


def request_for(bay: Bay, send: int = 1) -> StackRequest:
    """Return the stack that is this bay, marked with the operation that asks for it, for which time."""
    # A bay has further groups only once it has been created.
    groups = (
        ()
        if bay.status == Status.CREATE_IN_PROGRESS
        else bay.nodegroups.staying().order_by("created_at", "pk")
    )
    spec = spec_of(bay, groups)
    made = driver_for(spec.coe, spec.server_type).template(spec)
    return StackRequest(
        name=stack_name(bay),
        tags=(OWNER_TAG, bay_tag(bay), operation_tag(bay, send)),
        template=made.template,
        files=made.files,
        parameters=made.parameters,
        timeout_minutes=bay.create_timeout or None,
    )


def operation_tag(bay: Bay, send: int = 1) -> str:
    """Return the tag of what the bay's operation asks for; an update that is asked for again has another one."""
    return f"{OPERATION_TAG}{bay.operation_id}{f'-{send}' if send > 1 else ''}"


def stacks_of(heat: Heat, bay: Bay) -> list[Stack]:
    """Return the bay's live stacks, oldest first, by its tag or, failing that, by its name.

    Heat stores the tags of a stack after the stack: one whose making was cut short may have none.
    """
    found = heat.find(bay_tag(bay))
    if not found and (named := heat.named(stack_name(bay))) is not None and bay_of(named) in {None, bay.pk}:
        return [named]
    return found


def stack_of(heat: Heat, bay: Bay) -> Stack | None:
    """Return the bay's stack with its outputs, by id or by tag."""
    if bay.stack_id is not None:
        return show(heat, bay.stack_id)
    stacks = stacks_of(heat, bay)
    return show(heat, stacks[0].id) if stacks else None


def show(heat: Heat, stack_id: uuid.UUID) -> Stack | None:
    """Return the stack, or None if Heat has none or has deleted it."""
    try:
        stack = heat.show(stack_id, outputs=True)
    except NotFound:
        return None
    return None if stack.state == "DELETE_COMPLETE" else stack


def bay_tag(bay: Bay) -> str:
    return f"{BAY_TAG}{bay.pk}"


def stack_name(bay: Bay) -> str:
    """Return the stack's name in Heat: at most 255 characters, since a bay's name has at most 242."""
    return f"{bay.name}-{bay.pk.hex[:12]}"


def bay_of(stack: Stack) -> uuid.UUID | None:
    """Return the id of the bay that a stack was made for, by its tag."""
    for tag in stack.tags:
        if tag.startswith(BAY_TAG):
            try:
                return uuid.UUID(tag.removeprefix(BAY_TAG))
            except ValueError:
                return None
    return None
