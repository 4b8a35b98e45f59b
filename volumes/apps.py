from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class VolumesConfig(AppConfig):
    name = "volumes"

    def ready(self) -> None:
        post_migrate.connect(_seed, sender=self)


def _seed(**_: object) -> None:
    """Have the type of volumes for which none is asked."""
    from volumes.actions.typing import DEFAULT  # noqa: PLC0415 - models are ready only now
    from volumes.models import VolumeType  # noqa: PLC0415

    VolumeType.objects.get_or_create(name=DEFAULT, defaults={"description": "Default Volume Type"})
