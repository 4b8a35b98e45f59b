"""One short idempotent step for each busy state of a bay: look at Heat, do what is missing, say what was found.

Any worker may take any step at any time, after any other died in the middle of it. So each step begins with a
look; what is about to be asked of Heat is in the row first; names and tags in Heat are made from ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from typing import NamedTuple

import structlog
from django.conf import settings
from django.db.models import F, Value
from django.db.models.functions import Now

from bays import delegations, reasons
from bays.drivers import driver_for
from bays.drivers.base import InvalidOutputs, InvalidSpec
from bays.models import Bay
from bays.stacks import REMOVE, ROLLBACK, leased_heat, operation_tag, request_for, show, stack_of, stacks_of
from bays.states import Health, Status
from clouds.errors import CloudError, Rejected, Unavailable
from clouds.heat import Heat, Stack
from lifecycle import leases
from lifecycle.leases import Held
from lifecycle.outcome import Again, Done, Failed, Retry, StepOutcome, Watch

log = structlog.get_logger(__name__)
Step = Callable[[Held[Bay]], StepOutcome]

BARE = "bare"  # in Bay.change: it was seen that nothing of the bay is left in Heat
BECAUSE, AFTER = "because", "after"  # in that, under ROLLBACK: why an update failed, sent how often
MAX_DELETES = 3  # Heat's own delete fails at times for want of a neighbour; asked again it succeeds
MAX_UPDATES = 3  # likewise an update that comes upon what an earlier one has left under way
MAX_WAITS = 5  # for that to end: half a minute; it may hang for as long as Heat lets it


def _step(act: Callable[[Held[Bay], Heat], StepOutcome]) -> Step:
    """Turn what a cloud may answer into outcomes: a refusal fails the work, silence makes it try again."""

    def step(held: Held[Bay]) -> StepOutcome:
        try:
            return act(held, leased_heat(held.row))
        except Rejected as refused:
            return Failed(reasons.refused(refused.reason))
        except InvalidSpec as invalid:
            return Failed(reasons.impossible(invalid.reason))
        except InvalidOutputs as invalid:
            return Failed(reasons.unpromised(invalid.reason))
        except CloudError as silent:
            return Retry(reasons.silent(silent))

    return step


@_step
def create(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Adopt the bay's stack if there is one, make it if there is none, and wait until it is complete."""
    bay = held.row
    if bay.stack_id is not None:
        return _conclude(held, heat, show(heat, bay.stack_id), "created")
    twins = [stack for stack in stacks_of(heat, bay) if stack.action != "DELETE"]
    for extra in twins[1:]:  # Heat keeps the earliest of a name too; its check is not a fence
        heat.delete(extra.id)
    if twins:
        return Watch(_soon(), {"stack_id": twins[0].id})
    if bay.sent_for == bay.operation_id and (late := _may_still_come(bay)):
        return Again(min(late, _soon()))
    _intend(held)
    try:
        return Watch(_soon(), {"stack_id": heat.create(request_for(bay))})
    except (
        Rejected
    ) as refused:  # this call was, so nothing was done; a refused look would say nothing of an earlier one
        return Failed(reasons.refused(refused.reason), {"sent_at": None})
    except Unavailable as down:
        return _not_sent(bay, down)


