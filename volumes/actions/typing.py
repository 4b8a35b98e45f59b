"""Which volume type a request means."""

from __future__ import annotations

from typing import Final

from django.db.models import Q

from api.lately import Lately
from api.problems import BadRequest, NotFound, Problem
from identity.callers import Caller
from lifecycle.swap import Part
from volumes.actions.guarding import as_id
from volumes.models import DefaultType, VolumeType

DEFAULT: Final = "__DEFAULT__"  # the type of volumes for which none was asked; made by a migration
_types: Lately[VolumeType] = Lately()
LEAST, MOST = "provisioning:min_vol_size", "provisioning:max_vol_size"


def find_type(by: Caller, ident: str, *, status: type[Problem] = NotFound) -> VolumeType:
    """Return the type with this id or name, if the caller's project may use it.

    :raises NotFound: (or `status`) there is none.
    """
    every = VolumeType.objects.select_related("encryption")
    types = every if by.is_admin else every.visible_to(by.project)
    pk = as_id(ident)
    found = types.filter(pk=pk).first() if pk is not None else None
    found = found or types.filter(name=ident).first()
    if found is None:
        raise status(f"Volume type {ident[:255]} could not be found.")
    return found


def default_type(project_id: str) -> VolumeType:
    """Return the type of a project's volumes for which none was asked."""
    own = DefaultType.objects.filter(pk=project_id).values("type")
    either = VolumeType.objects.select_related("encryption").filter(Q(name=DEFAULT) | Q(pk__in=own))
    return min(either, key=lambda kind: kind.name == DEFAULT)


def wanted(by: Caller, ident: str | None) -> VolumeType:
    """Return the type that a request names, or the default one.

    :raises NotFound: there is none of this name.
    """
    return default_type(by.project) if ident is None else find_type(by, ident)


def wanted_lately(by: Caller, ident: str | None) -> VolumeType:
    """Return the same as of CATALOG_CACHE seconds ago at most: for who accepts nothing unless it is `unchanged`."""
    key = (by.project, by.is_admin, ident)
    return _types.get(key) or _types.put(key, wanted(by, ident))


def unchanged(kind: VolumeType) -> Part:
    """Return the guarded read that finds the type, and keeps it, as it was when it was looked up."""
    table = VolumeType._meta.db_table  # noqa: SLF001
    return Part(
        f"SELECT FROM {table} WHERE id = %s AND updated_at IS NOT DISTINCT FROM %s FOR KEY SHARE",  # noqa: S608
        [kind.pk, kind.updated_at],
    )


def refuse_encrypted(kind: VolumeType) -> None:
    """Refuse a type that promises encryption: who asked for it must not be given a plain volume.

    :raises BadRequest: it does.
    """
    if hasattr(kind, "encryption"):
        raise BadRequest(f"Volumes of type {kind.name} would have to be encrypted, which is not offered.")


def check_size(kind: VolumeType, size: int) -> None:
    """Refuse a size that the type does not allow.

    :raises BadRequest: it is smaller or larger.
    """
    for spec, wrong, word in ((LEAST, int.__lt__, "smaller"), (MOST, int.__gt__, "larger")):
        bound = str(kind.extra_specs.get(spec, ""))
        if bound.isdecimal() and wrong(size, int(bound)):
            raise BadRequest(f"{size} GiB is {word} than type {kind.name} allows ({bound}).")
