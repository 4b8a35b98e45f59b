"""Histories for tests, told call by call; and a server small enough to be right, whose histories must be accepted."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field, replace
from typing import Any

from chaos.history import Call
from chaos.models import DELETABLE, GONE, SETTLED

V, S, A, T, B = "volume-1", "snapshot-1", "attachment-1", "transfer-1", "bay-1"
STEP = 10  # between two calls, so that others fit in


@dataclass
class Telling:
    """Calls in the order in which they are told, one after another unless `at` says when each was."""

    calls: list[Call] = field(default_factory=list)
    now: int = 0

    def tell(
        self,
        action: str,
        resource: str | None,
        status: int | None,
        answer: dict[str, Any] | None = None,
        *,
        at: tuple[int, int] | None = None,
        by: str = "one",
        key: str | None = None,
        error: str = "",
        **args: Any,
    ) -> Telling:
        begun, ended = at or (self.now + STEP, self.now + 2 * STEP)
        self.now = max(self.now, ended)
        number = len(self.calls)
        self.calls.append(
            Call(
                0, number, action, resource, {"tenant": by, **args}, key, begun, ended, status, answer, error
            )
        )
        return self

    def created(self, ident: str = V, size: int = 1, **more: Any) -> Telling:
        answer = {"id": ident, "size": size, "status": "creating"}
        return self.tell("volume.create", ident, 202, answer, size=size, name=f"name of {ident}", **more)

    def shown(self, status: str, size: int = 1, *, ident: str = V, **more: Any) -> Telling:
        answer = {"status": status, "size": size, "name": f"name of {ident}", "metadata": {}}
        answer |= more.pop("answer", {})
        return self.tell("volume.show", ident, 200, answer, **more)

    def missing(self, **more: Any) -> Telling:
        return self.tell("volume.show", V, 404, error=f"Volume {V} could not be found.", **more)

    def available(self) -> Telling:
        return self.created().shown("available")

    def extend(self, size: int, status: int | None = 202, **more: Any) -> Telling:
        return self.tell("volume.extend", V, status, new_size=size, **more)

    def delete(self, status: int | None = 202, **more: Any) -> Telling:
        return self.tell("volume.delete", V, status, **{"cascade": False, **more})

    def snapped(self, status: int = 202, **more: Any) -> Telling:
        return self.tell("snapshot.create", S if status == 202 else None, status, volume=V, **more)

    def snapshot_shown(self, status: str, **more: Any) -> Telling:
        return self.tell("snapshot.show", S, 200, {"status": status}, volume=V, **more)

    def attach(self, ident: str = A, status: int = 200, **more: Any) -> Telling:
        return self.tell("attachment.create", ident, status, {"id": ident}, volume=V, **more)

    def offered(self) -> Telling:
        return self.tell("transfer.create", T, 202, {"id": T}, volume=V)

    def taken(self, by: str, **more: Any) -> Telling:
        return self.tell("transfer.accept", T, 202, volume=V, by=by, **more)

    def bay(
        self, action: str, status: int | None, answer: dict[str, Any] | None = None, **args: Any
    ) -> Telling:
        return self.tell(f"bay.{action}", B, status, answer, **args)


class SmallServer:
    """One volume with snapshots, whose calls take effect at one moment each and whose worker works when it likes."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.status, self.size, self.new_size, self.name = "creating", 1, 0, f"name of {V}"
        self.snapshots: dict[str, str] = {}
        self._ids = (f"s{number}" for number in itertools.count())

    def work(self) -> None:
        """Let some of the work that is owed end, well or badly."""
        well = self.rng.random() < 0.9
        if self.rng.random() < 0.5:
            match self.status:
                case "creating":
                    self.status = "available" if well else "error"
                case "extending":
                    self.status, self.size = (
                        ("available", self.new_size) if well else ("error_extending", self.size)
                    )
                case "deleting" if not set(self.snapshots.values()) - {GONE}:
                    self.status = GONE if well else "error_deleting"
        for ident, status in self.snapshots.items():
            if self.rng.random() < 0.5:
                ends = {"creating": ("available", "error"), "deleting": (GONE, "error_deleting")}
                self.snapshots[ident] = ends.get(status, (status, status))[0 if well else 1]

    def take(  # noqa: C901, PLR0911, PLR0912 - a table
        self, action: str, **args: Any
    ) -> tuple[str | None, int, dict[str, Any] | None, str]:
        """Return what is answered: resource, status, answer and error."""
        if self.status == GONE:
            return args.get("snapshot", V), 404, None, "could not be found."
        wrong = f"whose status is {self.status}: the status must be another."
        living = {ident: status for ident, status in self.snapshots.items() if status != GONE}
        match action:
            case "volume.show":
                answer = {"status": self.status, "size": self.size, "name": self.name, "metadata": {}}
                return V, 200, answer, ""
            case "volume.update":
                self.name = args["name"]
                return V, 200, {}, ""
            case "volume.extend":
                if self.status not in {"available", "error_extending"}:
                    return V, 400, None, wrong
                if args["new_size"] <= self.size:
                    return V, 400, None, "New size for extend must be greater than current size."
                if "creating" in living.values():
                    return V, 409, None, "it is being read by a snapshot."
                self.status, self.new_size = "extending", args["new_size"]
                return V, 202, {}, ""
            case "volume.delete":
                if self.status not in DELETABLE:
                    return V, 400, None, wrong
                if "creating" in living.values():
                    return V, 409, None, "it is being read by a snapshot."
                if living and not args["cascade"]:
                    return V, 400, None, "its snapshots would be left: 1."
                self.snapshots |= {ident: "deleting" for ident, each in living.items() if each in SETTLED}
                self.status = "deleting"
                return V, 202, {}, ""
            case "snapshot.create":
                if self.status != "available":
                    return None, 400, None, wrong
                ident = next(self._ids)
                self.snapshots[ident] = "creating"
                return ident, 202, {"id": ident, "status": "creating"}, ""
        return self._snapshot(action, args["snapshot"])

    def _snapshot(self, action: str, ident: str) -> tuple[str, int, dict[str, Any] | None, str]:
        status = self.snapshots[ident]
        if status == GONE:
            return ident, 404, None, "could not be found."
        if action == "snapshot.show":
            return ident, 200, {"status": status}, ""
        if status not in SETTLED:
            return ident, 400, None, f"whose status is {status}: the status must be another."
        self.snapshots[ident] = "deleting"
        return ident, 202, {}, ""


