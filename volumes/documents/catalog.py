"""Discovery, types, quotas, services, pools and the other small routes."""

from __future__ import annotations

from typing import Final

from api.openapi.schemas import (
    ANYTHING,
    BOOLEAN,
    ID,
    INTEGER,
    LINKS,
    NULL,
    NUMBER,
    TEXT,
    Named,
    array,
    extended,
    listed,
    mapping,
    maybe,
    obj,
    one_of,
    optional,
    since,
)
from volumes.documents import ADMINS, TIME, WORD, one

VERSIONS: Final = listed(
    "versions",
    obj(
        {
            "id": TEXT,
            "status": TEXT,
            "version": TEXT,
            "min_version": TEXT,
            "updated": TEXT,
            "links": LINKS,
            "media-types": array(mapping(TEXT)),
        }
    ),
)
SPECS: Final = mapping(TEXT)
BRIEF_TYPE: Final = Named(
    "BriefVolumeType",
    obj({"id": ID, "name": TEXT, "is_public": BOOLEAN, "description": WORD, "extra_specs": SPECS}),
)
TYPE: Final = Named(
    "VolumeType",
    extended(
        BRIEF_TYPE,
        {"os-volume-type-access:is_public": BOOLEAN, "qos_specs_id": optional(maybe(ID), ADMINS)},
    ),
)
TYPES: Final = listed("volume_types", TYPE, volume_type_links=optional(LINKS, "The next page."))
ACCESS: Final = listed("volume_type_access", obj({"volume_type_id": ID, "project_id": TEXT}))
DEFAULT_TYPE: Final = Named("DefaultType", obj({"project_id": TEXT, "volume_type_id": ID}))
TOLD: Final = {
    "volume_type_id": ID,
    "encryption_id": ID,
    "provider": TEXT,
    "control_location": one_of(["front-end", "back-end"]),
    "cipher": WORD,
    "key_size": maybe(INTEGER),
}
BRIEF_ENCRYPTION: Final = Named("BriefEncryption", obj(TOLD))
ENCRYPTION: Final = Named(
    "Encryption",
    obj({**TOLD, "deleted": BOOLEAN, "created_at": TIME, "updated_at": maybe(TIME), "deleted_at": NULL}),
)
CHANGED_ENCRYPTION: Final = obj(
    {name: optional(schema) for name, schema in TOLD.items() if not name.endswith("_id")}
)
QOS: Final = Named("QosSpecs", obj({"id": ID, "name": TEXT, "consumer": TEXT, "specs": SPECS}))
ONE_QOS: Final = obj({"qos_specs": QOS, "links": LINKS})
ASSOCIATIONS: Final = listed("qos_associations", obj({"association_type": TEXT, "id": ID, "name": TEXT}))
NAMED_LIMITS: Final = mapping(INTEGER)
LIMITS: Final = mapping({"anyOf": [INTEGER, obj({"limit": INTEGER, "in_use": INTEGER, "reserved": INTEGER})]})
QUOTA_SET: Final = Named(
    "QuotaSet", {**LIMITS, "properties": {"id": TEXT}, "description": "The limits, by name; -1 is none."}
)
ABSOLUTE: Final = one("limits", obj({"rate": array(ANYTHING), "absolute": NAMED_LIMITS}))
UP: Final = one_of(["up", "down"])
ENABLED: Final = one_of(["enabled", "disabled"])
BACKENDS: Final = "Of a service that is a back-end's."
SERVICE: Final = Named(
    "Service",
    obj(
        {
            "binary": TEXT,
            "host": TEXT,
            "zone": TEXT,
            "status": ENABLED,
            "state": UP,
            "updated_at": maybe(TIME),
            "disabled_reason": WORD,
            "cluster": since("3.7", WORD),
            "backend_state": since("3.49", optional(UP, BACKENDS)),
            "replication_status": optional(TEXT, BACKENDS),
            "active_backend_id": optional(NULL, BACKENDS),
            "frozen": optional(BOOLEAN, BACKENDS),
        }
    ),
)
CHANGED_SERVICE: Final = obj(
    {
        "host": TEXT,
        "service": TEXT,
        "binary": TEXT,
        "status": ENABLED,
        "disabled": BOOLEAN,
        "disabled_reason": optional(WORD),
    }
)
CLUSTER_SUMMARY: Final = Named(
    "ClusterSummary",
    obj(
        {
            "name": TEXT,
            "binary": TEXT,
            "state": UP,
            "status": ENABLED,
            "replication_status": since("3.26", TEXT),
        }
    ),
)
CLUSTER: Final = Named(
    "Cluster",
    extended(
        CLUSTER_SUMMARY,
        {
            "num_hosts": INTEGER,
            "num_down_hosts": INTEGER,
            "last_heartbeat": maybe(TIME),
            "created_at": NULL,
            "updated_at": NULL,
            "disabled_reason": WORD,
            "frozen": since("3.26", BOOLEAN),
            "active_backend_id": since("3.26", NULL),
        },
    ),
)
CHANGED_CLUSTER: Final = one("cluster", extended(CLUSTER_SUMMARY, {"disabled_reason": WORD}))
CLEANUP: Final = obj({"cleaning": array(ANYTHING), "unavailable": array(ANYTHING)})
LOG_LEVELS: Final = listed("log_levels", obj({"host": TEXT, "binary": TEXT, "levels": mapping(TEXT)}))
HOST: Final = Named(
    "Host",
    obj(
        {
            "host_name": TEXT,
            "service": TEXT,
            "zone": TEXT,
            "service-status": one_of(["available", "unavailable"]),
            "service-state": ENABLED,
            "last-update": maybe(TIME),
        }
    ),
)
USAGE: Final = Named(
    "Usage",
    one(
        "resource",
        obj(
            dict.fromkeys(("host", "project"), TEXT)
            | dict.fromkeys(("volume_count", "total_volume_gb", "snapshot_count", "total_snapshot_gb"), TEXT)
        ),
    ),
)
POOL: Final = Named(
    "Pool",
    obj(
        {
            "name": TEXT,
            "capabilities": optional(
                {
                    **obj(
                        {
                            "pool_name": TEXT,
                            "volume_backend_name": TEXT,
                            "total_capacity_gb": NUMBER,
                            "free_capacity_gb": NUMBER,
                            "allocated_capacity_gb": NUMBER,
                            "provisioned_capacity_gb": NUMBER,
                            "max_over_subscription_ratio": TEXT,
                            "reserved_percentage": INTEGER,
                            "backend_state": UP,
                            "timestamp": maybe(TIME),
                            "report_age_seconds": maybe(NUMBER),
                            "down_reason": WORD,
                            "disabled": BOOLEAN,
                            "disabled_reason": WORD,
                            "frozen": BOOLEAN,
                            "availability_zone": TEXT,
                        }
                    ),
                    "additionalProperties": True,
                },
                "With `detail`; and whatever else the back-end reported.",
            ),
        }
    ),
)
CAPABILITIES: Final = Named(
    "Capabilities",
    obj(
        {
            "namespace": TEXT,
            "volume_backend_name": TEXT,
            "pool_name": NULL,
            "display_name": NULL,
            "description": NULL,
            "visibility": NULL,
            "replication_targets": array(ANYTHING),
            "vendor_name": TEXT,
            "driver_version": TEXT,
            "storage_protocol": TEXT,
            "properties": mapping(obj({"title": TEXT, "description": TEXT, "type": TEXT})),
        }
    ),
)
ZONES: Final = listed(
    "availabilityZoneInfo", obj({"zoneName": TEXT, "zoneState": obj({"available": BOOLEAN})})
)
EXTENSION: Final = Named(
    "Extension",
    obj({"alias": TEXT, "name": TEXT, "description": TEXT, "updated": TEXT, "links": array(ANYTHING)}),
)
FILTERS: Final = listed("resource_filters", obj({"resource": TEXT, "filters": array(TEXT)}))
