"""What holds for bays and their stacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bays.models import Bay, Quota
from bays.parties import Party
from bays.stacks import OWNER_TAG, bay_of, heat
from bays.states import WHOLE
from clouds.heat import Stack
from sync.orphans import orphans


def quotas_equal_what_is_there() -> Iterator[str]:
    """The count of each project's bays is the number of its rows, as the accepting transactions keep it."""
    there = Counter(Bay.objects.values_list("project_id", flat=True))
    counted = {quota.project_id: quota.used for quota in Quota.objects.all()}
    for project_id in there.keys() | counted.keys():
        if there[project_id] != counted.get(project_id, 0):
            yield f"project {project_id} has {there[project_id]} bays, its quota says {counted.get(project_id, 0)}"


def one_stack_per_bay() -> Iterator[str]:
    """No bay has two stacks, a finished bay has its own, and no stack is nobody's.

    :raises CloudError: Heat could not be asked.
    """
    complete = Bay.objects.filter(status__in=WHOLE, health_status="HEALTHY")
    finished = set(complete.values_list("pk", "stack_id"))
    stacks = [stack for stack in _everywhere() if stack.state != "DELETE_COMPLETE"]
    made_for = Counter(bay_of(stack) for stack in stacks if stack.action != "DELETE")
    for bay_id, count in made_for.items():
        if bay_id is not None and count > 1:
            yield f"bay {bay_id} has {count} stacks"
    there = {(bay_of(stack), stack.id) for stack in stacks}
    still = set(complete.values_list("pk", "stack_id"))  # not those that a request has moved meanwhile
    for bay_id, stack_id in (finished & still) - there:
        yield f"bay {bay_id} is complete, but its stack {stack_id} is not in Heat"
    for stack in orphans(stacks):
        yield f"stack {stack.id} ({stack.name}, {stack.state}) belongs to no bay"


def _everywhere() -> Iterator[Stack]:
    """Yield our stacks in the service project and in each owner's.

    :raises CloudError: Heat could not be asked, or in one project nobody may.
    """
    yield from heat().tagged(OWNER_TAG)
    projects: dict[str, list[Bay]] = {}
    for bay in Bay.objects.filter(delegation__isnull=False):
        projects.setdefault(bay.project_id, []).append(bay)
    for project, bays in projects.items():
        yield from Party(project, bays).ask(lambda client: list(client.tagged(OWNER_TAG)))
