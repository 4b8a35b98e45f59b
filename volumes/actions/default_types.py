"""The types that projects have of their own for volumes for which none is asked."""

from __future__ import annotations

from django.db import transaction

from api.problems import BadRequest, NotFound
from identity import projects
from volumes.actions.guarding import as_id
from volumes.models import DefaultType, VolumeType


def default_of(project_id: str) -> DefaultType:
    """Return a project's own default type.

    :raises NotFound: it has none.
    """
    found = DefaultType.objects.filter(pk=project_id).first()
    if found is None:
        raise NotFound(f"Project {project_id[:255]} has no default volume type of its own.")
    return found


def set_default(project_id: str, ident: str) -> DefaultType:
    """Give a project a default type of its own, by the type's id or name.

    :raises NotFound: there is no such project.
    :raises BadRequest: there is no such type.
    """
    if not projects.exists(project_id):
        raise NotFound(f"Project {project_id[:255]} could not be found.")
    with transaction.atomic():
        types = VolumeType.objects.select_for_update()
        pk = as_id(ident)
        found = types.filter(pk=pk).first() if pk is not None else None
        found = found or types.filter(name=ident).first()
        if found is None:
            raise BadRequest(f"Volume type {ident[:255]} could not be found.")
        return DefaultType.objects.update_or_create(pk=project_id, defaults={"type": found})[0]


def unset_default(project_id: str) -> None:
    """Take a project's own default type away, if it has one."""
    DefaultType.objects.filter(pk=project_id).delete()
