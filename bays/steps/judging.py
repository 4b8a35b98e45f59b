"""What the state of a bay's stack in Heat says of the bay's work."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import NamedTuple

from django.db.models.functions import Now

from bays import reasons
from bays.drivers import driver_for
from bays.models import Bay
from bays.stacks import REMOVE, ROLLBACK, operation_tag
from bays.states import Health
from bays.steps.asking import soon
from clouds.errors import CloudError
from clouds.heat import Heat, Stack
from lifecycle.leases import Held
from lifecycle.outcome import Done, Failed, Retry, StepOutcome, Watch

BECAUSE, AFTER = "because", "after"  # in Bay.change, under ROLLBACK: why an update failed, sent how often
MAX_UPDATES = 3  # an update that comes upon what an earlier one has left under way is asked for again


def conclude(held: Held[Bay], heat: Heat, stack: Stack | None, event: str) -> StepOutcome:
    """Turn the state of the bay's stack into the outcome of a create or an update."""
    bay = held.row
    if stack is None or stack.action == "DELETE":
        return Failed(reasons.missing(bay.stack_id))
    if stack.status == "IN_PROGRESS":
        return Watch(soon())
    if stack.status == "FAILED":
        return Failed(cause_of(heat, stack).reason)
    outputs = driver_for(bay.baymodel.coe, bay.baymodel.server_type).outputs(stack.outputs)
    return Done(
        event,
        {
            "api_address": outputs.api_address,
            "node_addresses": outputs.node_addresses,
            "nodes": {group: [asdict(node) for node in nodes] for group, nodes in outputs.nodes.items()},
            "master_addresses": outputs.master_addresses,
            "coe_version": outputs.coe_version,
            "container_version": outputs.container_version,
            "health_status": Health.HEALTHY,
            "health_status_reason": {},
            "observed_at": Now(),
        },
        reason=f"Stack {event} in Heat.",
    )


def updated(
    held: Held[Bay], heat: Heat, stack: Stack | None, *, may_resend: bool = True
) -> StepOutcome | None:
    """Return what came of the newest sending of an update; None if it is to be sent again."""
    back = held.row.change.get(ROLLBACK, {})
    if stack is None or stack.state != "UPDATE_FAILED":
        outcome = conclude(held, heat, stack, "updated")
        if isinstance(outcome, Done) and BECAUSE in back:
            why = reasons.rolled_back(held.row.node_count, back[BECAUSE])
            return replace(outcome, event="rolled_back", reason=why)
        return outcome
    cause = cause_of(heat, stack)
    if may_resend and cause.is_aftermath and held.row.sends - back.get(AFTER, 0) < MAX_UPDATES:
        return None
    return failed(held, cause.reason, held.row.sends)


def failed(held: Held[Bay], why: str, sends: int) -> StepOutcome:
    """Let the update fail, sent so often, or have the bay made again what it was before, where that was asked for.

    That is another update, with as much time as the first one had. Heat's own rollback is not used: like any update it
    may come upon what the failed one has left under way, and nobody would send it again.
    """
    bay = held.row
    back = bay.change.get(ROLLBACK)
    if back is None:
        return Failed(why)
    if BECAUSE in back:
        return Failed(reasons.not_rolled_back(why, back[BECAUSE]))
    count = back["node_count"]
    change = {**bay.change, REMOVE: {}, ROLLBACK: {**back, BECAUSE: why, AFTER: sends}}
    deadline = (bay.claimed_at or bay.created_at) + bay.deadline
    fields = {"node_count": count, "change": change, "deadline_at": deadline, "sent_at": None}
    return Retry(reasons.rolling_back(count, why), fields)


def bears(stack: Stack, bay: Bay) -> bool:
    """Tell whether the stack bears the tag of the operation's newest sending: the update has reached it."""
    send = bay.sends if bay.sent_for == bay.operation_id else 1
    return operation_tag(bay, send) in stack.tags and stack.action == "UPDATE"


def turns_back(bay: Bay) -> bool:
    """Tell whether the bay is to be made again what it was, and Heat has not been asked for that yet."""
    return bool(bay.change.get(ROLLBACK, {}).get(AFTER) == bay.sends)


class Cause(NamedTuple):
    """Why a stack failed."""

    reason: str
    is_aftermath: bool  # nothing was wrong but that Heat had not ended what was asked of it before


def cause_of(heat: Heat, stack: Stack) -> Cause:
    """Return the reason of the first resource that failed; what Heat says of the stack if none is told.

    While parts of an update that failed are still under way, Heat may cancel those of the next one for them, or remove
    the template that they are made from and fail for that.
    """
    try:
        failure = heat.first_failure(stack.id)
    except CloudError:
        failure = None
    if failure is None:
        return Cause(reasons.stack_failed(stack.state, stack.reason), "raw_template" in stack.reason)
    return Cause(reasons.failed(failure.resource, failure.resource_type, failure.reason), failure.called_off)