@_step
def update(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Have the stack changed for this operation, unless it bears the operation's tag already."""
    bay = held.row
    stack = stack_of(heat, bay)
    if stack is None:
        return Failed(reasons.missing(bay.stack_id))
    asked = bay.sent_for == bay.operation_id
    if _bears(stack, bay):
        # Heat stores state and tags apart: a state read together with the new tag may still be the old one.
        if not _turns_back(bay) and (ended := _updated(held, heat, show(heat, stack.id))) is not None:
            return ended
    elif asked and (late := _may_still_come(bay)):
        return Again(min(late, _soon()))
    if stack.status == "FAILED" and bay.retries < MAX_WAITS and heat.is_at_work(stack.name, stack.id):
        return Retry(reasons.busy())
    return _send_update(held, heat, stack)


def _send_update(held: Held[Bay], heat: Heat, stack: Stack) -> StepOutcome:
    bay = held.row
    send = _intend(held)
    try:
        heat.update(stack.id, request_for(bay, send))
    except Rejected as refused:
        return _failed(held, reasons.refused(refused.reason), send)
    except Unavailable as down:
        return _not_sent(bay, down)
    return Watch(_soon(), {"stack_id": stack.id})


@_step
def delete(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Have every stack of the bay deleted; the bay is gone when none is left and none can still come."""
    bay = held.row
    if bay.change.get(BARE):
        return _undelegate(held)
    left = _left(heat, bay)
    if not left:
        late = _may_still_come(bay) if bay.stack_id is None else timedelta(0)
        return Again(min(late, _soon())) if late else _undelegate(held)
    for stack in left:
        if stack.state == "DELETE_IN_PROGRESS":
            continue
        if stack.state == "DELETE_FAILED" and bay.sends >= MAX_DELETES and bay.sent_for == bay.operation_id:
            return Failed(_cause(heat, stack).reason)
        _intend(held)
        heat.delete(stack.id)
    return Watch(_soon(), {"stack_id": left[0].id})


def _left(heat: Heat, bay: Bay) -> list[Stack]:
    """Return every stack of the bay that is not gone yet."""
    left = stacks_of(heat, bay)
    if bay.stack_id is not None and all(stack.id != bay.stack_id for stack in left):
        left += [stack for stack in [show(heat, bay.stack_id)] if stack is not None]
    return left


def _undelegate(held: Held[Bay]) -> StepOutcome:
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


@_step
def created_at_last(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Say how the making of the bay's stack ended, if it did; nothing is begun for it."""
    stack = stack_of(heat, held.row)
    if stack is None or stack.action == "DELETE":
        return Watch(_soon())
    outcome = _conclude(held, heat, stack, "created")
    return replace(outcome, fields={**outcome.fields, "stack_id": stack.id})


@_step
def updated_at_last(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Say how the update of the bay's stack ended, if it was sent and did."""
    stack = stack_of(heat, held.row)
    if stack is None or not _bears(stack, held.row) or _turns_back(held.row):
        return Watch(_soon())
    return _updated(held, heat, show(heat, stack.id)) or Watch(_soon())


@_step
def deleted_at_last(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Say whether nothing of the bay is left in Heat and nothing can still come."""
    bay = held.row
    bare = bay.change.get(BARE) or not (_left(heat, bay) or (bay.stack_id is None and _may_still_come(bay)))
    return _undelegate(held) if bare else Watch(_soon())


STEPS: dict[str, Step] = {
    Status.CREATE_IN_PROGRESS: create,
    Status.UPDATE_IN_PROGRESS: update,
    Status.DELETE_IN_PROGRESS: delete,
}
LAST_LOOKS: dict[str, Step] = {
    Status.CREATE_IN_PROGRESS: created_at_last,
    Status.UPDATE_IN_PROGRESS: updated_at_last,
    Status.DELETE_IN_PROGRESS: deleted_at_last,
}


def _conclude(held: Held[Bay], heat: Heat, stack: Stack | None, event: str) -> StepOutcome:
    """Turn the state of the bay's stack into the outcome of a create or an update."""
    bay = held.row
    if stack is None or stack.action == "DELETE":
        return Failed(reasons.missing(bay.stack_id))
    if stack.status == "IN_PROGRESS":
        return Watch(_soon())
    if stack.status == "FAILED":
        return Failed(_cause(heat, stack).reason)
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


def _updated(held: Held[Bay], heat: Heat, stack: Stack | None) -> StepOutcome | None:
    """Return what came of the newest sending of an update; None if it is to be sent again."""
    back = held.row.change.get(ROLLBACK, {})
    if stack is None or stack.state != "UPDATE_FAILED":
        outcome = _conclude(held, heat, stack, "updated")
        if isinstance(outcome, Done) and BECAUSE in back:
            why = reasons.rolled_back(held.row.node_count, back[BECAUSE])
            return replace(outcome, event="rolled_back", reason=why)
        return outcome
    cause = _cause(heat, stack)
    if cause.is_aftermath and held.row.sends - back.get(AFTER, 0) < MAX_UPDATES:
        return None
    return _failed(held, cause.reason, held.row.sends)


def _failed(held: Held[Bay], why: str, sends: int) -> StepOutcome:
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


def _bears(stack: Stack, bay: Bay) -> bool:
    """Tell whether the stack bears the tag of the operation's newest sending: the update has reached it."""
    send = bay.sends if bay.sent_for == bay.operation_id else 1
    return operation_tag(bay, send) in stack.tags and stack.action == "UPDATE"


def _turns_back(bay: Bay) -> bool:
    """Tell whether the bay is to be made again what it was, and Heat has not been asked for that yet."""
    return bool(bay.change.get(ROLLBACK, {}).get(AFTER) == bay.sends)


def _not_sent(bay: Bay, down: Unavailable) -> Retry:
    """Take the intent back: nothing was done, so nothing can still come."""
    before = {"sent_for": bay.sent_for, "sends": bay.sends}
    return Retry(reasons.silent(down), {**before, "sent_at": None})


def _may_still_come(bay: Bay) -> timedelta:
    """Return for how long a call of unknown outcome may still take effect; zero if it cannot.

    Heat's check of names is no fence: two creates of one stack must not be under way at the same time. And an update
    that comes late would undo one that was asked for after it.
    """
    if bay.sent_at is None or bay.claimed_at is None:
        return timedelta(0)
    return max(bay.sent_at + timedelta(seconds=settings.CLOUD_QUIET) - bay.claimed_at, timedelta(0))


def _intend(held: Held[Bay]) -> int:
    """Write down that Heat is about to be asked for this operation, and fence it: a late holder stops here.

    Return for which time.
    """
    bay = held.row
    again = bay.sent_for == bay.operation_id
    leases.note(
        held,
        sent_for=bay.operation_id,
        sent_at=Now(),
        sends=F("sends") + 1 if again else Value(1),
    )
    return bay.sends + 1 if again else 1


class _Cause(NamedTuple):
    """Why a stack failed."""

    reason: str
    is_aftermath: bool  # nothing was wrong but that Heat had not ended what was asked of it before


def _cause(heat: Heat, stack: Stack) -> _Cause:
    """Return the reason of the first resource that failed; what Heat says of the stack if none is told.

    While parts of an update that failed are still under way, Heat may cancel those of the next one for them, or remove
    the template that they are made from and fail for that.
    """
    try:
        failure = heat.first_failure(stack.id)
    except CloudError:
        failure = None
    if failure is None:
        return _Cause(reasons.stack_failed(stack.state, stack.reason), "raw_template" in stack.reason)
    return _Cause(reasons.failed(failure.resource, failure.resource_type, failure.reason), failure.called_off)


def _soon() -> timedelta:
    return timedelta(seconds=settings.HEAT_POLL)
