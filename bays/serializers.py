"""Bays and baymodels on the wire, in both of their dialects: "clusters" and the older "bays".

The rows are the same; the dialects differ in a few names.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from api.fields import Integer, Labels, Reference, StrictSerializer, Text, Truth
from bays.models import Bay, BayModel
from bays.nodegroups import DEFAULT_MASTER, DEFAULT_WORKER
from bays.reasons import understood
from bays.states import BAY, Health, Status

NAME = r"^[a-zA-Z][a-zA-Z0-9_.-]*\Z"
MAX_NODES = 1000  # resources in a Heat stack, by Heat's own default
MAX_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Dialect:
    """The words that differ between clusters and bays."""

    bay: str
    baymodel: str
    model_id: str
    timeout: str
    least_nodes: int

    @property
    def bays(self) -> str:
        return f"{self.bay}s"

    @property
    def baymodels(self) -> str:
        return f"{self.baymodel}s"


CLUSTERS = Dialect("cluster", "clustertemplate", "cluster_template_id", "create_timeout", 0)
BAYS = Dialect("bay", "baymodel", "baymodel_id", "bay_create_timeout", 1)


class BayInput(StrictSerializer):
    """A bay that is asked for."""

    name = serializers.RegexField(
        NAME, max_length=242, required=False, allow_null=True, trim_whitespace=False
    )
    keypair = Reference()
    master_count = Integer(min_value=1, max_value=MAX_NODES, required=False)
    docker_volume_size = Integer(min_value=1, max_value=2**31 - 1, required=False, allow_null=True)
    labels = Labels(required=False, allow_null=True)
    merge_labels = Truth(required=False)
    flavor_id = Reference()
    master_flavor_id = Reference()
    discovery_url = Reference(max_length=1024)
    fixed_network = Reference()
    fixed_subnet = Reference()
    floating_ip_enabled = Truth(required=False, allow_null=True)
    master_lb_enabled = Truth(required=False, allow_null=True)

    def __init__(self, dialect: Dialect, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._dialect = dialect

    @property
    def alike(self) -> object:
        """Which dialect's."""
        return self._dialect

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields, with the dialect's names for those that differ."""
        words = self._dialect
        timeout = Integer(
            min_value=0, max_value=MAX_MINUTES, required=False, allow_null=True, **_source(words)
        )
        nodes = Integer(min_value=words.least_nodes, max_value=MAX_NODES, required=False)
        model = Text(max_length=255, source="baymodel")
        return {**super().get_fields(), words.model_id: model, words.timeout: timeout, "node_count": nodes}


class HealthInput(StrictSerializer):
    """What an observer says of a bay's health."""

    health_status = serializers.ChoiceField(Health.values, required=False)
    health_status_reason = Labels(required=False, allow_null=True)

    def validate_health_status_reason(self, value: dict[str, str] | None) -> dict[str, str]:
        return value or {}


