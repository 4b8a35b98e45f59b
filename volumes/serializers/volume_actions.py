"""The bodies of a volume's actions. What is not named is passed over."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.fields import Boolean, Integer, Reference, Text
from volumes.actions.volumes import LARGEST
from volumes.serializers.fields import Ident, Words


class ExtendInput(serializers.Serializer[Any]):
    new_size = Integer(min_value=1, max_value=LARGEST)


class RetypeInput(serializers.Serializer[Any]):
    new_type = Text(max_length=255, min_length=1)
    migration_policy = serializers.ChoiceField(["never", "on-demand"], required=False, allow_null=True)


class RevertInput(serializers.Serializer[Any]):
    snapshot_id = Ident()


class ReadonlyInput(serializers.Serializer[Any]):
    readonly = Boolean()


class BootableInput(serializers.Serializer[Any]):
    bootable = Boolean()


class ResetInput(serializers.Serializer[Any]):
    """What an operator says of a volume; `reason` is ours, and is told with the volume's operation."""

    status = Text(max_length=32, required=False, allow_null=True)
    attach_status = Reference(max_length=32)
    migration_status = Reference(max_length=32)
    reason = Words()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a reset of nothing."""
        if not any(attrs.get(name) for name in ("status", "attach_status", "migration_status")):
            raise serializers.ValidationError("Give status, attach_status or migration_status.")
        return attrs
