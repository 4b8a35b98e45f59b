"""A driver of the smallest bays there can be: one resource each. Heat makes it for real, and soon."""

from __future__ import annotations

from collections.abc import Mapping

from bays.drivers.base import BayOutputs, BaySpec, StackTemplate
from bays.drivers.demo import DemoDriver


class TinyDriver:
    """Label `boot_seconds` is how long a bay takes to be made, 0 by default."""

    name = "tiny"
    serves = frozenset({("tiny", "vm")})

    def check(self, spec: BaySpec) -> None:
        """Refuse nothing."""

    def template(self, spec: BaySpec) -> StackTemplate:
        """Return one resource that changes with the count of nodes."""
        waits = {"create": int(spec.labels.get("boot_seconds", "0")), "update": 0, "delete": 0}
        properties = {"value": f"{spec.node_count} nodes", "action_wait_secs": waits}
        outputs: dict[str, object] = {
            "api_address": "https://10.0.0.254:6443",
            "node_addresses": [f"10.0.0.{number}" for number in range(spec.node_count)],
            "master_addresses": ["10.0.1.0"],
        }
        return StackTemplate(
            {
                "heat_template_version": "2021-04-16",
                "resources": {"one": {"type": "OS::Heat::TestResource", "properties": properties}},
                "outputs": {name: {"value": value} for name, value in outputs.items()},
            }
        )

    def outputs(self, outputs: Mapping[str, object]) -> BayOutputs:
        """Read what the template promises, as the demo driver does."""
        return DemoDriver().outputs(outputs)
