"""Volumes on the wire: the bodies that ask for one, and how one is shown in each microversion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rest_framework import serializers

from api.fields import Input, Integer, Reference
from volumes.actions.guarding import as_id
from volumes.actions.volumes import LARGEST
from volumes.models import Attachment, Volume
from volumes.models.volumes import InPool
from volumes.serializers.fields import Metadata, NotOffered, Words, moment
from volumes.states import shown

AFFINITY: Final = ("same_host", "different_host")
MAX_HINTED: Final = 100  # volumes in one hint
MAX_HINTS: Final = 4096  # characters of all hints


class VolumeInput(Input):
    """A volume that is asked for. What is not named here is passed over, as Cinder does."""

    size = Integer(min_value=1, max_value=LARGEST, required=False, allow_null=True)
    name = Words()
    description = Words()
    metadata = Metadata(required=False)
    volume_type = Reference(source="type")
    availability_zone = Reference()
    snapshot_id = Reference()
    source_volid = Reference()
    imageRef = NotOffered("Volumes are not made from images here.")  # noqa: N815 - Cinder's name
    image_id = NotOffered("Volumes are not made from images here.")
    backup_id = NotOffered("There are no backups here.")
    group_id = NotOffered("There are no groups of volumes here.")
    consistencygroup_id = NotOffered("There are no consistency groups here.")
    source_replica = NotOffered("There is no replication here.")
    multiattach = NotOffered("A volume is multiattach by its type, not by this parameter.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return what the client gave: a wish leaves out what is null."""
        return {name: value for name, value in attrs.items() if value is not None}


class VolumeChange(Input):
    """What a user may call a volume or a snapshot; `metadata` are the new ones, all of them."""

    name = Words()
    description = Words()
    metadata = Metadata(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a change of nothing."""
        if not attrs:
            raise serializers.ValidationError("Give a name, a description or metadata.")
        return attrs


class Hints(serializers.Field[dict[str, Any], Any, dict[str, Any], Any]):
    """Where the volume should go, by the volumes that are or are not there; other hints are kept, not read."""

    schema: Final = {
        "type": "object",
        "properties": {
            name: {"type": ["string", "array"], "items": {"type": "string"}, "maxItems": MAX_HINTED}
            for name in AFFINITY
        },
    }

    default_error_messages = {
        "invalid": f"Expected an object of at most {MAX_HINTS} characters.",
        "ids": f"{{name}} must be the id of a volume, or a list of at most {MAX_HINTED}.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the hints."""
        if not isinstance(data, Mapping) or len(json.dumps(data)) > MAX_HINTS:
            self.fail("invalid")
        for name in AFFINITY:
            given = data.get(name, [])
            ids = given if isinstance(given, list) else [given]
            if len(ids) > MAX_HINTED or not all(isinstance(text, str) and as_id(text) for text in ids):
                self.fail("ids", name=name)
        return dict(data)


class HintsInput(Input):
    """The hints that come with a volume."""

    scheduler_hints = Hints(source="hints")


@dataclass(frozen=True, slots=True)
class Reader:
    """To whom a document is shown: in which minor version, and from which URL of version 3."""

    base: str
    minor: int
    sees_hosts: bool  # where things are stored and attached: for admins

    def links(self, collection: str, ident: object) -> list[dict[str, str]]:
        """Return the self and bookmark links of a resource."""
        root = self.base.removesuffix("/v3")
        return [
            {"rel": "self", "href": f"{self.base}/{collection}/{ident}"},
            {"rel": "bookmark", "href": f"{root}/{collection}/{ident}"},
        ]


def volume_summary(volume: Volume, reader: Reader) -> dict[str, Any]:
    """Return a volume as the short list shows it."""
    return {"id": str(volume.pk), "name": volume.name or None, "links": reader.links("volumes", volume.pk)}


def volume_document(
    volume: Volume, reader: Reader, *, placed: bool = True, new: bool = False
) -> dict[str, Any]:
    """Return a volume in full. `placed` adds what Cinder's extensions tell, in all answers but those to a write.

    Nobody has a `new` one.
    """
    users = () if new else volume.attachments.all()
    minor = reader.minor
    document: dict[str, Any] = {
        **volume_summary(volume, reader),
        "status": shown(volume.status),
        "size": volume.size,
        "availability_zone": volume.availability_zone,
        "created_at": moment(volume.created_at),
        "updated_at": moment(volume.updated_at),
        "attachments": [_attachment(each, reader) for each in users if _attached(each)],
        "description": volume.description or None,
        "volume_type": volume.type.name,
        "snapshot_id": volume.snapshot_id and str(volume.snapshot_id),
        "source_volid": volume.source_volid and str(volume.source_volid),
        "metadata": _metadata(volume),
        "user_id": volume.user_id,
        "bootable": str(volume.bootable).lower(),
        "encrypted": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "multiattach": volume.multiattach,
    }
    later = (
        (13, "group_id", None),
        (48, "shared_targets", False),
        (48, "service_uuid", None),
        (63, "volume_type_id", str(volume.type_id)),
        (65, "consumes_quota", True),
    )
    document |= {name: value for since, name, value in later if minor >= since}
    if placed:
        document["os-vol-tenant-attr:tenant_id"] = volume.project_id
    if reader.sees_hosts:
        document |= _for_admins(volume, minor, placed=placed)
    return document


def _for_admins(volume: Volume, minor: int, *, placed: bool) -> dict[str, Any]:
    document: dict[str, Any] = {"migration_status": None}
    if minor >= 21:  # noqa: PLR2004 - a microversion
        document["provider_id"] = None
    if minor >= 61:  # noqa: PLR2004
        document["cluster_name"] = f"roadstead@{volume.backend}"
    if placed:
        document |= {
            "os-vol-host-attr:host": host_of(volume),
            "os-vol-mig-status-attr:migstat": None,
            "os-vol-mig-status-attr:name_id": None,
        }
    return document


def host_of(row: InPool) -> str:
    """Return where the row is stored, in the form of Cinder's hosts."""
    return f"roadstead@{row.backend}#{row.pool}"


def _metadata(volume: Volume) -> dict[str, str]:
    """Return the metadata with what Cinder adds to them."""
    told = {} if volume.readonly is None else {"readonly": str(volume.readonly)}
    return {**volume.metadata, **told}


def _attached(attachment: Attachment) -> bool:
    return attachment.status == "attached"


def _attachment(attachment: Attachment, reader: Reader) -> dict[str, Any]:
    return {
        "id": str(attachment.volume_id),
        "attachment_id": str(attachment.pk),
        "volume_id": str(attachment.volume_id),
        "server_id": attachment.instance_id,
        "host_name": attachment.host if reader.sees_hosts else None,
        "device": attachment.mountpoint,
        "attached_at": moment(attachment.attached_at),
    }
