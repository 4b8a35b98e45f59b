"""Make, change and delete volume types; say who may use them.

What changes a type, or gives it away, locks its row first; its foreign keys stand behind that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now

from api.preconditions import ANY, Expected
from api.problems import BadRequest, Conflict, NotFound
from identity import policy
from identity.callers import Caller
from volumes.actions.guarding import as_id
from volumes.actions.typing import DEFAULT
from volumes.models import DefaultType, QuotaClass, Snapshot, TypeAccess, TypeQuota, Volume, VolumeType
from volumes.models.quotas import COUNTED, of_type
from volumes.models.types import TypeQuerySet


def visible(by: Caller) -> TypeQuerySet:
    """Return the types that the caller may see."""
    types: TypeQuerySet = VolumeType.objects.all()
    return types if policy.allows(by, "type:get_all") else types.visible_to(by.project)


def find(by: Caller, ident: str) -> VolumeType:
    """Return the type with this id. Not by name: clients look those up in the list.

    :raises NotFound: there is none that the caller may see.
    """
    return _found(visible(by), ident)


def create(
    name: str,
    *,
    description: str | None = None,
    is_public: bool = True,
    extra_specs: Mapping[str, str] | None = None,
) -> VolumeType:
    """Make a type.

    :raises Conflict: there is one of this name.
    """
    try:
        with transaction.atomic():
            return VolumeType.objects.create(
                name=name, description=description, is_public=is_public, extra_specs=dict(extra_specs or {})
            )
    except IntegrityError as taken:
        raise _named_twice(name) from taken


def update(kind: VolumeType, changes: Mapping[str, Any], expected: Expected = ANY) -> VolumeType:
    """Change a type's name, description or publicity.

    :raises BadRequest: the default type would lose its name or its publicity.
    :raises Conflict: there is another of this name.
    """
    try:
        with transaction.atomic():
            expected.lock(kind)
            found = _locked(kind)
            if found.name == DEFAULT and (changes.get("name", DEFAULT), changes.get("is_public", True)) != (
                DEFAULT,
                True,
            ):
                raise BadRequest("The default type keeps its name and stays public.")
            return changed(found, changes)
    except IntegrityError as taken:
        raise _named_twice(changes.get("name")) from taken


def delete(kind: VolumeType, expected: Expected = ANY) -> None:
    """Delete a type that nothing is of.

    :raises BadRequest: volumes or snapshots are of it, or it is a default.
    """
    try:
        with transaction.atomic():
            _lock_counts(kind)
            expected.lock(kind)
            found = _locked(kind)
            if found.name == DEFAULT or DefaultType.objects.filter(type=found).exists():
                raise BadRequest(f"Volume type {found.pk} is a default type and cannot be deleted.")
            _forget_limits(found)
            found.delete()
    except (ProtectedError, IntegrityError) as used:
        raise BadRequest(f"Volume type {kind.pk} is in use: volumes or snapshots are of it.") from used


def _lock_counts(kind: VolumeType) -> None:
    """Lock what creates of the type write before they come to need its row, in the order in which they do."""
    list(TypeQuota.objects.select_for_update().filter(type=kind).order_by("project_id"))


def _forget_limits(kind: VolumeType) -> None:
    """Remove the limits of the type from the classes of quotas."""
    for limits in QuotaClass.objects.select_for_update().order_by("pk"):
        gone = {of_type(name, kind.pk) for name in COUNTED}
        if gone & limits.limits.keys():
            limits.limits = {name: value for name, value in limits.limits.items() if name not in gone}
            limits.save(update_fields=["limits"])


def set_specs(kind: VolumeType, specs: Mapping[str, str]) -> VolumeType:
    """Set some of the extra specs.

    :raises BadRequest: volumes are of this type, and what they were promised would change.
    """
    with transaction.atomic():
        found = unused(kind, "change the extra specs")
        return changed(found, {"extra_specs": {**found.extra_specs, **specs}})


def delete_spec(kind: VolumeType, key: str) -> None:
    """Delete one extra spec.

    :raises NotFound: there is none of this key.
    :raises BadRequest: volumes are of this type.
    """
    with transaction.atomic():
        found = unused(kind, "delete extra specs")
        require_spec(found, key)
        changed(found, {"extra_specs": {k: v for k, v in found.extra_specs.items() if k != key}})


def require_spec(kind: VolumeType, key: str, specs: Mapping[str, str] | None = None) -> str:
    """Return the value of an extra spec, of those that may be seen.

    :raises NotFound: there is none of this key.
    """
    value = (kind.extra_specs if specs is None else specs).get(key)
    if value is None:
        raise NotFound(f"Volume type {kind.pk} has no extra spec with key {key[:255]}.")
    return str(value)


def access_of(kind: VolumeType) -> list[TypeAccess]:
    """Return which projects may use a private type.

    :raises NotFound: the type is public.
    """
    if kind.is_public:
        raise NotFound("There is no access list for a public volume type.")
    return list(kind.access.order_by("pk"))


def add_access(kind: VolumeType, project_id: str) -> None:
    """Let a project use a private type.

    :raises BadRequest: the type is public.
    :raises Conflict: the project may already.
    """
    try:
        with transaction.atomic():
            TypeAccess.objects.create(type=_private(kind), project_id=project_id)
    except IntegrityError as already:
        raise Conflict(f"Project {project_id} has access to volume type {kind.pk} already.") from already


def remove_access(kind: VolumeType, project_id: str) -> None:
    """Let a project use a private type no more.

    :raises BadRequest: the type is public.
    :raises NotFound: the project has no access.
    """
    with transaction.atomic():
        gone, _ = TypeAccess.objects.filter(type=_private(kind), project_id=project_id).delete()
    if not gone:
        raise NotFound(f"Project {project_id} has no access to volume type {kind.pk}.")


def unused(kind: VolumeType, what: str) -> VolumeType:
    """Return the locked type, of which there are no volumes and snapshots.

    :raises BadRequest: there are.
    """
    found = _locked(kind)
    if Volume.objects.filter(type=found).exists() or Snapshot.objects.filter(type=found).exists():
        raise BadRequest(f"Cannot {what} of volume type {kind.pk}: it is in use.")
    return found


def _found(types: TypeQuerySet, ident: str) -> VolumeType:
    pk = as_id(ident)
    found = types.filter(pk=pk).first() if pk is not None else None
    if found is None:
        raise NotFound(f"Volume type {ident[:255]} could not be found.")
    return found


def _locked(kind: VolumeType) -> VolumeType:
    return _found(VolumeType.objects.select_for_update(), str(kind.pk))


def _private(kind: VolumeType) -> VolumeType:
    found = _locked(kind)
    if found.is_public:
        raise BadRequest(f"Volume type {kind.pk} is public: everybody has access to it.")
    return found


def changed(kind: VolumeType, changes: Mapping[str, Any]) -> VolumeType:
    """Change the locked type, so that who accepts volumes of it learns that it was changed."""
    for name, value in changes.items():
        setattr(kind, name, value)
    kind.updated_at = Now()
    kind.save(update_fields=[*changes, "updated_at"])
    kind.refresh_from_db(fields=["updated_at"])
    return kind


def _named_twice(name: object) -> Conflict:
    return Conflict(f"There is a volume type named {name} already.")
