"""What a volume with its snapshots does when it is asked one thing at a time. Bays, names, quotas: `registers`.

A state is a set of possibilities: a worker's outcome may come at any moment after the request for it was accepted, so
the set holds what a status may have become by now, and what a client is told narrows it. An empty set means: what
was told cannot be. What a model cannot know (a pool's room, readers elsewhere) it takes as told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from chaos import refusals
from chaos.history import Call
from chaos.tenants import ADMIN

ABSENT, GONE = "(absent)", "(gone)"


class Vol(NamedTuple):
    """One possibility of a volume."""

    status: str
    size: int = 0
    owner: str = ""
    attachment: str = ""  # the one that holds it
    was: str = ""  # of one that is being extended: what it becomes again
    new_size: int = 0

    @property
    def there(self) -> bool:
        return self.status not in {ABSENT, GONE}


_FAILED: Final[Mapping[str, str]] = {
    "creating": "error",
    "reverting": "error",
    "deleting": "error_deleting",
    "extending": "error_extending",
}


def _later(volume: Vol, fails: bool) -> Iterator[Vol]:
    """Yield what a worker may have made of the volume by now; only if it `fails` may it have made nothing of it."""
    yield volume
    status = volume.status
    rest = volume._replace(was="", new_size=0)
    if fails and status in _FAILED:
        yield rest._replace(status=_FAILED[status])
    if status in {"creating", "reverting"}:
        yield rest._replace(status="available")
    elif status == "deleting":
        yield rest._replace(status=GONE)
    elif status == "extending":
        yield rest._replace(status=volume.was, size=volume.new_size)
    elif status == "attaching":
        yield volume._replace(status="reserved")  # its host could not be connected
    elif status == "detaching":
        yield volume._replace(status="available", attachment="")


_SNAPSHOT_LATER: Final[Mapping[str, str]] = {"creating": "available", "deleting": GONE}
SETTLED: Final = ("available", "error", "error_deleting")  # of a snapshot: it can be deleted
DELETABLE: Final = ("available", "error", "error_deleting", "error_extending")


def _snapshot_later(statuses: Iterable[str], fails: bool) -> frozenset[str]:
    found = frozenset(statuses)
    later = {_SNAPSHOT_LATER.get(status, status) for status in found}
    return found | later | ({_FAILED.get(status, status) for status in found} if fails else set())


@dataclass(frozen=True, slots=True)
class Family:
    """What a volume and its snapshots may be now; `fails`: work on them is known to have failed at some time."""

    volumes: frozenset[Vol]
    fails: bool = True
    snapshots: tuple[tuple[str, frozenset[str]], ...] = ()  # id and statuses

    def narrowed(self, keep: Callable[[Vol], bool]) -> Family | None:
        """Return the possibilities that are kept, or None if there are none."""
        return self.become(keep)

    def become(self, keep: Callable[[Vol], bool], **values: object) -> Family | None:
        """Return what becomes of those that are kept when these values are written."""
        kept = {volume._replace(**values) for volume in self.volumes if keep(volume)}  # type: ignore[arg-type]
        later = frozenset(each for volume in kept for each in _later(volume, self.fails))
        return replace(self, volumes=later) if later else None

    def snapshot(self, ident: str) -> frozenset[str]:
        return dict(self.snapshots).get(ident, frozenset({ABSENT}))

    def with_snapshot(self, ident: str, statuses: Iterable[str]) -> Family | None:
        found = _snapshot_later(statuses, self.fails)
        return (
            replace(self, snapshots=tuple({**dict(self.snapshots), ident: found}.items())) if found else None
        )

    def with_all(self, statuses: Callable[[frozenset[str]], Iterable[str]]) -> Family | None:
        """Return the family with each snapshot's possibilities replaced; None if one has none left."""
        found = tuple((ident, _snapshot_later(statuses(each), self.fails)) for ident, each in self.snapshots)
        return replace(self, snapshots=found) if all(each for _, each in found) else None


