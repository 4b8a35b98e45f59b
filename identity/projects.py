"""What the rest of the code asks of projects, whether they are rows of ours or are kept by a Keystone.

Of a Keystone nothing is asked: a page of the admin, and a request that names another's project, would depend on whether
it answers, inside the transaction that they are made in. So there a project is told by its id, and an id is believed to
be a project's, as Cinder does: an admin who mistypes one has made a limit that counts for nobody.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from django.conf import settings

from identity.models import Project

_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)


def are_ours() -> bool:
    """Tell whether projects are rows of ours."""
    return bool(settings.IDENTITY == "own")


def exists(project_id: str) -> bool:
    """Tell whether there is such a project; of Keystone's, whether one could have that id."""
    if are_ours():
        return Project.objects.filter(pk=project_id).exists()
    return bool(_ID.fullmatch(project_id))


def find(text: str) -> str | None:
    """Return the id of the project that an operator names: by its id, or by the name of one of ours."""
    if are_ours():
        found = Project.objects.filter(pk=text).first() or Project.objects.filter(name=text).first()
        return found.pk if found else None
    return text if exists(text) else None


def names(project_ids: Collection[str]) -> dict[str, str]:
    """Return the names of those of the projects that are ours, by id."""
    if not are_ours():
        return {}
    return dict(Project.objects.filter(pk__in=project_ids).values_list("pk", "name"))
