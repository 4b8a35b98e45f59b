"""One short idempotent step for each busy state of a bay: look at Heat, do what is missing, say what was found.

Any worker may take any step at any time, after any other died in the middle of it. So each step begins with a
look; what is about to be asked of Heat is in the row first; names and tags in Heat are made from ids.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Now

from bays.drivers import driver_for
from bays.drivers.base import BaySpec, InvalidOutputs, InvalidSpec
from bays.models import Bay
from bays.states import Health, Status
from clouds.errors import CloudError, NotFound, Rejected
from clouds.heat import Heat, Stack, StackRequest, connect
from lifecycle import leases, local
from lifecycle.leases import Held
from lifecycle.outcome import Again, Done, Failed, Retry, StepOutcome, Watch

Step = Callable[[Held[Bay]], StepOutcome]

MAX_DELETES = 3  # Heat's own delete fails at times for want of a neighbour; asked again it succeeds
OWNER_TAG = "roadstead"  # on every stack of ours


def heat(guard: Callable[[], None] = lambda: None) -> Heat:
    """Return the configured Heat, which sends nothing from inside a transaction or against `guard`."""

    def guarded() -> None:
        if connection.in_atomic_block and not settings.TESTING:
            raise RuntimeError("A cloud was called inside a transaction.")
        guard()

    return connect(settings.CLOUD_VARIABLES, guard=guarded, timeout=settings.CLOUD_TIMEOUT)


def _step(act: Callable[[Held[Bay], Heat], StepOutcome]) -> Step:
    """Turn what a cloud may answer into outcomes: a refusal fails the work, silence makes it try again."""

    def step(held: Held[Bay]) -> StepOutcome:
        try:
            return act(held, heat(guard=local.require_lease))
        except Rejected as refused:
            return Failed(f"Heat refused: {refused.reason}")
        except (InvalidSpec, InvalidOutputs) as invalid:
            return Failed(invalid.reason)
        except CloudError as silent:
            return Retry(f"Heat: {silent.reason}")

    return step


def spec_of(bay: Bay) -> BaySpec:
    """Return what the bay should be, for its driver."""
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
    )


@_step
def create(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Adopt the bay's stack if there is one, make it if there is none, and wait until it is complete."""
    bay = held.row
    if bay.stack_id is not None:
        return _conclude(held, heat, _show(heat, bay.stack_id), "created")
    twins = heat.find(bay.tag)
    for extra in twins[1:]:  # Heat keeps the earliest of a name too; its check is not a fence
        heat.delete(extra.id)
    if twins:
        return Watch(_soon(), {"stack_id": twins[0].id})
    _intend(held)
    return Watch(_soon(), {"stack_id": heat.create(_request(bay))})


@_step
def update(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Have the stack changed for this operation, unless it bears the operation's tag already."""
    bay = held.row
    stack = _find(heat, bay)
    if stack is None:
        return Failed(_missing(bay))
    if _operation_tag(bay) in stack.tags and stack.action == "UPDATE":
        return _conclude(held, heat, stack, "updated")
    _intend(held)
    heat.update(stack.id, _request(bay))
    return Watch(_soon(), {"stack_id": stack.id})


@_step
def delete(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Have every stack of the bay deleted; the bay is gone when none is left and none can still come."""
    bay = held.row
    left = heat.find(bay.tag)
    if bay.stack_id is not None and all(stack.id != bay.stack_id for stack in left):
        left += [stack for stack in [_show(heat, bay.stack_id)] if stack is not None]
    if not left:
        return _gone_or_late(bay)
    for stack in left:
        if stack.state == "DELETE_IN_PROGRESS":
            continue
        if stack.state == "DELETE_FAILED" and bay.sends >= MAX_DELETES and bay.sent_for == bay.operation_id:
            return Failed(_cause(heat, stack))
        _intend(held)
        heat.delete(stack.id)
    return Watch(_soon(), {"stack_id": left[0].id})


STEPS: dict[str, Step] = {
    Status.CREATE_IN_PROGRESS: create,
    Status.UPDATE_IN_PROGRESS: update,
    Status.DELETE_IN_PROGRESS: delete,
}


def _conclude(held: Held[Bay], heat: Heat, stack: Stack | None, event: str) -> StepOutcome:
    """Turn the state of the bay's stack into the outcome of a create or an update."""
    bay = held.row
    if stack is None or stack.action == "DELETE":
        return Failed(_missing(bay))
    if stack.status == "IN_PROGRESS":
        return Watch(_soon())
    if stack.status == "FAILED":
        return Failed(_cause(heat, stack))
    outputs = driver_for(bay.baymodel.coe, bay.baymodel.server_type).outputs(stack.outputs)
    return Done(
        event,
        {
            "api_address": outputs.api_address,
            "node_addresses": outputs.node_addresses,
            "master_addresses": outputs.master_addresses,
            "coe_version": outputs.coe_version,
            "container_version": outputs.container_version,
            "health_status": Health.HEALTHY,
            "health_status_reason": {},
            "observed_at": Now(),
        },
        reason=f"Stack {event} in Heat.",
    )


def _gone_or_late(bay: Bay) -> StepOutcome:
    """No stack is listed: the bay is gone, unless a create of unknown outcome may still take effect."""
    if bay.stack_id is None and bay.sent_at is not None and bay.claimed_at is not None:
        late = bay.sent_at + timedelta(seconds=settings.CLOUD_QUIET) - bay.claimed_at
        if late > timedelta(0):
            return Again(min(late, timedelta(seconds=5)))
    return Done("deleted")


def _intend(held: Held[Bay]) -> None:
    """Write down that Heat is about to be asked for this operation, and fence it: a late holder stops here."""
    bay = held.row
    again = bay.sent_for == bay.operation_id
    leases.note(
        held,
        sent_for=bay.operation_id,
        sent_at=Now(),
        sends=F("sends") + 1 if again else Value(1),
    )


def _request(bay: Bay) -> StackRequest:
    spec = spec_of(bay)
    made = driver_for(spec.coe, spec.server_type).template(spec)
    return StackRequest(
        name=bay.stack_name,
        tags=(OWNER_TAG, bay.tag, _operation_tag(bay)),
        template=made.template,
        files=made.files,
        parameters=made.parameters,
        timeout_minutes=bay.create_timeout or None,
    )


def _operation_tag(bay: Bay) -> str:
    return f"roadstead-op-{bay.operation_id}"


def _find(heat: Heat, bay: Bay) -> Stack | None:
    """Return the bay's stack with its outputs, by id or by tag."""
    if bay.stack_id is not None:
        return _show(heat, bay.stack_id)
    twins = heat.find(bay.tag)
    return _show(heat, twins[0].id) if twins else None


def _show(heat: Heat, stack_id: uuid.UUID) -> Stack | None:
    """Return the stack, or None if Heat has none or has deleted it."""
    try:
        stack = heat.show(stack_id, outputs=True)
    except NotFound:
        return None
    return None if stack.state == "DELETE_COMPLETE" else stack


def _cause(heat: Heat, stack: Stack) -> str:
    """Return the reason of the first resource that failed; what Heat says of the stack if none is told."""
    failure = heat.first_failure(stack.id)
    if failure is None:
        return stack.reason or f"The stack is {stack.state} and Heat gives no reason."
    return f"{failure.resource} ({failure.resource_type}): {failure.reason}"


def _missing(bay: Bay) -> str:
    return f"Stack {bay.stack_id} was not found in Heat."


def _soon() -> timedelta:
    return timedelta(seconds=settings.HEAT_POLL)
