"""The load of a run: clients in threads that ask for all that bays and volumes can do, chosen by a seed, and record it.

What each of them does is in `lives`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from chaos.client import Client
from chaos.history import History
from chaos.lives import Life
from chaos.tenants import ADMIN, Tenant
from chaos.world import World

MIX: Final[Mapping[str, int]] = {
    "volume.create": 16,
    "volume.clone": 5,
    "volume.show": 16,
    "volume.list": 2,
    "volume.update": 10,
    "volume.extend": 9,
    "volume.delete": 12,
    "volume.revert": 3,
    "volume.reset": 1,
    "snapshot.create": 9,
    "snapshot.show": 4,
    "snapshot.delete": 6,
    "attach": 6,
    "transfer": 3,
    "bay.create": 2,
    "bay.show": 4,
    "bay.list": 1,
    "bay.resize": 1,
    "bay.delete": 1,
}


class Load:
    """Clients in threads, `rate` calls a second of all of them together at most.

    `tenants` are those of `make_tenants`: the last one is the operator.
    """

    def __init__(
        self,
        urls: Sequence[str],
        tenants: Sequence[Tenant],
        seed: int,
        history: History,
        *,
        clients: int = 12,
        mix: Mapping[str, int] = MIX,
        rate: float = 40.0,
    ) -> None:
        self.world = World()
        self._stopped = threading.Event()
        users = [tenant for tenant in tenants if tenant.name != ADMIN]
        operator = next(tenant for tenant in tenants if tenant.name == ADMIN)
        self._threads = [
            threading.Thread(
                target=Life(
                    Client(number, urls, history, seed, self._stopped),
                    users[number % len(users)],
                    tenants={tenant.name: tenant for tenant in users},
                    operator=operator,
                    world=self.world,
                    mix=mix,
                    pause=clients / rate,
                ).run,
                args=[self._stopped],
                name=f"client-{number}",
                daemon=True,
            )
            for number in range(clients)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 120.0) -> None:
        """Let each client end the call that it is at, those that it insists on included.

        :raises TimeoutError: one does not end.
        """
        self._stopped.set()
        for thread in self._threads:
            thread.join(timeout)
        if late := [thread.name for thread in self._threads if thread.is_alive()]:
            raise TimeoutError(f"{', '.join(late)} did not end within {timeout:g} s.")
