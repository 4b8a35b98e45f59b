"""The Heat client: the few calls that bays need, with typed answers and with the errors of `clouds.errors` only.

Answers are untrusted input. A read that fails raises `Unavailable` (nothing was done, ask again), a write whose
answer is lost or unreadable raises `OutcomeUnknown` (look before you act again).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import heatclient.client

from clouds import answers
from clouds.answers import Failure, Stack
from clouds.errors import NotFound
from clouds.session import CloudSession, open_session
from clouds.translate import translated

__all__ = ["IDS_PER_CALL", "Failure", "Heat", "Stack", "StackRequest", "connect"]

IDS_PER_CALL = 90  # some servers cut the request line at 4,094 bytes
_MOVED = ("COMPLETE", "FAILED")
_SOUND = {
    "status": ("COMPLETE", "IN_PROGRESS"),
    "action": ("CREATE", "UPDATE", "CHECK", "RESUME", "RESTORE", "ROLLBACK", "SNAPSHOT", "ADOPT"),
}
PAGE = 200
NESTED_DEPTH = 5  # as deep as Heat nests by default


@dataclass(frozen=True, slots=True)
class StackRequest:
    """What a stack shall be. The same value serves to create it and to update it."""

    name: str
    tags: tuple[str, ...]
    template: str | Mapping[str, object]
    files: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    timeout_minutes: int | None = None


class Heat:
    """One Heat; safe to share between threads and across forks."""

    def __init__(self, opened: Callable[[], CloudSession], guard: Callable[[], None] | None = None) -> None:
        """Take what opens a session, once in each process, and what to call before each request."""
        self._opened = opened
        self._guard = guard
        # By process: a child must not speak on its parent's connections, nor close them.
        self._clients: dict[int, Any] = {}

    def find(self, tag: str) -> list[Stack]:
        """Return the live stacks that carry the tag, hidden ones too, oldest first, in one call.

        :raises Unavailable: Heat cannot be read, or told of stacks that do not carry the tag.
        """
        return [stack for stack in self._listed(tag) if _lives(stack)]

    def named(self, name: str) -> Stack | None:
        """Return the live stack of this name, hidden or not.

        Heat stores a stack's tags after the stack: one whose making was cut short may have none.
        """
        with self._asking(effect=False) as heat:
            listed = heat.stacks.list(filters={"name": name}, show_hidden=True)
            stacks = [answers.stack(one.to_dict()) for one in listed]
        return next((stack for stack in stacks if stack.name == name and _lives(stack)), None)

    def page(self, tag: str, after: uuid.UUID | None) -> list[Stack]:
        """Return up to PAGE live stacks that carry the tag, oldest first, after this one; empty at the end.

        :raises Unavailable: as for `find`.
        """
        listed = self._listed(tag, limit=PAGE, marker=after)
        return [stack for stack in {stack.id: stack for stack in listed}.values() if _lives(stack)]

    def tagged(self, tag: str) -> Iterator[Stack]:
        """Yield all live stacks that carry the tag, hidden ones too, oldest first, page by page.

        :raises Unavailable: as for `find`.
        """
        seen: list[uuid.UUID] = []
        told: set[uuid.UUID] = set()
        while True:
            page = self._listed(tag, limit=PAGE, marker=seen[-1] if seen else None)
            fresh = [stack for stack in page if stack.id not in told]
            yield from filter(_lives, fresh)
            told.update(stack.id for stack in fresh)
            if len(page) < PAGE:
                return
            # Heat ignores a marker that is gone and starts again: then go by the one before.
            seen = [*seen, *(stack.id for stack in fresh)] if fresh else seen[:-1]
            if not seen:
                return

    def by_ids(self, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Stack]:
        """Return those of the stacks that Heat knows, hidden and deleted ones too, in one call.

        A deleted one is DELETE_COMPLETE until Heat forgets it; ask `show` before you believe that one is missing.

        :raises ValueError: more than IDS_PER_CALL ids.
        """
        return self._by_ids(ids)

    def moved(self, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Stack]:
        """Return those of the stacks that are not in progress, hidden and deleted ones too, in one call.

        It costs Heat a fiftieth of `by_ids` where most are in progress: what makes a list dear is each stack in it.
        What is not returned is in progress, or gone.

        :raises ValueError: more than IDS_PER_CALL ids.
        """
        told = self._by_ids(ids, status=_MOVED)
        return {stack.id: stack for stack in told.values() if stack.status in _MOVED}

    def count(self, ids: Sequence[uuid.UUID], *, sound: bool = False) -> int:
        """Return how many of the stacks Heat knows, hidden and deleted ones too, in one call that is cheap for it.

        `sound` counts only those that are neither failed nor suspended, deleted, or about to be.

        :raises ValueError: more than IDS_PER_CALL ids.
        """
        if not ids:
            return 0
        asked = {"id": _within_a_line(ids), "show_hidden": True, "with_count": True, "limit": 0}
        query = urlencode({**asked, **(_SOUND if sound else {"show_deleted": True})}, doseq=True)
        with self._asking(effect=False) as heat:
            return answers.count(heat.http_client.get(f"/stacks?{query}").json(), len(set(ids)))

    def show(self, stack_id: uuid.UUID, *, outputs: bool = False) -> Stack:
        """Return the stack with its parameters; a deleted one is DELETE_COMPLETE until Heat forgets it.

        :raises NotFound: Heat does not know it.
        """
        with self._asking(effect=False) as heat:
            stack = answers.stack(heat.stacks.get(str(stack_id), resolve_outputs=outputs).to_dict())
            if stack.id != stack_id:
                raise ValueError("it is about another stack")
        return stack

    def create(self, request: StackRequest) -> uuid.UUID:
        """Have the stack made and return its id.

        :raises Conflict: a stack of this name is there, or not yet quite deleted.
        """
        with self._asking(effect=True) as heat:
            return answers.created_id(heat.stacks.create(stack_name=request.name, **_body(request)))

    def update(self, stack_id: uuid.UUID, request: StackRequest) -> None:
        """Have the stack changed to what the request says, tags included.

        Heat stores the new state, then the new tags, and a read fetches them in that order too: a read that begins
        before the tags are stored may show new tags beside the old state. So believe a COMPLETE only of a read that
        began after another one showed the tags.

        :raises NotFound: there is no such stack of this name.
        :raises Rejected: also while it is being deleted.
        """
        with self._asking(effect=True) as heat:
            heat.stacks.update(f"{quote(request.name, safe='')}/{stack_id}", **_body(request))

    def delete(self, stack_id: uuid.UUID) -> bool:
        """Have the stack deleted; False if there is none any more."""
        try:
            with self._asking(effect=True) as heat:
                heat.stacks.delete(str(stack_id))
        except NotFound:
            return False
        return True

    def first_failure(self, stack_id: uuid.UUID) -> Failure | None:
        """Return the resource that failed first, the deepest real cause, nested stacks included.

        :raises NotFound: Heat does not know the stack.
        """
        with self._asking(effect=False) as heat:
            listed = heat.resources.list(
                str(stack_id), nested_depth=NESTED_DEPTH, filters={"status": "FAILED"}
            )
            return answers.first_failure([one.to_dict() for one in listed])

    def is_at_work(self, name: str, stack_id: uuid.UUID) -> bool:
        """Tell whether a resource of the stack is in progress, nested ones included, in one call.

        A failed stack's can be: Heat fails it with the first resource, and lets the others end what they do.

        :raises NotFound: there is no such stack of this name.
        """
        with self._asking(effect=False) as heat:
            listed = heat.resources.list(
                f"{quote(name, safe='')}/{stack_id}",
                nested_depth=NESTED_DEPTH,
                filters={"status": "IN_PROGRESS"},
            )
            return answers.is_any_in_progress([one.to_dict() for one in listed])

    def complete(self, name: str, stack_id: uuid.UUID, kinds: Collection[str]) -> int:
        """Return how many of the stack's resources of these types are complete, nested stacks included, in one call.

        :raises NotFound: there is no such stack of this name.
        """
        with self._asking(effect=False) as heat:
            listed = heat.resources.list(
                f"{quote(name, safe='')}/{stack_id}",
                nested_depth=NESTED_DEPTH,
                filters={"type": sorted(kinds)},
            )
            return answers.complete([one.to_dict() for one in listed], kinds)

    def _by_ids(self, ids: Sequence[uuid.UUID], **filters: object) -> dict[uuid.UUID, Stack]:
        if not ids:
            return {}
        asked = {"id": _within_a_line(ids), **filters}
        with self._asking(effect=False) as heat:
            listed = heat.stacks.list(filters=asked, show_hidden=True, show_deleted=True)
            stacks = [answers.stack(one.to_dict()) for one in listed]
        wanted = set(ids)
        return {stack.id: stack for stack in stacks if stack.id in wanted}

    def _listed(self, tag: str, *, limit: int | None = None, marker: uuid.UUID | None = None) -> list[Stack]:
        if not tag or "," in tag:
            raise ValueError(f"{tag!r} is not one tag; Heat would list other stacks too.")
        order = {"sort_keys": "creation_time", "sort_dir": "asc", "limit": limit, "marker": marker}
        with self._asking(effect=False) as heat:
            listed = heat.stacks.list(filters={"tags_any": tag}, show_hidden=True, **order)
            stacks = [answers.stack(one.to_dict()) for one in listed]
            if any(tag not in stack.tags for stack in stacks):
                raise ValueError("it lists stacks that do not carry the tag")
        return stacks

    @contextmanager
    def _asking(self, *, effect: bool) -> Iterator[Any]:
        """Lend the client for one question, logged in, with its errors translated."""
        self._ask_the_guard()
        client, session = self._connection()
        with translated(effect=False):
            session.get_auth_headers()  # whatever fails in the login has had no effect
        self._ask_the_guard()  # a login may have taken long
        with translated(effect=effect):
            yield client

    def _ask_the_guard(self) -> None:
        if self._guard is not None:
            self._guard()

    def _connection(self) -> Any:
        """Return this process's client and session."""
        pid = os.getpid()
        if pid not in self._clients:
            cloud = self._opened()
            client = heatclient.client.Client(
                "1",
                session=cloud.session,
                service_type="orchestration",
                region_name=cloud.region,
                interface=cloud.interface,
            )
            self._clients.setdefault(pid, (client, cloud.session))
        return self._clients[pid]


def connect(
    variables: Mapping[str, str], guard: Callable[[], None] | None = None, timeout: float = 10
) -> Heat:
    """Return the Heat that the `OS_*` variables name; nothing is sent before the first call.

    `guard` is called before each request and may raise to forbid it.
    """
    return Heat(partial(open_session, dict(variables), timeout), guard)


def _lives(stack: Stack) -> bool:
    """Say that the stack is not deleted; for a moment after its end Heat still lists it."""
    return stack.state != "DELETE_COMPLETE"


def _within_a_line(ids: Sequence[uuid.UUID]) -> list[str]:
    if len(ids) > IDS_PER_CALL:
        raise ValueError(f"{len(ids)} ids in one call; Heat's request line takes {IDS_PER_CALL}.")
    return [str(one) for one in ids]


def _body(request: StackRequest) -> dict[str, object]:
    """Return what create and update have in common; without its tags an update would clear them."""
    body: dict[str, object] = {
        "template": request.template,
        "files": dict(request.files),
        "parameters": dict(request.parameters),
        "tags": ",".join(request.tags),
        "disable_rollback": True,
    }
    if request.timeout_minutes is not None:
        body["timeout_mins"] = request.timeout_minutes
    return body
