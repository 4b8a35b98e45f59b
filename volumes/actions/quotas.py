"""Show and set what projects may have: in all, of each type, and by default."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Sum
from django.db.models.functions import Coalesce

from api.problems import BadRequest, Forbidden
from identity import policy
from identity.callers import Caller
from volumes.models import Quota, QuotaClass, Snapshot, TypeQuota, Volume, VolumeType
from volumes.models.quotas import COUNTED, UNLIMITED, of_type
from volumes.models.types import TypeQuerySet

Typed = Counter[tuple[object, str]]  # of a type, of a resource


@dataclass(frozen=True, slots=True)
class Line:
    """A limit, -1 being none, and how much of it is used."""

    limit: int
    in_use: int


def require_project(by: Caller, project_id: str) -> None:
    """Refuse a look at another project's quota; whether there is such a project is not told.

    :raises Forbidden: the caller may see only its own.
    """
    own = by.project_id is not None and by.project_id.replace("-", "") == project_id.replace("-", "")
    if not own and not policy.allows(by, "quota:all_projects"):
        raise Forbidden("You are not authorized to see the quota of another project.")


def sheet(by: Caller, project_id: str, *, counted: bool = False) -> dict[str, Line]:
    """Return each limit of a project and, if `counted`, what is used of it, also of types that no limit counts."""
    quota = Quota.objects.filter(pk=project_id).first() or _empty(project_id)
    defaults = QuotaClass.defaults()
    lines = {name: Line(quota.limit(name, defaults), _used(quota, name)) for name in settings.VOLUME_QUOTAS}
    typed = {row.type_id: row for row in TypeQuota.objects.filter(project_id=project_id)}
    used = _used_by_type(project_id) if counted else Counter()
    for kind in _types(by):
        row = typed.get(kind.pk) or TypeQuota(type=kind)
        for name in COUNTED:
            lines[f"{name}_{kind.name}"] = Line(row.limit(name, defaults), used[kind.pk, name])
    return lines


def default_limits(by: Caller, name: str = QuotaClass.DEFAULT) -> dict[str, int]:
    """Return the limits of a class of quotas; where it has none, those of the installation."""
    limits = {**QuotaClass.defaults(), **QuotaClass.limits_of(name)}
    shown = {resource: limits[resource] for resource in settings.VOLUME_QUOTAS}
    for kind in _types(by):
        shown |= {f"{each}_{kind.name}": limits.get(of_type(each, kind.pk), UNLIMITED) for each in COUNTED}
    return shown


def set_limits(project_id: str, limits: Mapping[str, int], *, check: bool) -> None:
    """Give a project limits of its own. A limit of one type has that type counted apart from now on.

    Locks in this order: the project's row, its rows by type, the types.

    :raises BadRequest: a limit has an unknown name or, if asked to `check`, is less than what is used already.
    """
    with transaction.atomic():
        quota = Quota.locked(project_id)
        typed = {
            row.type_id: row for row in TypeQuota.objects.select_for_update().filter(project_id=project_id)
        }
        kinds = _named(limits)
        for name, limit in limits.items():
            if name in kinds:
                resource, kind = kinds[name]
                if kind.pk not in typed:
                    typed[kind.pk] = quota.count_apart(kind.pk)
                row: Quota | TypeQuota = typed[kind.pk]
            else:
                resource, row = name, quota
            if check and limit != UNLIMITED and limit < _used(row, resource):
                raise BadRequest(
                    f"Quota {name} limit must be equal or greater than existing resources. Current usage is "
                    f"{_used(row, resource)} and the requested limit is {limit}."
                )
            row.set_limit(resource, limit)
        for changed in (quota, *typed.values()):
            changed.save()


def reset_limits(project_id: str) -> None:
    """Have the defaults hold for a project again. What was counted goes on being counted."""
    none = {f"{name}_limit": None for name in COUNTED}
    with transaction.atomic():
        Quota.objects.filter(pk=project_id).update(**none, other_limits={})
        TypeQuota.objects.filter(project_id=project_id).update(**none)


def set_defaults(name: str, limits: Mapping[str, int]) -> None:
    """Set limits of a class of quotas: of the class `default`, those of all projects that have none of their own.

    :raises BadRequest: a limit has an unknown name.
    """
    with transaction.atomic():
        QuotaClass.objects.bulk_create([QuotaClass(name=name)], ignore_conflicts=True)
        row = QuotaClass.objects.select_for_update().get(pk=name)
        kinds = _named(limits)
        keys = {
            name: of_type(kinds[name][0], kinds[name][1].pk) if name in kinds else name for name in limits
        }
        row.limits = {**row.limits, **{keys[name]: limit for name, limit in limits.items()}}
        row.save(update_fields=["limits"])


def _empty(project_id: str) -> Quota:
    return Quota(project_id=project_id, volumes=0, snapshots=0, gigabytes=0)


def _types(by: Caller) -> Iterable[VolumeType]:
    types: TypeQuerySet = VolumeType.objects.all()
    if not policy.allows(by, "type:get_all"):
        types = types.visible_to(by.project)
    return types.order_by("name")


def _named(limits: Iterable[str]) -> dict[str, tuple[str, VolumeType]]:
    """Return, by name of limit, the resource and the type, which is kept, of those that are of one type.

    :raises BadRequest: a name is neither that nor one of a limit for all types.
    """
    split = {
        name: (resource, name.removeprefix(f"{resource}_"))
        for name in limits
        for resource in COUNTED
        if name.startswith(f"{resource}_")
    }
    wanted = VolumeType.objects.filter(name__in={kind for _, kind in split.values()}).order_by("pk")
    kinds = {kind.name: kind for kind in wanted.kept()} if split else {}
    found = {name: (resource, kinds[kind]) for name, (resource, kind) in split.items() if kind in kinds}
    unknown = sorted(name[:64] for name in limits if name not in found and name not in settings.VOLUME_QUOTAS)
    if unknown:
        raise BadRequest(f"Bad key(s) in quota set: {', '.join(unknown[:10])}.")
    return found


def _used(row: Quota | TypeQuota, name: str) -> int:
    return int(getattr(row, name)) if name in COUNTED else 0


def _used_by_type(project_id: str) -> Typed:
    used: Typed = Counter()
    volumes = Volume.objects.filter(project_id=project_id).values("type")
    size = Coalesce(F("new_size"), F("size"))  # an extend under way has reserved the new one
    for row in volumes.annotate(count=Count("pk"), total=Sum(size)).order_by():
        used[row["type"], "volumes"] += row["count"]
        used[row["type"], "gigabytes"] += row["total"]
    snapshots = Snapshot.objects.filter(project_id=project_id).values("type")
    for row in snapshots.annotate(count=Count("pk"), total=Sum("size")).order_by():
        used[row["type"], "snapshots"] += row["count"]
        used[row["type"], "gigabytes"] += row["total"]
    return used