Told = Callable[["VolumeModel", Family, Call], Family | None]


class VolumeModel:
    """A volume, its snapshots, its attachment and its offers: they guard one another."""

    def __init__(self, *, fails: bool = True) -> None:
        self._fails = fails

    def initial(self) -> Family:
        return Family(frozenset({Vol(ABSENT)}), self._fails)

    def step(self, state: Family, call: Call) -> list[Family]:
        """Return what the family may be after the call; a call of unknown outcome counts as accepted."""
        if call.accepted or call.unknown:
            after = self._accepted(state, call)
        elif refusals.is_elsewhere(call):
            after = state
        else:
            after = self._refused(state, call)
        both = [after] if after is not None else []
        if call.action == "attachment.connect" and not call.accepted and not call.unknown:
            both += (
                [other] if (other := self._accepted(state, call)) else []
            )  # it may be the work that failed
        return both

    # --- accepted -------------------------------------------------------------------------------------------
    def _accepted(self, state: Family, call: Call) -> Family | None:  # noqa: C901, PLR0911, PLR0912 - a table
        who, args = str(call.args.get("tenant")), call.args
        mine = seen_by(who)
        match call.action:
            case "volume.create":
                size = int((call.answer or {}).get("size") or args.get("size") or 1)
                return state.become(lambda v: v.status == ABSENT, status="creating", size=size, owner=who)
            case "volume.show":
                found = call.answer or {}
                return state.narrowed(
                    lambda v: mine(v) and (v.status, v.size) == (found["status"], found["size"])
                )
            case "volume.update":
                return state.narrowed(mine)
            case "volume.read":  # by a clone: it reads what is at rest
                return state.narrowed(lambda v: mine(v) and v.status in {"available", "in-use"})
            case "snapshot.read":
                left = state.narrowed(mine)
                return left and _only(left, str(call.resource), "available")
            case "volume.extend":
                return _extended(state, mine, int(args["new_size"]))
            case "volume.delete":
                return _deleted(state, mine, cascade=bool(args.get("cascade")))
            case "volume.revert":
                left = state.become(lambda v: mine(v) and is_free(v), status="reverting")
                return left and _only(left, str(args["snapshot"]), "available")
            case "volume.reset":
                return state.become(mine, status=args["status"], was="", new_size=0)
            case "snapshot.create":
                left = state.narrowed(lambda v: mine(v) and is_free(v))
                return left and left.with_snapshot(call.resource or f"?{call.key}", ["creating"])
            case "snapshot.show":
                left = state.narrowed(mine)
                return left and _only(left, str(call.resource), str((call.answer or {})["status"]))
            case "snapshot.delete":
                left = state.narrowed(mine)
                kept = state.snapshot(str(call.resource)) & {*SETTLED}
                return left.with_snapshot(str(call.resource), ["deleting"]) if left and kept else None
            case "transfer.create":
                left = state.become(lambda v: mine(v) and is_free(v), status="awaiting-transfer")
                return left and left.with_all(lambda each: each & {"available", GONE})
            case "transfer.accept":
                return state.become(_offered, status="available", owner=who)
            case "transfer.delete":
                return state.become(_offered, status="available") or state.narrowed(mine)
        return self._attachment(state, call, mine)

    def _attachment(self, state: Family, call: Call, mine: Callable[[Vol], bool]) -> Family | None:
        ident = str(call.resource or f"?{call.key}")

        def held(volume: Vol) -> bool:
            return mine(volume) and volume.attachment == ident

        match call.action:
            case "attachment.create":
                return state.become(lambda v: mine(v) and is_free(v), status="reserved", attachment=ident)
            case "attachment.connect":
                return state.become(
                    lambda v: held(v) and v.status in {"reserved", "attaching"}, status="attaching"
                )
            case "attachment.complete":
                return state.become(
                    lambda v: held(v) and v.status in {"attaching", "in-use"}, status="in-use"
                )
            case "attachment.delete":
                ending = {"reserved", "attaching", "in-use", "detaching"}
                going = state.become(lambda v: held(v) and v.status in ending, status="detaching")
                failed = state.become(
                    lambda v: held(v) and v.status not in {*ending, "extending"}, attachment=""
                )
                both = [each.volumes for each in (going, failed) if each]
                return replace(state, volumes=frozenset().union(*both)) if both else None
        raise ValueError(f"No model of {call.action}")

    # --- refused --------------------------------------------------------------------------------------------
    def _refused(self, state: Family, call: Call) -> Family | None:  # noqa: PLR0911 - a table
        """Return where the refusal is right: it names the status that was found, or else must have a reason there."""
        mine = seen_by(str(call.args.get("tenant")))
        if call.action.startswith("snapshot.") and call.action != "snapshot.create":
            return self._snapshot_refused(state, call, mine)
        if call.action.startswith(("attachment.", "transfer.")) and not call.action.endswith("create"):
            return state
        if call.status == refusals.NOT_FOUND:  # of a revert, the snapshot may be what there is none of
            return state if call.action == "volume.revert" else state.narrowed(lambda v: not mine(v))
        found = refusals.status_of(call)
        if call.action == "volume.revert":
            return state
        if found is not None and (child := refusals.snapshot_of(call)):
            left = state.narrowed(lambda v: mine(v) and is_free(v))
            return left and _only(left, child, found)
        if found is not None:
            return state.narrowed(lambda v: mine(v) and v.status == found)
        if call.action == "volume.extend":
            return state.narrowed(lambda v: mine(v) and v.size >= int(call.args["new_size"]))
        if call.action == "volume.delete" and "snapshots would be left" in call.error:
            some = any(each - {GONE} for _, each in state.snapshots)
            return state.narrowed(lambda v: mine(v) and v.status in DELETABLE) if some else None
        return state.narrowed(mine)

    def _snapshot_refused(self, state: Family, call: Call, mine: Callable[[Vol], bool]) -> Family | None:
        ident = str(call.resource)
        if call.status == refusals.NOT_FOUND:
            other = state.narrowed(lambda v: not mine(v))
            return _only(state, ident, GONE) or other
        found = refusals.status_of(call)
        return _only(state, ident, found) if found else state


