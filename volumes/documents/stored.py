"""Volumes, snapshots, attachments, transfers and messages."""

from __future__ import annotations

from typing import Final

from api.openapi.methods import Body, truths
from api.openapi.schemas import (
    BOOLEAN,
    ID,
    INTEGER,
    LINKS,
    NULL,
    OBJECT,
    TEXT,
    Named,
    array,
    const,
    extended,
    mapping,
    maybe,
    obj,
    one_of,
    optional,
    since,
)
from volumes.documents import ADMINS, TIME, WORD, WRITTEN, one
from volumes.serializers.fields import Metadata, MetadataInput
from volumes.states import SNAPSHOT, VOLUME, shown

METADATA: Final = mapping(TEXT)
ALL_TENANTS: Final = truths("all_tenants", says="Of all projects: for admins; passed over for others.")
WITH_COUNT: Final = truths("with_count", since="3.45")
VOLUME_SUMMARY: Final = Named("VolumeSummary", obj({"id": ID, "name": WORD, "links": LINKS}))
USER: Final = Named(
    "VolumeAttachment",
    obj(
        {
            "id": ID,
            "attachment_id": ID,
            "volume_id": ID,
            "server_id": WORD,
            "host_name": WORD,
            "device": WORD,
            "attached_at": maybe(TIME),
        }
    ),
)
VOLUME_DOCUMENT: Final = Named(
    "Volume",
    extended(
        VOLUME_SUMMARY,
        {
            "status": one_of(dict.fromkeys(map(shown, VOLUME.statuses))),
            "size": INTEGER,
            "availability_zone": TEXT,
            "created_at": TIME,
            "updated_at": maybe(TIME),
            "attachments": array(USER),
            "description": WORD,
            "volume_type": TEXT,
            "snapshot_id": maybe(ID),
            "source_volid": maybe(ID),
            "metadata": METADATA,
            "user_id": TEXT,
            "bootable": one_of(["true", "false"]),
            "encrypted": BOOLEAN,
            "replication_status": NULL,
            "consistencygroup_id": NULL,
            "multiattach": BOOLEAN,
            "group_id": since("3.13", NULL),
            "shared_targets": since("3.48", BOOLEAN),
            "service_uuid": since("3.48", NULL),
            "volume_type_id": since("3.63", ID),
            "consumes_quota": since("3.65", BOOLEAN),
            "os-vol-tenant-attr:tenant_id": optional(TEXT, WRITTEN),
            "migration_status": optional(NULL, ADMINS),
            "provider_id": since("3.21", optional(NULL, ADMINS)),
            "cluster_name": since("3.61", optional(TEXT, ADMINS)),
            "os-vol-host-attr:host": optional(TEXT, ADMINS),
            "os-vol-mig-status-attr:migstat": optional(NULL, ADMINS),
            "os-vol-mig-status-attr:name_id": optional(NULL, ADMINS),
        },
    ),
)
VOLUMES_SUMMARY: Final = Named(
    "VolumesSummary",
    obj(
        {
            "total_count": INTEGER,
            "total_size": INTEGER,
            "metadata": since("3.36", mapping(array(TEXT))),
        }
    ),
)
SNAPSHOT_SUMMARY: Final = Named(
    "SnapshotSummary",
    obj(
        {
            "id": ID,
            "name": WORD,
            "description": WORD,
            "created_at": TIME,
            "updated_at": maybe(TIME),
            "volume_id": ID,
            "status": one_of(dict.fromkeys(map(shown, SNAPSHOT.statuses))),
            "size": INTEGER,
            "metadata": METADATA,
        }
    ),
)
SNAPSHOT_DOCUMENT: Final = Named(
    "Snapshot",
    extended(
        SNAPSHOT_SUMMARY,
        {
            "group_snapshot_id": since("3.14", NULL),
            "user_id": since("3.41", TEXT),
            "consumes_quota": since("3.65", BOOLEAN),
            "os-extended-snapshot-attributes:progress": optional(TEXT, WRITTEN),
            "os-extended-snapshot-attributes:project_id": optional(TEXT, WRITTEN),
        },
    ),
)
ATTACHMENT_SUMMARY: Final = Named(
    "AttachmentSummary", obj({"id": ID, "status": TEXT, "instance": WORD, "volume_id": ID})
)
ATTACHMENT: Final = Named(
    "Attachment",
    extended(
        ATTACHMENT_SUMMARY,
        {
            "attached_at": {"anyOf": [TIME, const("")]},
            "detached_at": TEXT,
            "attach_mode": one_of(["rw", "ro", "null"]),
            "connection_info": {**OBJECT, "description": "How its host reaches the volume."},
        },
    ),
)
CONNECTED: Final = Named("Connected", obj({"connection_info": OBJECT}))
TRANSFER_SUMMARY: Final = Named(
    "TransferSummary", obj({"id": ID, "volume_id": ID, "name": WORD, "links": LINKS})
)
TRANSFER: Final = Named(
    "Transfer",
    extended(
        TRANSFER_SUMMARY,
        {
            "created_at": TIME,
            "no_snapshots": since("3.55", BOOLEAN),
            "source_project_id": since("3.57", TEXT),
            "destination_project_id": since("3.57", NULL),
            "accepted": since("3.57", BOOLEAN),
        },
    ),
)
OFFER: Final = Named("Offer", extended(TRANSFER, {"auth_key": optional(TEXT, "While the offer stands.")}))
MESSAGE: Final = Named(
    "Message",
    obj(
        {
            "id": ID,
            "event_id": TEXT,
            "user_message": TEXT,
            "message_level": TEXT,
            "created_at": TIME,
            "guaranteed_until": TIME,
            "request_id": WORD,
            "resource_type": TEXT,
            "resource_uuid": maybe(ID),
            "links": LINKS,
        }
    ),
)
ITEMS: Final = one("metadata", METADATA)
ITEM: Final = one("meta", METADATA)


def metadata_in(key: str) -> Body:
    """Return how a body of metadata is described, in this key."""
    schema = {**one(key, Metadata.schema), "additionalProperties": True}
    return Body(schema, (MetadataInput,))
