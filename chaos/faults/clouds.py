"""Heat's bad answers: some of the next calls meet the proxy's spoils; what is behind it is always the real Heat."""

from __future__ import annotations

import random
from contextlib import suppress

from chaos.eyes import Watch
from chaos.faults.base import Kind, Scene, only
from chaos.heat_proxy import Fault, Spoil

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
METHODS = (None, "POST", "PUT", "DELETE", "GET")
LATE = 4.0  # seconds, past the client's patience


class Spoils:
    """Spoils some calls; those that none has met when it is healed are spared."""

    def __init__(self, scene: Scene, fault: Fault) -> None:
        self._proxy = scene.ground.heat
        self._fault = fault
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Have the next calls spoilt."""
        self._proxy.faults.append(self._fault)
        return f"{self._fault.times} of {self._fault.method or 'all'}: {self._fault.spoil.name.lower()}"

    def heal(self) -> None:
        """Spoil no more, and let go what is held."""
        with suppress(ValueError):
            self._proxy.faults.remove(self._fault)
        self._proxy.let_go()


def _kind(name: str, spoil: Spoil, weight: int = 1, **more: object) -> Kind:
    def blow(scene: Scene, _: str, rng: random.Random) -> Spoils:
        method = rng.choice(METHODS)
        return Spoils(scene, Fault(method, None, spoil, times=rng.randint(1, 6), **more))  # type: ignore[arg-type]

    return Kind(name, "heat", ("heat",), blow, only("heat:answers"), (3, 15), rest=2, weight=weight)


KINDS = [
    _kind("heat-late", Spoil.DELAY, seconds=LATE),
    _kind("heat-twice", Spoil.TWICE),
    _kind("heat-5xx", Spoil.STATUS, status=503),
    _kind("heat-5xx-after-effect", Spoil.REPLACE, status=500),
    _kind("heat-html", Spoil.REPLACE, status=502, body=HTML, content_type="text/html"),
    _kind("heat-garbage", Spoil.REPLACE, status=200, body=b'{"stack": {"id": 7}, "stacks": [3]}'),
    _kind("heat-cut", Spoil.CUT),
    _kind("heat-reset-before", Spoil.DROP_BEFORE),
    _kind("heat-reset-after", Spoil.DROP_AFTER),
    _kind("heat-silent", Spoil.BLACK_HOLE),
]
