"""Stacks of ours in Heat that no bay owns: found in a slow round, a page a tick, and deleted on proof only.

A worker that was frozen between its last look at the lease and its call can still make a stack that nobody waits
for: Heat cannot check an epoch. The bay's id on the stack says whose it was. That a row is missing proves nothing (a
database may be half restored, the stack may be another installation's): only our own record of the bay's finished
delete does, or a twin that is alive and is the bay's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog
from django.db.models import Exists, OuterRef

from bays.models import Bay
from bays.parties import Party
from bays.stacks import OWNER_TAG, bay_of, bay_tag, heat, heat_of
from bays.states import BAY
from clouds.errors import CloudError
from clouds.heat import IDS_PER_CALL, Heat, Stack
from lifecycle.models import Operation
from sync.models import Cursor

log = structlog.get_logger(__name__)

ORPHANS = "orphans"
OWNERS_ORPHANS = "owners_orphans"
PROJECTS_PER_TICK = 5
PAUSE = timedelta(minutes=5)
BRAKE = 10  # so many orphans in one page are no orphans: something else is wrong


def orphans(stacks: Sequence[Stack]) -> list[Stack]:
    """Return those of the stacks that no bay owns, by proof.

    :raises CloudError: Heat could not be asked for a twin.
    """
    made_for = [(stack, bay_id) for stack in stacks if stack.action != "DELETE" and (bay_id := bay_of(stack))]
    bays = {bay.pk: bay for bay in Bay.objects.filter(pk__in={bay_id for _, bay_id in made_for})}
    deletes = Operation.objects.filter(
        resource_type=BAY.name,
        action="delete",
        state=Operation.State.COMPLETE,
        resource_id__in={bay_id for _, bay_id in made_for} - bays.keys(),
    )
    deleted = set(deletes.values_list("resource_id", flat=True))
    return [
        stack
        for stack, bay_id in made_for
        if bay_id in deleted or (bay_id in bays and _is_a_twin(stack, bays[bay_id]))
    ]


def _is_a_twin(stack: Stack, bay: Bay) -> bool:
    """Tell whether the bay's own stack is another one, and alive. A bay that knows none may be about to adopt this."""
    if bay.stack_id in {None, stack.id}:
        return False
    return any(own.id == bay.stack_id and own.action != "DELETE" for own in heat_of(bay).find(bay_tag(bay)))


def remove_orphans() -> int:
    """Delete the orphans of the next page of our stacks in the service project; return how many."""
    try:
        stacks: list[Stack] = Cursor.take_page(
            ORPHANS, lambda after: heat().page(OWNER_TAG, after), pause=PAUSE
        )
        return _remove(stacks, heat())
    except CloudError as error:
        log.warning("Heat could not be asked for orphans", reason=error.reason)
        return 0


def remove_orphans_of_owners() -> int:
    """Delete the orphans in the next few of the projects in which bays have their stacks; return how many.

    A project in which no bay is left is not looked at: nobody may. With the last bay's delegation went the tokens by
    which a stack could still come.
    """
    delegated = Bay.objects.filter(delegation__isnull=False)
    if not delegated.exists():
        return 0
    found = 0
    earlier = delegated.filter(project_id=OuterRef("project_id"), pk__lt=OuterRef("pk"))
    firsts = delegated.filter(~Exists(earlier))
    for first in Cursor.take(OWNERS_ORPHANS, firsts, limit=PROJECTS_PER_TICK, pause=PAUSE):
        bays = delegated.filter(project_id=first.project_id).order_by("created_at")[:IDS_PER_CALL]
        try:
            found += Party(first.project_id, list(bays)).ask(
                lambda client: _remove(list(client.tagged(OWNER_TAG)), client)
            )
        except CloudError as error:
            log.warning("Heat could not be asked for orphans", project=first.project_id, reason=error.reason)
    return found


def _remove(stacks: Sequence[Stack], client: Heat) -> int:
    found = orphans(stacks)
    if len(found) >= BRAKE:
        log.error("too many stacks without a bay to believe it: none was deleted", stacks=len(found))
        return 0
    for stack in found:
        log.warning("deleting a stack that no bay owns", stack=str(stack.id), name=stack.name)
        client.delete(stack.id)
    return len(found)
