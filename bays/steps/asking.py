"""What the steps of a bay share: what a cloud's answers mean, and what is in the row before one is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Value
from django.db.models.functions import Now

from bays import reasons
from bays.drivers.base import InvalidOutputs, InvalidSpec
from bays.models import Bay
from bays.stacks import leased_heat
from clouds.errors import CloudError, Rejected, Unavailable
from clouds.heat import Heat
from lifecycle import leases
from lifecycle.leases import Held
from lifecycle.outcome import Failed, Retry, StepOutcome

Step = Callable[[Held[Bay]], StepOutcome]
Act = Callable[[Held[Bay], Heat], StepOutcome]


def step(act: Act) -> Step:
    """Turn what a cloud may answer into outcomes: a refusal fails the work, silence makes it try again."""

    def taken(held: Held[Bay]) -> StepOutcome:
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

    return taken


def intend(held: Held[Bay]) -> int:
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


def not_sent(bay: Bay, down: Unavailable) -> Retry:
    """Take the intent back: nothing was done, so nothing can still come."""
    before = {"sent_for": bay.sent_for, "sends": bay.sends}
    return Retry(reasons.silent(down), {**before, "sent_at": None})


def may_still_come(bay: Bay) -> timedelta:
    """Return for how long a call of unknown outcome may still take effect; zero if it cannot.

    Heat's check of names is no fence: two creates of one stack must not be under way at the same time. And an update
    that comes late would undo one that was asked for after it.
    """
    if bay.sent_at is None or bay.claimed_at is None:
        return timedelta(0)
    return max(bay.sent_at + timedelta(seconds=settings.CLOUD_QUIET) - bay.claimed_at, timedelta(0))


def soon() -> timedelta:
    return timedelta(seconds=settings.HEAT_POLL)
