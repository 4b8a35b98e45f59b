"""Heat's and Keystone's answers, read as untrusted input: a field that is wrong makes the whole answer unreadable.

Everything here raises ValueError for an answer that is not what the service's API promises; `clouds.heat` and
`clouds.trusts` call it where that becomes a CloudError.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from clouds.errors import presentable

MARK = "roadstead"  # the attribute of a trust that says what it was made for
_STATUSES = frozenset({"IN_PROGRESS", "COMPLETE", "FAILED"})


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as Heat told of it; a list tells neither parameters nor outputs."""

    id: uuid.UUID
    name: str
    action: str
    status: str
    reason: str
    tags: tuple[str, ...]
    parameters: Mapping[str, str]
    outputs: Mapping[str, object]
    created_at: str
    updated_at: str | None

    @property
    def state(self) -> str:
        return f"{self.action}_{self.status}"


@dataclass(frozen=True, slots=True)
class Failure:
    """The resource that made a stack fail."""

    resource: str
    resource_type: str
    reason: str

    @property
    def called_off(self) -> bool:
        """Whether nothing was wrong with it: its work was cancelled because of something else."""
        return _called_off(self.reason)


@dataclass(frozen=True, slots=True)
class Trust:
    """A delegation as Keystone told of it. `mark` is what was written on it when it was made, if anything was."""

    id: str = field(repr=False)
    trustor: str
    trustee: str
    project_id: str | None
    mark: str | None


@dataclass(frozen=True, slots=True)
class Token:
    """Whose a token is, for which project, and what they are there by name."""

    user_id: str
    project_id: str | None
    roles: frozenset[str]


def stack(raw: object) -> Stack:
    """Read one stack of a list or of a show."""
    told = _mapping(raw, "a stack")
    action, _, status = _text(told, "stack_status").partition("_")
    if status not in _STATUSES or not (action.isascii() and action.isupper()):
        raise ValueError("a stack has a status that Heat does not know")
    return Stack(
        id=_uuid(told, "id"),
        name=_text(told, "stack_name"),
        action=action,
        status=status,
        reason=presentable(_text(told, "stack_status_reason", "")),
        tags=tuple(_texts(told, "tags")),
        parameters=MappingProxyType(
            {
                str(key): str(value)
                for key, value in _mapping(told.get("parameters") or {}, "parameters").items()
            }
        ),
        outputs=MappingProxyType(_outputs(told.get("outputs") or [])),
        created_at=_text(told, "creation_time"),
        updated_at=_text(told, "updated_time", "") or None,
    )


def count(raw: object, most: int) -> int:
    """Read how many stacks match, of so many that were asked for, out of a list with its count."""
    found = _mapping(raw, "the answer").get("count")
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= most:
        return found
    raise ValueError("it does not count what was asked for")


def created_id(raw: object) -> uuid.UUID:
    """Read the id out of the answer to a create."""
    return _uuid(_mapping(_mapping(raw, "the answer").get("stack"), "a stack"), "id")


def first_failure(raw: Sequence[object]) -> Failure | None:
    """Read the failed resources of a stack and its nested ones: the deepest, and of those the first.

    A nested stack fails because something in it did, so it is the cause only when nothing in it failed.
    """
    failed = [_resource(one) for one in raw]
    failed = [one for one in failed if one.status.endswith("_FAILED")]
    holders = {one.nested: one for one in failed if one.nested}
    owners = {one.owner for one in failed}
    causes = [one for one in failed if one.nested not in owners]
    if not causes:
        return None
    # What was cancelled because another failed is a consequence.
    cause = min(causes, key=lambda one: (_called_off(one.reason), one.updated_at, one.name))
    path, above = [cause.name], holders.get(cause.owner)
    while above is not None and len(path) <= len(failed):
        path.insert(0, above.name)
        above = holders.get(above.owner)
    return Failure(resource=".".join(path), resource_type=cause.type, reason=cause.reason)


