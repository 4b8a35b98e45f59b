"""What the clients of a load know to be there: rows that they made or saw in a list, and have not seen to be gone."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

HOT = 0.25  # the share of calls that go to rows that are everybody's


@dataclass(slots=True)
class Known:
    """Something that was made and is not known to be gone."""

    kind: str
    id: str
    tenant: str
    client: int | None  # whose it is; None: everybody's
    volume: str = ""
    size: int = 1
    hot: bool = False


@dataclass
class World:
    """What all clients know to be there."""

    _rows: dict[str, Known] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, row: Known) -> None:
        with self._lock:
            self._rows.setdefault(row.id, row)

    def forget(self, ident: str) -> None:
        with self._lock:
            self._rows.pop(ident, None)

    def find(self, kind: str, tenant: str) -> list[Known]:
        with self._lock:
            return [row for row in self._rows.values() if row.kind == kind and row.tenant == tenant]

    def pick(self, rng: random.Random, kind: str, tenant: str, client: int) -> Known | None:
        """Return one of the project's hot rows, or one that is the client's or nobody's."""
        rows = self.find(kind, tenant)
        hot = [row for row in rows if row.hot]
        if hot and rng.random() < HOT:
            return rng.choice(hot)
        mine = [row for row in rows if row.client in {None, client} and not row.hot]
        return rng.choice(mine or hot) if mine or hot else None

    def of_volume(self, kind: str, volume: str) -> list[Known]:
        with self._lock:
            return [row for row in self._rows.values() if row.kind == kind and row.volume == volume]
