"""Node groups and upgrades on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.fields import Integer, Labels, Reference, StrictSerializer, Text, Truth
from api.openapi.schemas import BOOLEAN, ID, INTEGER, LINKS, TEXT, Named, array, extended, maybe, obj
from bays.documents import COUNT, DIFFERENCES, LABELS, STATUS, TIMES, WORD
from bays.groups import Group
from bays.serializers import MAX_NODES, labels_differences, moment


class NodeGroupInput(StrictSerializer):
    """A node group that is asked for."""

    name = Text(min_length=1, max_length=255)
    role = Text(min_length=1, max_length=255, required=False, allow_null=True)
    node_count = Integer(min_value=0, max_value=MAX_NODES, required=False, allow_null=True)
    min_node_count = Integer(min_value=0, max_value=MAX_NODES, required=False, allow_null=True)
    max_node_count = Integer(min_value=1, max_value=MAX_NODES, required=False, allow_null=True)
    flavor_id = Reference()
    image_id = Reference()
    docker_volume_size = Integer(min_value=1, max_value=2**31 - 1, required=False, allow_null=True)
    labels = Labels(required=False, allow_null=True)
    merge_labels = Truth(required=False)

    def validate_name(self, value: str) -> str:
        """A name is a line of text: it is shown, and addressed in a path."""
        if not value.isprintable() or "/" in value or value != value.strip():
            raise serializers.ValidationError("Expected printable text without slashes or spaces around it.")
        return value


class BoundsInput(StrictSerializer):
    """How few and how many nodes a group may have."""

    min_node_count = Integer(min_value=0, max_value=MAX_NODES, required=False, allow_null=True)
    max_node_count = Integer(min_value=1, max_value=MAX_NODES, required=False, allow_null=True)

    def validate_min_node_count(self, value: int | None) -> int:
        """Without a bound there may be none."""
        return value or 0


class UpgradeInput(StrictSerializer):
    """Another baymodel for a bay or one of its groups."""

    cluster_template = Text(max_length=255)
    max_batch_size = Integer(min_value=1, max_value=MAX_NODES, required=False, allow_null=True)
    nodegroup = Reference()


NODEGROUP_SUMMARY = Named(
    "NodeGroupSummary",
    obj(
        {
            "uuid": ID,
            "name": TEXT,
            "flavor_id": WORD,
            "node_count": INTEGER,
            "role": TEXT,
            "is_default": BOOLEAN,
            "image_id": WORD,
            "status": STATUS,
            "stack_id": maybe(ID),
            "min_node_count": INTEGER,
            "max_node_count": COUNT,
        }
    ),
)
NODEGROUP = Named(
    "NodeGroup",
    extended(
        NODEGROUP_SUMMARY,
        {
            "cluster_id": ID,
            "project_id": TEXT,
            "docker_volume_size": COUNT,
            "labels": LABELS,
            **DIFFERENCES,
            "node_addresses": array(TEXT),
            "nodes": array(obj({"id": TEXT, "address": WORD})),
            "status_reason": WORD,
            "version": WORD,
            **TIMES,
            "links": LINKS,
        },
    ),
)


def nodegroup_summary(group: Group) -> dict[str, Any]:
    """Return a node group as lists show it."""
    stack_id = group.bay.stack_id
    return {
        "uuid": str(group.id),
        "name": group.name,
        "flavor_id": group.flavor_id,
        "node_count": group.node_count,
        "min_node_count": group.min_node_count,
        "max_node_count": group.max_node_count,
        "role": group.role,
        "is_default": group.is_default,
        "image_id": group.image_id,
        "status": group.status,
        "stack_id": stack_id and str(stack_id),
    }


def nodegroup_detail(group: Group, base: str) -> dict[str, Any]:
    """Return a node group as it is shown by itself. `nodes` is ours: what `nodes_to_remove` may name."""
    path = f"clusters/{group.bay.pk}/nodegroups/{group.id}"
    return nodegroup_summary(group) | {
        "cluster_id": str(group.bay.pk),
        "project_id": group.bay.project_id,
        "docker_volume_size": group.docker_volume_size,
        "labels": group.labels,
        **labels_differences(group.bay.labels, group.labels),
        "node_addresses": group.node_addresses,
        "nodes": [{"id": node["id"], "address": node["address"]} for node in group.nodes],
        "status_reason": group.status_reason or None,
        "version": group.labels.get("kube_tag"),
        "created_at": moment(group.created_at),
        "updated_at": moment(group.updated_at),
        "links": [
            {"rel": "self", "href": f"{base}/v1/{path}"},
            {"rel": "bookmark", "href": f"{base}/{path}"},
        ],
    }
