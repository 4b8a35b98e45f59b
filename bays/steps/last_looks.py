"""What a bay's stack says at the bay's deadline: how the work ended, if it did. Nothing is begun for it.

All of us may have been down when it ended.
"""

from __future__ import annotations

import time
from dataclasses import replace

from django.conf import settings

from bays import reasons
from bays.models import Bay
from bays.stacks import show, stack_of
from bays.states import Status
from bays.steps.asking import Act, Step, may_still_come, soon, step
from bays.steps.bays import BARE, left_of, undelegate
from bays.steps.judging import bears, cause_of, conclude, turns_back, updated
from clouds.errors import OutcomeUnknown, Unavailable, Undelegated
from clouds.heat import Heat
from lifecycle.leases import Held
from lifecycle.outcome import Failed, StepOutcome, Watch

_spared_until = 0.0  # monotonic


def _sparing(act: Act) -> Step:
    """Return the look as a step that is not taken for a while after Heat has left one unanswered.

    Thousands may be late at once, and each would wait in vain for as long as a call may take.
    """

    def look(held: Held[Bay], heat: Heat) -> StepOutcome:
        global _spared_until  # noqa: PLW0603 - of this process
        if time.monotonic() < _spared_until:
            raise Unavailable("it did not answer lately")
        try:
            return act(held, heat)
        except (Unavailable, OutcomeUnknown) as silent:
            if not isinstance(silent, Undelegated):  # which says nothing of Heat
                _spared_until = time.monotonic() + settings.CLOUD_TIMEOUT
            raise

    return step(look)


@_sparing
def created_at_last(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Say how the making of the bay's stack ended, if it did; nothing is begun for it."""
    bay = held.row
    stack = stack_of(heat, bay)
    if bay.stack_id is None and (stack is None or stack.action == "DELETE"):
        return Watch(soon())
    outcome = conclude(held, heat, stack, "created")
    return replace(outcome, fields={**outcome.fields, "stack_id": stack.id if stack else bay.stack_id})


@_sparing
def updated_at_last(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Say how the update of the bay's stack ended, if it was sent and did."""
    bay = held.row
    stack = stack_of(heat, bay)
    if stack is None:
        return Failed(reasons.missing(bay.stack_id))
    if not bears(stack, bay) or turns_back(bay):
        return Watch(soon())
    return updated(held, heat, show(heat, stack.id), may_resend=False) or Watch(soon())


@_sparing
def deleted_at_last(held: Held[Bay], heat: Heat) -> StepOutcome:
    """Say whether nothing of the bay is left in Heat and nothing can still come, or why Heat could not delete it."""
    bay = held.row
    if bay.change.get(BARE):
        return undelegate(held)
    left = left_of(heat, bay)
    for stack in left:
        if stack.state == "DELETE_FAILED" and bay.sent_for == bay.operation_id:
            return Failed(cause_of(heat, stack).reason)
    waits = left or (bay.stack_id is None and may_still_come(bay))
    return Watch(soon()) if waits else undelegate(held)


LAST_LOOKS: dict[str, Step] = {
    Status.CREATE_IN_PROGRESS: created_at_last,
    Status.UPDATE_IN_PROGRESS: updated_at_last,
    Status.DELETE_IN_PROGRESS: deleted_at_last,
}
