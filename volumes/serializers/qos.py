"""QoS specs on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from api.fields import Text
from volumes.models import QosSpecs
from volumes.serializers.types import MAX_SPECS, Specs, TypeName


class QosName(serializers.Serializer[Any]):
    """What QoS specs are called."""

    name = TypeName()

    def validate_name(self, value: str) -> str:
        """Return the name without blanks around it."""
        return value.strip()


def qos_input(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the QoS specs that are asked for: a name, who obeys them, and any other keys.

    :raises ValidationError: one of them is not allowed.
    """
    named = QosName(data=body)
    named.is_valid(raise_exception=True)
    rest = {key: value for key, value in body.items() if key != "name"}
    return {**named.validated_data, **qos_changes(rest)}


def qos_changes(data: Any) -> dict[str, Any]:
    """Return the keys that a body sets: `consumer`, where it is among them, apart from the specs.

    :raises ValidationError: the keys or values are not allowed.
    """
    specs = Specs(numbers=True).run_validation(data)
    consumer = specs.pop("consumer", None)
    if consumer is None:
        return {"specs": specs}
    if consumer not in QosSpecs.Consumer.values:
        allowed = ", ".join(QosSpecs.Consumer.values)
        raise serializers.ValidationError({"consumer": [f"It must be one of {allowed}."]})
    return {"specs": specs, "consumer": consumer}


class QosKeys(serializers.Serializer[Any]):
    """The keys that are to go."""

    keys = serializers.ListField(child=Text(max_length=255), max_length=MAX_SPECS)


def qos_document(qos: QosSpecs) -> dict[str, Any]:
    """Return QoS specs."""
    return {"id": str(qos.pk), "name": qos.name, "consumer": qos.consumer, "specs": qos.specs}
