"""Snapshots on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.fields import Boolean, Text
from volumes.models import Snapshot
from volumes.serializers.fields import Metadata, Words, moment
from volumes.serializers.volumes import Reader
from volumes.states import shown

FORCE_ENDS = 66  # from this minor version on a snapshot of a volume in use needs no force


class SnapshotInput(serializers.Serializer[Any]):
    """A snapshot that is asked for."""

    volume_id = Words(required=True)  # null and empty text are ids that nothing has, as in Cinder
    name = Words()
    description = Words()
    metadata = Metadata(required=False)
    force = Boolean(required=False, allow_null=True)


class SnapshotResetInput(serializers.Serializer[Any]):
    status = Text(max_length=32)
    reason = Words()


class SnapshotStatusInput(serializers.Serializer[Any]):
    """What somebody who works at a snapshot from outside says of it."""

    status = Text(max_length=32)
    progress = serializers.RegexField(r"^(?:[0-9]{1,2}|100)%\Z", required=False, allow_null=True)


def snapshot_summary(snapshot: Snapshot, reader: Reader) -> dict[str, Any]:
    """Return a snapshot as the short list shows it."""
    del reader
    return {
        "id": str(snapshot.pk),
        "name": snapshot.name or None,
        "description": snapshot.description or None,
        "created_at": moment(snapshot.created_at),
        "updated_at": moment(snapshot.updated_at),
        "volume_id": str(snapshot.volume_id),
        "status": shown(snapshot.status),
        "size": snapshot.size,
        "metadata": snapshot.metadata,
    }


def snapshot_document(snapshot: Snapshot, reader: Reader, *, extended: bool = True) -> dict[str, Any]:
    """Return a snapshot in full. `extended` adds what Cinder's extension tells, in all answers but those to a write."""
    document = snapshot_summary(snapshot, reader)
    later = (
        (14, "group_snapshot_id", None),
        (41, "user_id", snapshot.user_id),
        (65, "consumes_quota", True),
    )
    document |= {name: value for since, name, value in later if reader.minor >= since}
    if extended:
        document |= {
            "os-extended-snapshot-attributes:progress": snapshot.progress,
            "os-extended-snapshot-attributes:project_id": snapshot.project_id,
        }
    return document