def seen_by(who: str) -> Callable[[Vol], bool]:
    """Return the test for volumes that are there for somebody."""
    return lambda volume: volume.there and who in {volume.owner, ADMIN}


def is_free(volume: Vol) -> bool:
    return volume.status == "available" and not volume.attachment


def _offered(volume: Vol) -> bool:
    return volume.status == "awaiting-transfer"


def _only(state: Family, snapshot: str, status: str) -> Family | None:
    kept = state.snapshot(snapshot) & {status}
    return state.with_snapshot(snapshot, kept) if kept else None


def _extended(state: Family, mine: Callable[[Vol], bool], new_size: int) -> Family | None:
    begun = {
        volume._replace(
            status="extending", new_size=new_size, was="in-use" if volume.attachment else "available"
        )
        for volume in state.volumes
        if mine(volume)
        and volume.status in {"available", "in-use", "error_extending"}
        and new_size > volume.size
    }
    later = frozenset(each for volume in begun for each in _later(volume, state.fails))
    return replace(state, volumes=later) if later else None


def _deleted(state: Family, mine: Callable[[Vol], bool], *, cascade: bool) -> Family | None:
    left = state.become(
        lambda v: mine(v) and v.status in DELETABLE and not v.attachment,
        status="deleting",
    )
    if left is None:
        return None
    if not cascade:
        return left.with_all(lambda each: each & {GONE})
    # One that is being made reads the volume, and would have been in the way.
    return left.with_all(lambda each: {"deleting" if s in SETTLED else s for s in each - {"creating"}})
