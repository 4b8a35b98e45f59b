"""Make a row for what is stored without one: after a database was lost, or a pool came from elsewhere."""

from __future__ import annotations

import uuid

from django.db import transaction

from api.problems import BadRequest, Conflict, OverQuota
from lifecycle import requests
from lifecycle.requests import Asked
from volumes.actions import typing
from volumes.backends.base import GIB
from volumes.models import Pool, Quota, Volume
from volumes.models.quotas import Amounts, OverLimit
from volumes.tasks import advance_volume
from workers import bell


def adopt(backend: str, pool: str, ident: uuid.UUID | None, size: int, project_id: str) -> Volume:
    """Accept a volume for a file of so many bytes; its create finds the file made already.

    :raises BadRequest: its name is no id of ours.
    :raises OverQuota: the project's limits do not allow it.
    :raises Conflict: the pool takes no more.
    """
    if ident is None:
        raise BadRequest("Its name is no id.")
    gib = max(-(-size // GIB), 1)
    kind = typing.default_type(project_id)
    with transaction.atomic():
        home = Pool.objects.get(pk=f"{backend}#{pool}")
        volume = Volume(
            id=ident,
            project_id=project_id,
            user_id="",
            name=f"adopted-{str(ident)[:8]}",
            size=gib,
            type=kind,
            backend=backend,
            pool=pool,
            availability_zone=home.availability_zone,
            # Beyond any epoch that its earlier life may have left on the storage.
            epoch=2**32,
        )
        try:
            Quota.reserve(project_id, kind.pk, Amounts(volumes=1, gigabytes=gib))
        except OverLimit as over:
            raise OverQuota(str(over)) from over
        if Pool.reserve(home.pk, gib) is None:
            raise Conflict(f"Pool {home} takes no {gib} GiB more.")
        requests.birth(volume, "create", Asked("", project_id, params={"adopted": True}), name=volume.name)
        bell.ring_on_commit(advance_volume, volume)
    return volume
