"""The demo driver: bays of OS::Heat::* resources only, so that any Heat can make one, without servers or images.

Labels of its own: `boot_seconds` (0 to 600, default 2) is how long each node takes to be made, `fail_node` the index of
a node that fails. `kube_tag` is a version: an upgrade to another one, or to another image, changes each node. Other
labels are kept on the bay and ignored here.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from copy import deepcopy
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from bays.drivers.base import BayOutputs, BaySpec, InvalidOutputs, InvalidSpec, MadeNode, StackTemplate

MOST_NODES = 250  # the last number of an address, the API's own apart
MOST_BOOT_SECONDS = 600
DEFAULT = "default-worker"  # what the first group of workers is called

_HERE = Path(__file__).parent


class DemoDriver:
    """Makes each node a nested stack that takes a while, or fails, as the labels say."""

    name = "demo"
    serves = frozenset({("demo", "vm")})
    node_types = frozenset({"node.yaml"})

    def __init__(self) -> None:
        """Read the templates once; they never change while the process lives."""
        self._bay: Mapping[str, Any] = yaml.safe_load((_HERE / "bay.yaml").read_text())
        self._files = {"node.yaml": (_HERE / "node.yaml").read_text()}

    def check(self, spec: BaySpec) -> None:
        """Refuse more nodes than the demo has addresses for, and wrong values of its labels."""
        for field, count, least in (
            ("node_count", spec.node_count, 0),
            ("master_count", spec.master_count, 1),
            *(("node_count", group.node_count, 0) for group in spec.groups),
        ):
            if not least <= count <= MOST_NODES:
                raise InvalidSpec(f"a demo bay has from {least} to {MOST_NODES}, not {count}", field)
        for labels in (spec.labels, *(group.labels for group in spec.groups)):
            _number(labels, "boot_seconds", MOST_BOOT_SECONDS)
            _number(labels, "fail_node", MOST_NODES - 1)

    def check_upgrade(self, now: BaySpec, then: BaySpec) -> None:
        """Refuse the way back to an older version, as the label `kube_tag` tells it."""
        before, after = now.labels.get("kube_tag", ""), then.labels.get("kube_tag", "")
        if _version(after) < _version(before):
            raise InvalidSpec(f"kube_tag cannot go back from {before} to {after}", "labels")

    def template(self, spec: BaySpec) -> StackTemplate:
        """Return the stack of the bay; a node's part of it depends on no count."""
        self.check(spec)
        nodes, masters = _subnets(spec.id)
        parameters = {
            "subnet": nodes,
            "master_subnet": masters,
            "api_address": f"https://10.{masters}.254:6443",
            "node_count": spec.node_count,
            "master_count": spec.master_count,
            "release": _release(spec.image_id, spec.labels),
            "remove": list(spec.remove.get(DEFAULT, ())),
            **_boot(spec.labels),
        }
        return StackTemplate(_with_groups(self._bay, spec), self._files, parameters)

    def outputs(self, outputs: Mapping[str, object]) -> BayOutputs:
        """Read the addresses that `bay.yaml` promises."""
        api_address = outputs.get("api_address")
        if not isinstance(api_address, str) or urlsplit(api_address).scheme != "https":
            raise InvalidOutputs("the stack's output api_address is not an https URL")
        version = outputs.get("coe_version")
        return BayOutputs(
            api_address=api_address,
            node_addresses=_addresses(outputs, "node_addresses"),
            master_addresses=_addresses(outputs, "master_addresses"),
            coe_version=version if isinstance(version, str) else None,
            nodes=_nodes(outputs.get("nodes", {})),
        )


