"""Messages on the wire."""

from __future__ import annotations

from typing import Any

from volumes.models import Message
from volumes.serializers.fields import moment
from volumes.serializers.volumes import Reader


def message_document(message: Message, reader: Reader) -> dict[str, Any]:
    """Return a message."""
    return {
        "id": str(message.pk),
        "event_id": message.event_id,
        "user_message": message.user_message,
        "message_level": message.message_level,
        "created_at": moment(message.created_at),
        "guaranteed_until": moment(message.guaranteed_until),
        "request_id": message.request_id or None,
        "resource_type": message.resource_type,
        "resource_uuid": message.resource_id and str(message.resource_id),
        "links": reader.links("messages", message.pk),
    }