class ResizeInput(StrictSerializer):
    """Another number of nodes."""

    nodes_to_remove = serializers.ListField(child=Text(max_length=255), required=False, allow_null=True)
    nodegroup = Reference()

    def __init__(self, dialect: Dialect, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._dialect = dialect

    @property
    def alike(self) -> object:
        """Which dialect's."""
        return self._dialect

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields, with the dialect's least number of nodes."""
        nodes = Integer(min_value=self._dialect.least_nodes, max_value=MAX_NODES)
        return {**super().get_fields(), "node_count": nodes}


class Addresses(Reference):
    """IP addresses, separated by commas; empty text means none."""

    default_error_messages = {"address": "{input} is no IP address."}

    def to_internal_value(self, data: Any) -> str:
        """Return the addresses as they were given, without blanks."""
        words = [word.strip() for word in super().to_internal_value(data).split(",")]
        for word in words if words != [""] else []:
            try:
                ipaddress.ip_address(word)
            except ValueError:
                self.fail("address", input=word[:64] or "An empty word")
        return ",".join(words)


class BayModelInput(StrictSerializer):
    """A baymodel that is asked for, or the attributes of one that change."""

    name = Text(max_length=255, min_length=1, required=False, allow_null=True)
    coe = Text(max_length=32)
    image_id = Text(max_length=255)
    server_type = serializers.ChoiceField(["vm", "bm"], required=False)
    keypair_id = Reference()
    flavor_id = Reference()
    master_flavor_id = Reference()
    dns_nameserver = Addresses()
    external_network_id = Reference()
    fixed_network = Reference()
    fixed_subnet = Reference()
    network_driver = serializers.ChoiceField(["flannel", "calico"], required=False, allow_null=True)
    volume_driver = serializers.ChoiceField(["cinder"], required=False, allow_null=True)
    docker_storage_driver = Reference()
    docker_volume_size = Integer(min_value=1, max_value=2**31 - 1, required=False, allow_null=True)
    apiserver_port = Integer(min_value=1024, max_value=65535, required=False, allow_null=True)
    cluster_distro = Reference()
    http_proxy = Reference()
    https_proxy = Reference()
    no_proxy = Reference()
    insecure_registry = Reference()
    labels = Labels(required=False, allow_null=True)
    tags = Reference()
    driver = Reference()
    registry_enabled = Truth(required=False)
    tls_disabled = Truth(required=False)
    public = Truth(required=False)
    hidden = Truth(required=False)
    floating_ip_enabled = Truth(required=False)
    master_lb_enabled = Truth(required=False)

    def validate_name(self, value: str | None) -> str | None:
        """A new baymodel without a name is given one; one that has a name keeps it."""
        if value is None and self.partial:
            raise serializers.ValidationError("This field may not be null.")
        return value

    def validate_labels(self, value: dict[str, str] | None) -> dict[str, str]:
        return value or {}


def _source(words: Dialect) -> dict[str, Any]:
    """DRF refuses a source that repeats the field's own name."""
    return {} if words.timeout == "create_timeout" else {"source": "create_timeout"}


def moment(value: Any) -> str | None:
    """Return a time as Magnum writes it: UTC, to the second."""
    return None if value is None else f"{value:%Y-%m-%dT%H:%M:%S+00:00}"


def links(base: str, collection: str, ident: object) -> list[dict[str, str]]:
    """Return the self and bookmark links of a resource; `base` is the service's URL without a version."""
    return [
        {"rel": "self", "href": f"{base}/v1/{collection}/{ident}"},
        {"rel": "bookmark", "href": f"{base}/{collection}/{ident}"},
    ]


def labels_differences(parent: Mapping[str, str], own: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return how labels differ from those that they were made from: Magnum's three fields."""
    return {
        "labels_overridden": {key: parent[key] for key in parent if key in own and own[key] != parent[key]},
        "labels_added": {key: own[key] for key in own if key not in parent},
        "labels_skipped": {key: parent[key] for key in parent if key not in own},
    }


def bay_summary(bay: Bay, words: Dialect, base: str) -> dict[str, Any]:
    """Return a bay as lists show it."""
    return {
        "uuid": str(bay.pk),
        "name": bay.name,
        words.model_id: str(bay.baymodel_id),
        "keypair": bay.keypair,
        "docker_volume_size": bay.docker_volume_size,
        "labels": bay.labels,
        "node_count": bay.node_count + bay.further_nodes,
        "master_count": bay.master_count,
        "flavor_id": bay.flavor_id,
        "master_flavor_id": bay.master_flavor_id,
        words.timeout: bay.create_timeout,
        "status": bay.status,
        "health_status": bay.health_status,
        "stack_id": bay.stack_id and str(bay.stack_id),
        "links": links(base, words.bays, bay.pk),
    }


def bay_detail(bay: Bay, words: Dialect, base: str) -> dict[str, Any]:
    """Return a bay as it is shown by itself."""
    detail = bay_summary(bay, words, base) | {
        "status_reason": bay.status_reason or None,
        **labels_differences(bay.baymodel.labels, bay.labels),
        "progress": progress(bay),
        "failure": failure(bay),
        "health_status_reason": bay.health_status_reason,
        "discovery_url": bay.discovery_url,
        "api_address": bay.api_address,
        "node_addresses": bay.node_addresses,
        "master_addresses": bay.master_addresses,
        "coe_version": bay.coe_version,
        "container_version": bay.container_version,
        "fixed_network": bay.fixed_network,
        "fixed_subnet": bay.fixed_subnet,
        "floating_ip_enabled": bay.floating_ip_enabled,
        "master_lb_enabled": bay.master_lb_enabled,
        "project_id": bay.project_id,
        "user_id": bay.user_id,
        "created_at": moment(bay.created_at),
        "updated_at": moment(bay.updated_at),
    }
    if words == CLUSTERS:  # what 1.13 calls stack_id; magnumclient 5 shows it, and is there in every version
        detail["cluster_id"] = detail["stack_id"]
    if bay.status.endswith("_FAILED"):
        detail["faults"] = dict.fromkeys((DEFAULT_MASTER, DEFAULT_WORKER), bay.status_reason)
    return detail


def failure(bay: Bay) -> dict[str, str | None] | None:
    """Return what did not work and what to do next; None while all is well. Ours, beside Magnum's `status_reason`."""
    if not (bay.status.endswith("_FAILED") or bay.status in BAY.busy):
        return None
    reason = understood(bay.status_reason)
    return reason.document if reason else None


def progress(bay: Bay) -> dict[str, int | None] | None:
    """Return how many nodes of all are done; None for a bay that is at rest, or on its way out. Ours."""
    if bay.status not in {Status.CREATE_IN_PROGRESS, Status.UPDATE_IN_PROGRESS}:
        return None
    return {
        "nodes_done": bay.nodes_done,
        "nodes": bay.node_count + bay.further_nodes + bay.master_count,
    }


MODEL_FIELDS = tuple(BayModelInput().fields)


def baymodel_document(model: BayModel, words: Dialect, base: str) -> dict[str, Any]:
    """Return a baymodel; lists show all of it too."""
    return {
        "uuid": str(model.pk),
        **{name: getattr(model, name) for name in MODEL_FIELDS},
        "project_id": model.project_id,
        "user_id": model.user_id,
        "created_at": moment(model.created_at),
        "updated_at": moment(model.updated_at),
        "links": links(base, words.baymodels, model.pk),
    }
