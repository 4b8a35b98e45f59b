"""Transfers on the wire, as each microversion tells them."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from api.fields import Boolean, Reference, Text
from volumes.models import Transfer
from volumes.serializers.fields import Words, moment
from volumes.serializers.volumes import Reader

WITH_SNAPSHOTS: Final = 55  # minor versions
WITH_HISTORY: Final = 57
LONGEST: Final = 255


class TransferInput(serializers.Serializer[Any]):
    """An offer that is made. What is not named here is passed over."""

    volume_id = Reference(allow_blank=False, allow_null=False, required=True)
    name = Words()
    no_snapshots = Boolean(required=False, default=False)


class Key(Text):
    """The key of an offer. Some clients send one of digits as a number."""

    schema: Final = {"type": ["string", "integer"], "maxLength": LONGEST}

    def to_internal_value(self, data: Any) -> str:
        """Return the key as text."""
        return super().to_internal_value(
            str(data) if isinstance(data, int) and not isinstance(data, bool) else data
        )


class AcceptInput(serializers.Serializer[Any]):
    auth_key = Key(max_length=LONGEST)


def transfer_summary(offer: Transfer, reader: Reader, collection: str) -> dict[str, Any]:
    """Return an offer as short lists and its acceptance show it."""
    return {
        "id": str(offer.pk),
        "volume_id": str(offer.volume_id),
        "name": offer.name or None,
        "links": reader.links(collection, offer.pk),
    }


def transfer_document(offer: Transfer, reader: Reader, collection: str) -> dict[str, Any]:
    """Return an offer in full. Once it is accepted there is none any more."""
    document = {**transfer_summary(offer, reader, collection), "created_at": moment(offer.created_at)}
    if reader.minor >= WITH_SNAPSHOTS:
        document["no_snapshots"] = offer.no_snapshots
    if reader.minor >= WITH_HISTORY:
        document |= {
            "source_project_id": offer.project_id,
            "destination_project_id": None,
            "accepted": False,
        }
    return document
