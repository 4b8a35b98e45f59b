"""Say how a type's volumes are to be encrypted by whoever attaches them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from api.problems import BadRequest, NotFound
from volumes.actions.types import changed, unused
from volumes.models import Encryption, VolumeType


def encryption_of(kind: VolumeType) -> Encryption | None:
    """Return how the type's volumes are encrypted, if they are."""
    return Encryption.objects.filter(type=kind).first()


def encrypt(kind: VolumeType, values: Mapping[str, Any]) -> Encryption:
    """Say how a type's volumes are to be encrypted.

    :raises BadRequest: it is said already, or volumes are of this type.
    """
    with transaction.atomic():
        found = unused(kind, "set the encryption")
        if encryption_of(found) is not None:
            raise BadRequest(f"Volume type {kind.pk} has an encryption already.")
        changed(found, {})
        return Encryption.objects.create(type=found, **values)


def change_encryption(kind: VolumeType, values: Mapping[str, Any]) -> Encryption:
    """Change how a type's volumes are to be encrypted.

    :raises NotFound: they are not.
    :raises BadRequest: volumes are of this type.
    """
    with transaction.atomic():
        found = unused(kind, "change the encryption")
        encryption = _encryption(found)
        changed(found, {})
        for name, value in values.items():
            setattr(encryption, name, value)
        encryption.updated_at = Now()
        encryption.save()
    return encryption


def decrypt(kind: VolumeType) -> None:
    """Have a type's volumes encrypted no more.

    :raises NotFound: they are not.
    :raises BadRequest: volumes are of this type.
    """
    with transaction.atomic():
        found = unused(kind, "delete the encryption")
        _encryption(found).delete()
        changed(found, {})


def _encryption(kind: VolumeType) -> Encryption:
    found = encryption_of(kind)
    if found is None:
        raise NotFound(f"Volume type {kind.pk} has no encryption.")
    return found
