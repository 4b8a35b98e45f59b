"""Rate limits: how much of each a key has used, remembered in this process alone.

A limit is that of the whole installation; nobody leads, and no process asks another. Each takes an equal share by the
number of API processes that are alive, which its heartbeat counts: all shares together are the limit, whichever of
them die. So a check costs no statement, and who keeps to one connection has one process's share.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from typing import Final

from django.conf import settings

from lifecycle import local

MOST: Final = 50_000  # keys that a process remembers of each limit
_HOME: Final = 64  # bits of an IPv6 address that tell one network from another


class Meter:
    """What each key has used of one limit of the setting RATES: so many a second, and so many at once after a rest.

    Without that limit everything is free. Of a key it is enough to remember when it will have rested: each request puts
    that off by the time in which one is earned, and it may lie no further ahead than the burst takes to earn.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._rested_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str) -> float:
        """Count one, and return 0; or count nothing, and return the seconds until there is one to be had."""
        return self._look(key, take=True)

    def wait(self, key: str) -> float:
        """Return what `take` would, and count nothing."""
        return self._look(key, take=False)

    def forget(self) -> None:
        """Forget all keys."""
        with self._lock:
            self._rested_at.clear()

    def _look(self, key: str, *, take: bool) -> float:
        rate = settings.RATES.get(self._name)
        if rate is None:
            return 0.0
        per_second, burst = rate
        earning = local.peers / per_second  # seconds in which this process's share grows by one
        room = max(1.0, burst / local.peers) * earning
        with self._lock:
            now = time.monotonic()
            rested_at = max(self._rested_at.get(key, now), now) + earning
            if rested_at - now > room * (1 + 1e-9):
                return rested_at - now - room
            if take:
                self._rested_at[key] = rested_at
                self._rested_at.move_to_end(key)
                if len(self._rested_at) > MOST:
                    self._rested_at.popitem(last=False)
        return 0.0


def network_of(address: str) -> str:
    """Return what an address is counted under: itself, or the network that an IPv6 address is one of very many in."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:  # as a socket of both protocols tells it
        ip = ip.ipv4_mapped
    if ip.version == 6:  # noqa: PLR2004 - the protocol
        return str(ipaddress.ip_network((ip, _HOME), strict=False).network_address)
    return str(ip)


PROJECTS: Final = Meter("project")  # requests, by the token's project
ADDRESSES: Final = Meter("address")  # requests without a good token, by network
LOGINS: Final = Meter("login")  # logins, good and bad, by network
GUESSES: Final = Meter("guess")  # logins that failed, by user and network