def is_any_in_progress(raw: Sequence[object]) -> bool:
    """Read whether any of the resources is under way."""
    return any(one.status.endswith("_IN_PROGRESS") for one in map(_resource, raw))


def complete(raw: Sequence[object], kinds: Collection[str]) -> int:
    """Read how many of the resources of these types are there and complete."""
    there = [one.status for one in map(_resource, raw) if one.type in kinds]
    return sum(status.endswith("_COMPLETE") and not status.startswith(("DELETE", "INIT")) for status in there)


def _called_off(reason: str) -> bool:
    return "abort" in reason or "cancel" in reason


def token(raw: object) -> Token:
    """Read what Keystone says of a token."""
    told = _mapping(_mapping(raw, "the answer").get("token"), "a token")
    roles = told.get("roles") or []
    if not isinstance(roles, list):
        raise ValueError("roles is not a list")  # noqa: TRY004 - one error for all of an answer
    return Token(
        user_id=_text(_mapping(told.get("user"), "the user"), "id"),
        project_id=_text(_mapping(told.get("project") or {}, "the project"), "id", "") or None,
        roles=frozenset(_text(_mapping(role, "a role"), "name") for role in roles),
    )


def trust(raw: object) -> Trust:
    """Read one delegation of a list, or of the answer to its making."""
    told = _mapping(raw, "a trust")
    mark = told.get(MARK)
    return Trust(
        id=_text(told, "id"),
        trustor=_text(told, "trustor_user_id"),
        trustee=_text(told, "trustee_user_id"),
        project_id=_text(told, "project_id", "") or None,
        mark=mark if isinstance(mark, str) else None,
    )


def made_trust(raw: object) -> Trust:
    """Read the answer to the making of a delegation."""
    return trust(_mapping(raw, "the answer").get("trust"))


def trusts(raw: object) -> list[Trust]:
    """Read a list of delegations."""
    listed = _mapping(raw, "the answer").get("trusts")
    if not isinstance(listed, list):
        raise ValueError("trusts is not a list")  # noqa: TRY004 - one error for all of an answer
    return [trust(one) for one in listed]


class _Resource(NamedTuple):
    name: str
    type: str
    status: str
    reason: str
    updated_at: str
    owner: str  # the id of the stack it is in
    nested: str  # what it is outside, which for a nested stack is that stack's id


def _resource(raw: object) -> _Resource:
    told = _mapping(raw, "a resource")
    links = [_mapping(link, "a link") for link in told.get("links") or []]  # type: ignore[attr-defined]
    owner = next((_text(link, "href") for link in links if link.get("rel") == "stack"), "")
    return _Resource(
        name=_text(told, "resource_name"),
        type=_text(told, "resource_type", ""),
        status=_text(told, "resource_status"),
        reason=presentable(_text(told, "resource_status_reason", "")),
        updated_at=_text(told, "updated_time", ""),
        owner=owner.rstrip("/").rpartition("/")[2],
        nested=_text(told, "physical_resource_id", ""),
    )


def _outputs(raw: object) -> dict[str, object]:
    if not isinstance(raw, list):
        raise ValueError("outputs is not a list")  # noqa: TRY004 - one error for all of an answer
    told = [_mapping(one, "an output") for one in raw]
    return {_text(one, "output_key"): one.get("output_value") for one in told}


def _mapping(raw: object, what: str) -> Mapping[str, object]:
    if isinstance(raw, dict):
        return raw
    raise ValueError(f"{what} is not an object")


def _text(raw: Mapping[str, object], key: str, default: str | None = None) -> str:
    found = raw.get(key)
    if found is None and default is not None:
        return default
    if isinstance(found, str):
        return found
    raise ValueError(f"{key} is missing or not a text")


def _texts(raw: Mapping[str, object], key: str) -> list[str]:
    found = raw.get(key)
    if found is None:
        return []
    if isinstance(found, list) and all(isinstance(one, str) for one in found):
        return found
    raise ValueError(f"{key} is not a list of texts")


def _uuid(raw: Mapping[str, object], key: str) -> uuid.UUID:
    return uuid.UUID(_text(raw, key))
