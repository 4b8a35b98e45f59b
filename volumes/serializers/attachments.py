"""Attachments and connectors on the wire."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from api.fields import Reference, Text
from volumes.models import Attachment
from volumes.serializers.fields import moment

MODES: Final = ("rw", "ro")
LONGEST: Final = 16 * 1024  # characters of a connector
UNSET: Final = "null"  # Cinder's word for the mode of an attachment that was told none


class Connector(serializers.Field[dict[str, Any], Any, dict[str, Any], Any]):
    """Who wants to reach a volume: an object that names its `host`. What else it holds, the back-end checks."""

    schema: Final = {
        "type": "object",
        "properties": {"host": {"type": "string"}, "mode": {"enum": [*MODES, None]}},
    }

    default_error_messages = {
        "invalid": "Expected an object.",
        "long": f"A connector has at most {LONGEST} characters.",
        "host": "A connector names its host, in 1 to 255 printable characters.",
        "mode": f"A connector's mode is one of {', '.join(MODES)}.",
        "mountpoint": "A connector's mountpoint is text of at most 255 characters.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the connector; an empty one is none."""
        if not isinstance(data, Mapping):
            self.fail("invalid")
        if not data:
            return {}
        if len(json.dumps(data)) > LONGEST:
            self.fail("long")
        if not _is_text(data.get("host")):
            self.fail("host")
        if data.get("mode") not in (None, *MODES):
            self.fail("mode")
        if data.get("mountpoint") is not None and not _is_text(data["mountpoint"]):
            self.fail("mountpoint")
        return dict(data)

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return the connector."""
        return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()  # noqa: PLR2004 - the column


class _Needed(Connector):
    """A connector that may not be empty."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the connector."""
        found = super().to_internal_value(data)
        if not found:
            self.fail("host")
        return found


class Ident(Reference):
    """An id, in one form however it was written; null is none."""

    default_error_messages = {"uuid": "Expected a UUID."}

    def to_internal_value(self, data: Any) -> str:
        """Return the id."""
        try:
            return str(uuid.UUID(super().to_internal_value(data)))
        except ValueError:
            self.fail("uuid")


class AttachmentInput(serializers.Serializer[Any]):
    """An attachment that is asked for. What is not named here is passed over."""

    volume_uuid = Reference(allow_blank=False, allow_null=False, required=True)
    instance_uuid = Ident()
    connector = Connector(required=False, allow_null=True)
    mode = serializers.ChoiceField(MODES, required=False, allow_null=True)


class AttachmentChange(serializers.Serializer[Any]):
    connector = _Needed()


class AttachInput(serializers.Serializer[Any]):
    """The body of os-attach: a server or a host."""

    instance_uuid = Ident()
    host_name = Reference()
    mountpoint = Text(min_length=1, max_length=255)
    mode = serializers.ChoiceField(MODES, required=False, default="rw")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse both, and neither."""
        if (attrs.get("instance_uuid") is None) == (attrs.get("host_name") is None):
            raise serializers.ValidationError("Give instance_uuid or host_name, and not both.")
        return attrs


class DetachInput(serializers.Serializer[Any]):
    attachment_id = Ident()


class ForceDetachInput(DetachInput):
    connector = Connector(required=False, allow_null=True)


class ConnectInput(serializers.Serializer[Any]):
    connector = _Needed()


def attachment_summary(attachment: Attachment) -> dict[str, Any]:
    """Return an attachment as short lists show it."""
    return {
        "id": str(attachment.pk),
        "status": attachment.status,
        "instance": attachment.instance_id,
        "volume_id": str(attachment.volume_id),
    }


def attachment_document(attachment: Attachment, *, tells_way: bool = False) -> dict[str, Any]:
    """Return an attachment in full; `tells_way` says that its reader may learn how the host reaches the volume."""
    return {
        **attachment_summary(attachment),
        "attached_at": moment(attachment.attached_at) or "",
        "detached_at": "",
        "attach_mode": attachment.mode or UNSET,
        "connection_info": _way(attachment) if tells_way else {},
    }


def _way(attachment: Attachment) -> dict[str, Any]:
    """Return the attachment's connection_info, without the nesting that older clients know."""
    info = attachment.connection.info if attachment.connection is not None else None
    if info is None:
        return {}
    kind, data = info["driver_volume_type"], info["data"]
    own = {"access_mode": attachment.mode, "attachment_id": str(attachment.pk)}
    return {"driver_volume_type": kind, **data, **own}
