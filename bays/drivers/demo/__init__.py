"""The demo driver: bays of OS::Heat::* resources only, so that any Heat can make one, without servers or images.

Labels of its own: `boot_seconds` (0 to 600, default 2) is how long each node takes to be made, `fail_node` the index of
a node that fails. Other labels are kept on the bay and ignored here.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

from bays.drivers.base import BayOutputs, BaySpec, InvalidOutputs, InvalidSpec, StackTemplate

MOST_NODES = 250  # the last number of an address, the API's own apart
MOST_BOOT_SECONDS = 600

_HERE = Path(__file__).parent


class DemoDriver:
    """Makes each node a nested stack that takes a while, or fails, as the labels say."""

    name = "demo"
    serves = frozenset({("demo", "vm")})

    def __init__(self) -> None:
        """Read the templates once; they never change while the process lives."""
        self._bay = (_HERE / "bay.yaml").read_text()
        self._files = {"node.yaml": (_HERE / "node.yaml").read_text()}

    def check(self, spec: BaySpec) -> None:
        """Refuse more nodes than the demo has addresses for, and wrong values of its labels."""
        for field, count, least in (
            ("node_count", spec.node_count, 0),
            ("master_count", spec.master_count, 1),
        ):
            if not least <= count <= MOST_NODES:
                raise InvalidSpec(f"a demo bay has from {least} to {MOST_NODES}, not {count}", field)
        _number(spec.labels, "boot_seconds", MOST_BOOT_SECONDS)
        _number(spec.labels, "fail_node", MOST_NODES - 1)

    def template(self, spec: BaySpec) -> StackTemplate:
        """Return the stack of the bay; a node's part of it depends on neither of the counts."""
        self.check(spec)
        nodes, masters = _subnets(spec.id)
        fail_node = _number(spec.labels, "fail_node", MOST_NODES - 1)
        boot_seconds = _number(spec.labels, "boot_seconds", MOST_BOOT_SECONDS)
        return StackTemplate(
            template=self._bay,
            files=self._files,
            parameters={
                "subnet": nodes,
                "master_subnet": masters,
                "api_address": f"https://10.{masters}.254:6443",
                "node_count": spec.node_count,
                "master_count": spec.master_count,
                "boot_seconds": 2 if boot_seconds is None else boot_seconds,
                "fail_node": "" if fail_node is None else str(fail_node),
            },
        )

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
        )


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
