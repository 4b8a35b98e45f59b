"""The steps of a bay."""

from __future__ import annotations

from datetime import timedelta

import structlog

from bays import delegations, reasons
from bays.models import Bay
from bays.stacks import request_for, show, stack_of, stacks_of
from bays.states import Status
from bays.steps.asking import Step, intend, may_still_come, not_sent, soon, step
from bays.steps.judging import bears, cause_of, conclude, failed, turns_back, updated
from clouds.errors import CloudError, Rejected, Unavailable
from clouds.heat import Heat, Stack
from lifecycle import leases
from lifecycle.leases import Held
from lifecycle.outcome import Again, Done, Failed, Retry, StepOutcome, Watch

log = structlog.get_logger(__name__)

BARE = "bare"  # in Bay.change: it was seen that nothing of the bay is left in Heat
MAX_DELETES = 3  # Heat's own delete fails at times for want of a neighbour; asked again it succeeds
MAX_WAITS = 5  # half a minute for what a failed update left under way; it may hang as long as Heat lets it


@step
def create(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Adopt the bay's stack if there is one, make it if there is none, and wait until it is complete."""
    bay = held.row
    if bay.stack_id is not None:
        return conclude(held, heat, show(heat, bay.stack_id), "created")
    twins = [stack for stack in stacks_of(heat, bay) if stack.action != "DELETE"]
    for extra in twins[1:]:  # Heat keeps the earliest of a name too; its check is not a fence
        heat.delete(extra.id)
    if twins:
        return Watch(soon(), {"stack_id": twins[0].id})
    if bay.sent_for == bay.operation_id and (late := may_still_come(bay)):
        return Again(min(late, soon()))
    intend(held)
    try:
        return Watch(soon(), {"stack_id": heat.create(request_for(bay))})
    except Rejected as refused:
        # This call was, so nothing was done; a refused look would say nothing of an earlier one.
        return Failed(reasons.refused(refused.reason), {"sent_at": None})
    except Unavailable as down:
        return not_sent(bay, down)


@step
def update(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Have the stack changed for this operation, unless it bears the operation's tag already."""
    bay = held.row
    stack = stack_of(heat, bay)
    if stack is None:
        return Failed(reasons.missing(bay.stack_id))
    asked = bay.sent_for == bay.operation_id
    if bears(stack, bay):
        # Heat stores state and tags apart: a state read together with the new tag may still be the old one.
        if not turns_back(bay) and (ended := updated(held, heat, show(heat, stack.id))) is not None:
            return ended
    elif asked and (late := may_still_come(bay)):
        return Again(min(late, soon()))
    if stack.status == "FAILED" and bay.retries < MAX_WAITS and heat.is_at_work(stack.name, stack.id):
        return Retry(reasons.busy())
    return _send_update(held, heat, stack)


def _send_update(held: Held[Bay], heat: Heat, stack: Stack) -> StepOutcome:
    bay = held.row
    send = intend(held)
    try:
        heat.update(stack.id, request_for(bay, send))
    except Rejected as refused:
        return failed(held, reasons.refused(refused.reason), send)
    except Unavailable as down:
        return not_sent(bay, down)
    return Watch(soon(), {"stack_id": stack.id})


@step
def delete(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Have every stack of the bay deleted; the bay is gone when none is left and none can still come."""
    bay = held.row
    if bay.change.get(BARE):
        return undelegate(held)
    left = left_of(heat, bay)
    if not left:
        late = may_still_come(bay) if bay.stack_id is None else timedelta(0)
        return Again(min(late, soon())) if late else undelegate(held)
    for stack in left:
        if stack.state == "DELETE_IN_PROGRESS":
            continue
        if stack.state == "DELETE_FAILED" and bay.sends >= MAX_DELETES and bay.sent_for == bay.operation_id:
            return Failed(cause_of(heat, stack).reason)
        intend(held)
        heat.delete(stack.id)
    return Watch(soon(), {"stack_id": left[0].id})


def left_of(heat: Heat, bay: Bay) -> list[Stack]:
    """Return every stack of the bay that is not gone yet."""
    left = stacks_of(heat, bay)
    if bay.stack_id is not None and all(stack.id != bay.stack_id for stack in left):
        left += [stack for stack in [show(heat, bay.stack_id)] if stack is not None]
    return left


def undelegate(held: Held[Bay]) -> StepOutcome:
    """Give the bay's delegation back, of which nothing is left; then it is gone.

    That nothing is left is in the row first: without the delegation nobody could look again. Where Keystone does not
    let us or does not answer, the end waits a little, and then leaves it to the search for delegations without a bay.
    """
    bay = held.row
    if bay.delegation is None:
        return Done("deleted")
    if not bay.change.get(BARE):
        leases.note(held, change={BARE: True})
    try:
        delegations.give_back(bay)
    except Unavailable as down:
        if bay.retries < MAX_DELETES:
            return Retry(reasons.silent(down))
        log.warning("a delegation was left behind", bay=str(bay.pk), reason=down.reason)
    except CloudError as refused:
        log.warning("a delegation was left behind", bay=str(bay.pk), reason=refused.reason)
    return Done("deleted")


STEPS: dict[str, Step] = {
    Status.CREATE_IN_PROGRESS: create,
    Status.UPDATE_IN_PROGRESS: update,
    Status.DELETE_IN_PROGRESS: delete,
}
