"""Types, quotas, services, pools and the other small routes."""

from __future__ import annotations

from django.urls import URLPattern

from volumes.urls.routing import ONE, route
from volumes.views import clusters, default_types, encryption, extensions, pools, qos, quotas, services, types
from volumes.views.absent import ABSENT, absent

KEY = r"(?P<key>[^/]+)"


def _absent(path: str) -> list[URLPattern]:
    many, one = absent(path)
    return [route(f"{path}(?:/detail)?", many), route(rf"{path}/{ONE}(?P<rest>/.*)?", one)]


urlpatterns: list[URLPattern] = [
    route("types", types.Types),
    route("types/default", types.ProjectsDefaultType),
    route(f"types/{ONE}", types.TypeDetail),
    route(f"types/{ONE}/action", types.TypeActions),
    route(f"types/{ONE}/os-volume-type-access", types.Access),
    route(f"types/{ONE}/extra_specs", types.ExtraSpecs),
    route(f"types/{ONE}/extra_specs/{KEY}", types.ExtraSpec),
    route(f"types/{ONE}/encryption", encryption.TypeEncryption),
    route(f"types/{ONE}/encryption/{KEY}", encryption.TypeEncryptionDetail),
    route("default-types", default_types.DefaultTypes),
    route(f"default-types/{ONE}", default_types.DefaultTypeDetail),
    route("qos-specs", qos.ManyQosSpecs),
    route(f"qos-specs/{ONE}", qos.QosSpecsDetail),
    route(f"qos-specs/{ONE}/delete_keys", qos.QosKeysDeletion),
    route(f"qos-specs/{ONE}/associations", qos.Associations),
    route(f"qos-specs/{ONE}/associate", qos.Associate),
    route(f"qos-specs/{ONE}/disassociate", qos.Disassociate),
    route(f"qos-specs/{ONE}/disassociate_all", qos.DisassociateAll),
    route(f"os-quota-sets/{ONE}", quotas.QuotaSet),
    route(f"os-quota-sets/{ONE}/defaults", quotas.QuotaDefaults),
    route(f"os-quota-class-sets/{ONE}", quotas.QuotaClassSet),
    route("limits", quotas.Limits),
    route("os-services", services.Services),
    route("os-services/enable", services.Enable),
    route("os-services/disable", services.Disable),
    route("os-services/disable-log-reason", services.DisableLogReason),
    route("os-services/freeze", services.Freeze),
    route("os-services/thaw", services.Thaw),
    route("os-services/failover_host", services.Failover),
    route("os-services/failover", services.FailoverOfClusters),
    route("os-services/get-log", services.GetLog),
    route("os-services/set-log", services.SetLog),
    route("os-hosts", services.Hosts),
    route(f"os-hosts/{ONE}", services.HostDetail),
    route("clusters", clusters.Clusters),
    route("clusters/detail", clusters.ClustersInDetail),
    route("clusters/enable", clusters.EnableCluster),
    route("clusters/disable", clusters.DisableCluster),
    route(f"clusters/{ONE}", clusters.ClusterDetail),
    route("workers/cleanup", clusters.WorkersCleanup),
    route("scheduler-stats/get_pools", pools.Pools),
    route(f"capabilities/{ONE}", pools.Capabilities),
    route("os-availability-zone", pools.AvailabilityZones),
    route("extensions", extensions.Extensions),
    route(f"extensions/{ONE}", extensions.ExtensionDetail),
    route("resource_filters", extensions.ResourceFilters),
    *(pattern for path in ABSENT for pattern in _absent(path)),
]
