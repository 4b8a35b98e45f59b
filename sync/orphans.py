"""Stacks of ours in Heat that no bay owns: found in a slow round and deleted.

A worker that was frozen between its last look at the lease and its call can still make a stack that nobody
waits for: Heat cannot check an epoch. The bay's id on the stack says whose it was.
"""

from __future__ import annotations

import structlog

from bays.models import Bay
from bays.stacks import OWNER_TAG, bay_of, heat
from clouds.errors import CloudError
from clouds.heat import Stack
from lifecycle.models import Operation

log = structlog.get_logger(__name__)


def orphans() -> list[Stack]:
    """Return the stacks that were made for bays of this installation and that no bay owns.

    Operations outlive bays, so they tell our former bays from another installation's. A bay that knows no
    stack yet may be about to adopt one: it has the benefit of the doubt.

    :raises CloudError: Heat could not be asked.
    """
    made_for = [(stack, bay_id) for stack in heat().tagged(OWNER_TAG) if (bay_id := bay_of(stack))]
    ids = {bay_id for _, bay_id in made_for}
    owned = dict(Bay.objects.filter(pk__in=ids).values_list("pk", "stack_id"))
    former = set(
        Operation.objects.filter(resource_id__in=ids - owned.keys()).values_list("resource_id", flat=True)
    )
    return [
        stack
        for stack, bay_id in made_for
        if bay_id in former or (owned.get(bay_id) is not None and owned[bay_id] != stack.id)
    ]


def remove_orphans() -> int:
    """Delete the stacks that no bay owns; return how many."""
    try:
        found = [stack for stack in orphans() if stack.action != "DELETE"]
        for stack in found:
            log.warning("deleting a stack that no bay owns", stack=str(stack.id), name=stack.name)
            heat().delete(stack.id)
    except CloudError as error:
        log.warning("Heat could not be asked for orphans", reason=error.reason)
        return 0
    return len(found)
