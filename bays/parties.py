"""Bays whose stacks Heat can be asked for in one call: those in the service project, and those of each owner's project.

In an owner's project any delegation that works there lends its token for a look at all; whose it is makes no difference
to what a list shows. The one that worked last is taken first, so that a process logs in once for a project and not
once for a bay.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bays.calling import outside
from bays.delegations import heat_by, trust_of, trustee
from bays.models import Bay
from bays.stacks import heat
from clouds.errors import Undelegated
from clouds.heat import IDS_PER_CALL, Heat

T = TypeVar("T")

TRIES = 5  # delegations of a project that are tried before the others are left to the next look
KEPT = 1000  # projects of which a process knows who lent last

_last: OrderedDict[str, str] = OrderedDict()  # by project, the trust that worked


@dataclass(frozen=True, slots=True)
class Party:
    """Bays, as many as one call can ask for. `project` is their owner's, None for the service project."""

    project: str | None
    bays: list[Bay]

    def ask(self, what: Callable[[Heat], T]) -> T:
        """Return what is asked of Heat.

        :raises Undelegated: no delegation of the project's works.
        :raises CloudError: Heat could not be asked.
        """
        if self.project is None:
            return what(heat())
        for trust_id in self._trusts(self.project):
            try:
                told = what(heat_by(trust_id, outside))
            except Undelegated:
                _last.pop(self.project, None)
                continue
            _remember(self.project, trust_id)
            return told
        raise Undelegated(f"No delegation of the project {self.project} works.")

    def _trusts(self, project: str) -> Iterator[str]:
        tried = 0
        if (last := _last.get(project)) is not None:
            yield last
        for bay in self.bays:
            try:
                trust_id = trust_of(bay)
            except Undelegated:
                continue
            if trust_id is None or trust_id == last or trustee().was_refused_lately(trust_id):
                continue
            yield trust_id
            tried += 1
            if tried == TRIES:
                return


def parties(bays: Iterable[Bay]) -> Sequence[Party]:
    """Return the bays by where their stacks are, in no order: none is always the last."""
    apart: dict[str | None, list[Bay]] = {}
    for bay in bays:
        apart.setdefault(None if bay.delegation is None else bay.project_id, []).append(bay)
    found = [
        Party(project, together[first : first + IDS_PER_CALL])
        for project, together in apart.items()
        for first in range(0, len(together), IDS_PER_CALL)
    ]
    random.shuffle(found)
    return found


def forget() -> None:
    """Forget who lent last."""
    _last.clear()


def _remember(project: str, trust_id: str) -> None:
    _last[project] = trust_id
    _last.move_to_end(project)
    if len(_last) > KEPT:
        _last.popitem(last=False)
