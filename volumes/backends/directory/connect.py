"""How a host reaches a volume: as a local path or over NFS, in the words of Cinder's connection_info.

A connector is a client's word. All that is read of it is the host's name and address, and these are only compared with
what the operator has listed.
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from volumes.backends.base import Refused
from volumes.backends.directory.pool import VOLUMES, Pool, published

HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")
ADDRESS_LENGTH = 45  # the longest way to write an IPv6 address

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Access:
    """Who may reach the volumes of a back-end, and by which protocol."""

    protocol: Literal["local", "nfs"]
    hosts: frozenset[str]  # of local consumers
    networks: tuple[Network, ...] = ()  # of NFS clients
    mount_options: str | None = None

    def check(self, connector: Mapping[str, Any]) -> None:
        """Let pass only the hosts that the operator has listed.

        :raises Refused: for any other, and for what is no connector.
        """
        if not isinstance(connector, Mapping):
            raise Refused("The connector is no object.")
        host = _text(connector, "host", HOST)
        if self.protocol == "local":
            if host not in self.hosts:
                raise Refused(f"Host {host} has no local access to this back-end.")
        elif not any(self._address(connector) in network for network in self.networks):
            raise Refused(f"Host {host} is in none of the networks that this back-end serves.")

    def info(self, pool: Pool, volume: uuid.UUID, *, read_only: bool) -> dict[str, Any]:
        """Return the connection_info. The format is pinned: nobody shall look into the file to guess it."""
        data: dict[str, Any] = {
            "volume_id": str(volume),
            "format": "raw",
            "access_mode": "ro" if read_only else "rw",
            "encrypted": False,
            "qos_specs": None,
            "discard": True,
        }
        if self.protocol == "local":
            data["device_path"] = f"{pool.path}/{published(volume)}"
        else:
            # The share is the directory of volumes alone: a client has no business with fences.
            data |= {"export": f"{pool.export}/{VOLUMES}", "name": str(volume)}
            if self.mount_options:
                data["options"] = f"-o {self.mount_options}"
        return {"driver_volume_type": self.protocol, "data": data}

    def _address(self, connector: Mapping[str, Any]) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        try:
            return ipaddress.ip_address(_text(connector, "ip", re.compile(r"[0-9A-Fa-f.:]+"), ADDRESS_LENGTH))
        except ValueError:
            raise Refused("The connector's ip is no address.") from None


def _text(connector: Mapping[str, Any], key: str, form: re.Pattern[str], longest: int = 255) -> str:
    value = connector.get(key)
    if not isinstance(value, str) or len(value) > longest or not form.fullmatch(value):
        raise Refused(f"The connector has no valid {key}.")
    return value
