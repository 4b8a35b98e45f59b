"""Make, change and delete QoS specs, and say which volume types they hold for.

Locks are taken in one order: the specs, then types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now

from api.problems import BadRequest, Conflict, NotFound
from volumes.actions.guarding import as_id
from volumes.models import QosSpecs, VolumeType


def find(ident: str) -> QosSpecs:
    """Return the QoS specs with this id.

    :raises NotFound: there are none.
    """
    pk = as_id(ident)
    found = QosSpecs.objects.filter(pk=pk).first() if pk is not None else None
    if found is None:
        raise _missing(ident)
    return found


def create(values: Mapping[str, Any]) -> QosSpecs:
    """Make QoS specs.

    :raises Conflict: there are some of this name.
    """
    try:
        with transaction.atomic():
            return QosSpecs.objects.create(**values)
    except IntegrityError as taken:
        raise Conflict(f"There are QoS specs named {values['name']} already.") from taken


def update(qos: QosSpecs, changes: Mapping[str, Any]) -> QosSpecs:
    """Set some of the keys, and who obeys them where that is among the changes.

    :raises NotFound: they are gone.
    """
    with transaction.atomic():
        found = _locked(qos)
        return _changed(found, {**changes, "specs": {**found.specs, **changes["specs"]}})


def delete_keys(qos: QosSpecs, keys: Sequence[str]) -> QosSpecs:
    """Delete keys: all of them or, where one is missing, none.

    :raises NotFound: one is missing.
    """
    with transaction.atomic():
        found = _locked(qos)
        missing = [key for key in keys if key not in found.specs]
        if missing:
            raise NotFound(f"QoS specs {qos.pk} have no key {missing[0]}.")
        left = {key: value for key, value in found.specs.items() if key not in keys}
        return _changed(found, {"specs": left})


def delete(qos: QosSpecs, *, force: bool) -> None:
    """Delete QoS specs; with `force`, also those that types refer to.

    :raises BadRequest: types refer to them.
    """
    try:
        with transaction.atomic():
            found = _locked(qos)
            if force:
                disassociate_all(found)
            found.delete()
    except (ProtectedError, IntegrityError) as used:
        raise BadRequest(f"QoS specs {qos.pk} are in use: volume types refer to them.") from used


def associate(qos: QosSpecs, type_id: str) -> None:
    """Have the specs hold for a type.

    :raises NotFound: there is no such type.
    :raises BadRequest: others hold for it.
    """
    with transaction.atomic():
        found = _locked(qos)
        kind = _type(type_id)
        if kind.qos_id not in (None, qos.pk):
            raise BadRequest(f"Volume type {kind.pk} is associated with other QoS specs, {kind.qos_id}.")
        kind.qos = found
        kind.save(update_fields=["qos"])


def disassociate(qos: QosSpecs, type_id: str) -> None:
    """Have the specs hold for a type no more; one for which they do not hold stays as it is.

    :raises NotFound: there is no such type.
    """
    with transaction.atomic():
        kind = _type(type_id)
        if kind.qos_id == qos.pk:
            kind.qos = None
            kind.save(update_fields=["qos"])


def disassociate_all(qos: QosSpecs) -> None:
    """Have the specs hold for no type."""
    VolumeType.objects.filter(qos=qos).update(qos=None)


def _type(ident: str) -> VolumeType:
    pk = as_id(ident)
    kind = VolumeType.objects.select_for_update().filter(pk=pk).first() if pk is not None else None
    if kind is None:
        raise NotFound(f"Volume type {ident[:255]} could not be found.")
    return kind


def _locked(qos: QosSpecs) -> QosSpecs:
    found = QosSpecs.objects.select_for_update().filter(pk=qos.pk).first()
    if found is None:
        raise _missing(str(qos.pk))
    return found


def _changed(qos: QosSpecs, changes: Mapping[str, Any]) -> QosSpecs:
    for name, value in changes.items():
        setattr(qos, name, value)
    qos.updated_at = Now()
    qos.save(update_fields=[*changes, "updated_at"])
    return qos


def _missing(ident: str) -> NotFound:
    return NotFound(f"QoS specs {ident[:255]} could not be found.")
