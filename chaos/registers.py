"""What a bay, a volume's name and metadata, and a project's quota do when they are asked one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from chaos.history import Call
from chaos.models import ABSENT, GONE
from chaos.refusals import NOT_FOUND, OVER_QUOTA, is_elsewhere, status_of


class BayState(NamedTuple):
    """One possibility of a bay."""

    status: str
    nodes: int = 0

    @property
    def there(self) -> bool:
        return self.status not in {ABSENT, GONE}


Bays = frozenset[BayState]
CHANGEABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED"}
DELETING = "DELETE_IN_PROGRESS"


class BayModel:
    """A bay: a state is all that it may be by now. Only if work on it `fails` may it have failed."""

    def __init__(self, *, fails: bool = True) -> None:
        self._fails = fails

    def initial(self) -> Bays:
        return frozenset({BayState(ABSENT)})

    def step(self, state: Bays, call: Call) -> list[Bays]:
        """Return what the bay may be after the call; a call of unknown outcome counts as accepted."""
        after = self._accepted(state, call) if call.accepted or call.unknown else self._refused(state, call)
        return [after] if after else []

    def _accepted(self, state: Bays, call: Call) -> Bays:
        nodes = call.args.get("node_count")
        match call.action:
            case "bay.create":
                return self._moved(state, lambda bay: not bay.there, "CREATE_IN_PROGRESS", nodes)
            case "bay.resize":
                return self._moved(state, lambda bay: bay.status in CHANGEABLE, "UPDATE_IN_PROGRESS", nodes)
            case "bay.delete":
                return self._moved(state, lambda bay: bay.there and bay.status != DELETING, DELETING)
            case "bay.show":
                found = call.answer or {}
                return self._kept(state, lambda bay: bay == (found["status"], found["node_count"]))
        raise ValueError(f"No model of {call.action}")

    def _refused(self, state: Bays, call: Call) -> Bays:
        if is_elsewhere(call):
            return state
        if call.status == NOT_FOUND:
            return self._kept(state, lambda bay: not bay.there)
        found = status_of(call)
        may = CHANGEABLE if call.action == "bay.resize" else {*(bay.status for bay in state)} - {DELETING}
        return self._kept(
            state, lambda bay: bay.there and (bay.status == found if found else bay.status not in may)
        )

    def _moved(self, state: Bays, may: Callable[[BayState], bool], to: str, nodes: int | None = None) -> Bays:
        moved = (BayState(to, bay.nodes if nodes is None else nodes) for bay in state if may(bay))
        return frozenset(later for bay in moved for later in _bay_later(bay, self._fails))

    def _kept(self, state: Bays, keep: Callable[[BayState], bool]) -> Bays:
        return frozenset(later for bay in state if keep(bay) for later in _bay_later(bay, self._fails))


def _bay_later(bay: BayState, fails: bool) -> Iterator[BayState]:
    yield bay
    if bay.status.endswith("_IN_PROGRESS"):
        event = bay.status.removesuffix("_IN_PROGRESS")
        yield bay._replace(status=GONE if bay.status == DELETING else f"{event}_COMPLETE")
        if fails:
            yield bay._replace(status=f"{event}_FAILED")


class Words(NamedTuple):
    """What a volume is called, as far as it was told: None is not known yet."""

    name: str | None = None
    word: str | None = None


class NameModel:
    """A volume's name and the one key of its metadata: two registers, the last write of each is what is read."""

    def initial(self) -> Words:
        return Words()

    def step(self, state: Words, call: Call) -> Iterable[Words]:
        """Return what it is called after the call."""
        match call.action:
            case "volume.create":
                return [Words(str(call.args["name"]), "")]
            case "volume.update":
                if "name" in call.args:
                    return [state._replace(name=str(call.args["name"]))]
                return [state._replace(word=str(call.args["metadata"]["word"]))]
        found = call.answer or {}
        seen = Words(found["name"], found["metadata"].get("word", ""))
        return [state] if seen == state else []


@dataclass(frozen=True, slots=True)
class Used:
    """How many volumes are counted: between `least` and `most`, for a deleted one counts until it is gone."""

    least: int = 0
    most: int = 0


class QuotaModel:
    """A project's limit of volumes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def initial(self) -> Used:
        return Used()

    def step(self, state: Used, call: Call) -> list[Used]:
        """Return how many are counted after the call."""
        limit = self._limit
        if call.action == "volume.delete":
            return [Used(state.least - 1, state.most)]
        if call.status == OVER_QUOTA:
            return [state] if state.most >= limit else []
        if state.least >= limit:
            return []
        return [Used(state.least + 1, min(state.most, limit - 1) + 1)]