ACTIONS = (
    "volume.show",
    "volume.show",
    "volume.show",
    "volume.update",
    "volume.extend",
    "volume.delete",
    "snapshot.create",
    "snapshot.show",
    "snapshot.delete",
)


def lived(rng: random.Random, count: int) -> list[Call]:
    """Return the history of a small server's life: calls overlap, and some are lost on their way or on the way back."""
    server, known = SmallServer(rng), list[str]()
    calls = Telling().created(at=(0, 5)).calls
    for number in range(count):
        server.work()
        moment = 100 * (number + 1)
        action = rng.choice(ACTIONS)
        args: dict[str, Any] = {}
        if action in {"snapshot.show", "snapshot.delete"}:
            if not known:
                continue
            args = {"snapshot": rng.choice(known), "volume": V}
        more: dict[str, dict[str, Any]] = {
            "volume.extend": {"new_size": server.size + rng.randint(0, 2)},
            "volume.delete": {"cascade": rng.random() < 0.5},
            "volume.update": {"name": f"name {number}"},
            "snapshot.create": {"volume": V},
        }
        args |= more.get(action, {})
        lost = rng.random() < 0.1
        arrived = not lost or rng.random() < 0.5
        resource = args.get("snapshot", None if action == "snapshot.create" else V)
        answered = server.take(action, **args) if arrived else (resource, None, None, "")
        call = Call(
            rng.randint(0, 3),
            number,
            action,
            answered[0],
            {"tenant": "one", **args},
            f"key-{number}" if action == "snapshot.create" else None,
            moment - rng.randint(1, 350),
            moment + rng.randint(1, 350),
            *answered[1:],
        )
        if lost:
            call = replace(call, resource=resource, status=None, answer=None, error="lost")
        elif action == "snapshot.create" and call.resource:
            known.append(call.resource)
        calls.append(replace(call, begun=max(call.begun, 6)))
    return calls


def mutated(rng: random.Random, calls: list[Call]) -> list[Call]:
    """Return the history with one answer of a show changed to what it was not."""
    shows = [number for number, call in enumerate(calls) if call.action == "volume.show" and call.answer]
    if not shows:
        return calls
    number = rng.choice(shows)
    answer = dict(calls[number].answer or {})
    if rng.random() < 0.5:
        answer["size"] += rng.choice([-1, 10])
    else:
        others = {"creating", "available", "extending", "deleting", "in-use"} - {answer["status"]}
        answer["status"] = rng.choice(sorted(others))
    return [*calls[:number], replace(calls[number], answer=answer), *calls[number + 1 :]]
