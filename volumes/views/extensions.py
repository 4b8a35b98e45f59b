"""/extensions and /resource_filters: what there is, for clients that ask before they use it."""

from __future__ import annotations

from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, texts
from api.openapi.schemas import listed
from api.problems import NotFound
from api.versions import Version
from volumes.documents import one
from volumes.documents.catalog import EXTENSION, FILTERS
from volumes.views.base import VolumeView

# By alias: the name and the time by which Cinder's clients know each, and what it is.
EXTENSIONS: Final[dict[str, tuple[str, str, str]]] = {
    "OS-SCH-HNT": ("SchedulerHints", "2013-04-18", "Hints of where to place a new volume."),
    "capabilities": ("Capabilities", "2015-08-31", "What back-ends can do."),
    "encryption": ("VolumeTypeEncryption", "2013-07-01", "How volumes of a type are to be encrypted."),
    "os-admin-actions": ("AdminActions", "2012-08-25", "What only admins do to volumes and snapshots."),
    "os-availability-zone": ("AvailabilityZones", "2013-06-27", "Availability zones."),
    "os-extended-services": ("ExtendedServices", "2014-01-10", "Why a service was disabled."),
    "os-extended-snapshot-attributes": (
        "ExtendedSnapshotAttributes",
        "2012-06-19",
        "The progress and the project of snapshots.",
    ),
    "os-hosts": ("Hosts", "2011-06-29", "What is stored on hosts."),
    "os-quota-class-sets": ("QuotaClasses", "2012-03-12", "The limits that hold by default."),
    "os-quota-sets": ("Quotas", "2011-08-08", "The limits of projects."),
    "os-services": ("Services", "2012-10-28", "Services and their states."),
    "os-snapshot-actions": ("SnapshotActions", "2013-07-16", "Snapshots in the words of other services."),
    "os-types-extra-specs": ("TypesExtraSpecs", "2011-08-24", "What types demand of back-ends."),
    "os-types-manage": ("TypesManage", "2011-08-24", "Volume types are made, changed and deleted."),
    "os-used-limits": ("UsedLimits", "2013-10-03", "How much of its limits a project uses."),
    "os-vol-host-attr": ("VolumeHostAttribute", "2011-11-03", "Where a volume is stored, for admins."),
    "os-vol-mig-status-attr": ("VolumeMigStatusAttribute", "2013-08-08", "Migration status, for admins."),
    "os-vol-tenant-attr": ("VolumeTenantAttribute", "2011-11-03", "The project of a volume."),
    "os-volume-actions": ("VolumeActions", "2012-05-31", "What servers and users do to volumes."),
    "os-volume-transfer": ("VolumeTransfer", "2013-05-29", "Volumes are given to other projects."),
    "os-volume-type-access": ("VolumeTypeAccess", "2014-06-26", "Who may use a private type."),
    "qos-specs": ("Qos_specs_manage", "2013-08-02", "Limits of speed for volumes of a type."),
    "scheduler-stats": ("Scheduler_stats", "2014-09-07", "What pools report."),
}
RESOURCE_FILTERS: Final[dict[str, list[str]]] = {
    "volume": [
        "name",
        "status",
        "metadata",
        "bootable",
        "availability_zone",
        "created_at",
        "updated_at",
        "consumes_quota",
    ],
    "snapshot": ["name", "status", "volume_id", "metadata", "availability_zone", "consumes_quota"],
    "attachment": ["volume_id", "status", "instance_id", "attach_status"],
    "message": ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
    "pool": ["name", "volume_type"],
    "volume_type": ["is_public", "extra_specs"],
}


class Extensions(VolumeView):
    policy = {"GET": "extension:list"}
    described = {"GET": Does({200: listed("extensions", EXTENSION)})}

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List the extensions."""
        return Response({"extensions": [_document(alias) for alias in EXTENSIONS]})


class ExtensionDetail(VolumeView):
    policy = {"GET": "extension:list"}
    described = {"GET": Does({200: one("extension", EXTENSION)})}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show an extension, by its alias."""
        if ident not in EXTENSIONS:
            raise NotFound(f"Extension {ident[:255]} could not be found.")
        return Response({"extension": _document(ident)})


class ResourceFilters(VolumeView):
    since = Version(3, 33)
    policy = {"GET": "extension:list"}
    described = {"GET": Does({200: FILTERS}, query=texts("resource"))}

    def get(self, request: Request) -> Response:
        """List the filters that each list takes, or that of one resource."""
        wanted = request.query_params.get("resource")
        rows = [
            {"resource": resource, "filters": filters}
            for resource, filters in RESOURCE_FILTERS.items()
            if wanted in (None, resource)
        ]
        return Response({"resource_filters": rows})


def _document(alias: str) -> dict[str, Any]:
    name, day, what = EXTENSIONS[alias]
    updated = f"{day}T00:00:00+00:00"
    return {"alias": alias, "name": name, "description": what, "updated": updated, "links": []}
