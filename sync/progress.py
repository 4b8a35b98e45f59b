"""How far the bays are that take their time: how many of their nodes Heat has done, for who waits to see.

It is only looked at, and nothing follows from it. So it may cost little: a few bays a tick, each seldom, and none that
is over in a moment; where more bays are under way than that, each is told of the more seldom.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.db.models.functions import Now

from bays.drivers import NoDriver, driver_for
from bays.models import Bay
from bays.parties import parties
from bays.stacks import stack_name
from bays.states import Status
from clouds.errors import CloudError
from lifecycle.swap import swap
from sync.models import Cursor

log = structlog.get_logger(__name__)

PROGRESS = "progress"
PAUSE = timedelta(seconds=5)  # between two looks at a bay, at least
SOON = timedelta(seconds=5)  # what is asked of Heat for less long is not looked at
BAYS_PER_TICK = 5


def observe_progress() -> int:
    """Look at the next few bays that take their time and write down how many nodes are done; return how many changed.

    Of an upgrade nothing is told: a node that waits for its turn looks like one that is done.
    """
    slow = Bay.objects.filter(
        watched=True,
        status__in=[Status.CREATE_IN_PROGRESS, Status.UPDATE_IN_PROGRESS],
        stack_id__isnull=False,
        sent_at__lt=Now() - SOON,
    ).exclude(operation__action="upgrade")
    if not slow.exists():
        return 0  # an idle installation writes nothing, not even that it has looked
    bays = Cursor.take(PROGRESS, slow.select_related("baymodel"), limit=BAYS_PER_TICK, pause=PAUSE)
    return sum(_observe(bay) for bay in bays)


def _observe(bay: Bay) -> bool:
    stack_id = bay.stack_id
    assert stack_id is not None  # noqa: S101 - the slice is filtered by it
    (party,) = parties([bay])
    try:
        kinds = driver_for(bay.baymodel.coe, bay.baymodel.server_type).node_types
        done = party.ask(lambda heat: heat.complete(stack_name(bay), stack_id, kinds))
    except (CloudError, NoDriver) as error:
        log.info("no progress could be read", bay=str(bay.pk), reason=str(error))
        return False
    if done == bay.nodes_done:
        return False
    # The operation's own: nothing is said of one that has come since.
    return swap(Bay, pk=bay.pk, operation=bay.operation_id, values={"nodes_done": done}) is not None