def _with_groups(bay: Mapping[str, Any], spec: BaySpec) -> dict[str, Any]:
    """Return the template with a resource for each further node group, and what rolls a change through the nodes."""
    template: dict[str, Any] = deepcopy(dict(bay))
    made, outputs = template["resources"], template["outputs"]
    workers = {DEFAULT: "nodes"}
    for group in spec.groups:
        workers[group.name] = key = f"group-{group.id.hex}"
        made[key] = deepcopy(bay["resources"]["nodes"])
        properties = made[key]["properties"]
        properties["count"] = group.node_count
        properties["removal_policies"] = [{"resource_list": list(spec.remove.get(group.name, ()))}]
        properties["resource_def"]["properties"] |= {
            "address": f"10.{_subnets(group.id)[0]}.%index%",
            "release": _release(group.image_id, group.labels),
            **_boot(group.labels),
        }
        outputs["nodes"]["value"][group.name] = {
            what: {"get_attr": [key, "attributes", what]} for what in ("id", "address")
        }
    if spec.groups:
        lists = [{"get_attr": [key, "address"]} for key in workers.values()]
        outputs["node_addresses"]["value"] = {"list_concat": lists}
    if spec.max_batch_size is not None:
        for key in ("masters", *workers.values()):
            made[key]["update_policy"] = {"rolling_update": {"max_batch_size": spec.max_batch_size}}
    return template


def _boot(labels: Mapping[str, str]) -> dict[str, object]:
    fail_node = _number(labels, "fail_node", MOST_NODES - 1)
    boot_seconds = _number(labels, "boot_seconds", MOST_BOOT_SECONDS)
    return {
        "boot_seconds": 2 if boot_seconds is None else boot_seconds,
        "fail_node": "" if fail_node is None else str(fail_node),
    }


def _release(image_id: str | None, labels: Mapping[str, str]) -> str:
    """Return what tells the nodes of one baymodel from those of another that they may be upgraded to."""
    return f"{image_id or ''} {labels.get('kube_tag', '')}".strip()


def _version(tag: str) -> tuple[int, ...]:
    """Return the numbers of a tag such as v1.30.2; none where it has none, which is before all others."""
    return tuple(int(number) for number in re.findall(r"[0-9]{1,9}", tag)[:4])


def _nodes(told: object) -> dict[str, list[MadeNode]]:
    """Read the nodes of each group; of a stack that an older template made none are told.

    :raises InvalidOutputs: they are not what `bay.yaml` promises.
    """
    try:
        return {group: _nodes_of(parts["id"], parts["address"]) for group, parts in _items(told)}
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidOutputs("the stack's output nodes does not tell the id and address of each") from error


def _nodes_of(ids: object, addresses: object) -> list[MadeNode]:
    found = dict(_items(addresses))
    return [
        MadeNode(name, str(uuid.UUID(_text(ident))), str(IPv4Address(_text(found[name]))))
        for name, ident in sorted(_items(ids), key=lambda item: int(item[0]))
    ]


def _items(told: object) -> list[tuple[str, Any]]:
    """Return the items of an object.

    :raises ValueError: it is none.
    """
    if isinstance(told, dict) and all(isinstance(key, str) for key in told):
        return list(told.items())
    raise ValueError(told)


def _number(labels: Mapping[str, str], label: str, most: int) -> int | None:
    """Return the label as a whole number, None if it is not there.

    :raises InvalidSpec: it is not a number from 0 to `most`.
    """
    text = labels.get(label)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
        raise InvalidSpec(f"{label} must be a whole number from 0 to {most}", "labels")
    return int(text)


def _subnets(bay_id: uuid.UUID) -> tuple[str, str]:
    """Return the middle of the nodes' and of the masters' addresses, the same for the same bay for ever."""
    high, low = divmod(bay_id.int % (254 * 127), 127)
    return f"{high + 1}.{2 * low}", f"{high + 1}.{2 * low + 1}"


def _addresses(outputs: Mapping[str, object], key: str) -> list[str]:
    """Return the output as a list of IPv4 addresses.

    :raises InvalidOutputs: it is anything else.
    """
    found = outputs.get(key)
    if not isinstance(found, list) or len(found) > MOST_NODES:
        raise InvalidOutputs(f"the stack's output {key} is not a list of addresses")
    try:
        return [str(IPv4Address(_text(address))) for address in found]
    except ValueError as error:
        raise InvalidOutputs(f"the stack's output {key} holds something that is not an address") from error


def _text(value: object) -> str:
    """Return the value itself if it is a text; IPv4Address would take a number too.

    :raises ValueError: it is not.
    """
    if isinstance(value, str):
        return value
    raise ValueError(value)
