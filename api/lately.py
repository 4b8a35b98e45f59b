"""What a process remembers for CATALOG_CACHE seconds, of what every request asks and operators seldom change."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from django.conf import settings

T = TypeVar("T")

MOST = 1000


class Lately(Generic[T]):
    """A few values by name, each for CATALOG_CACHE seconds."""

    def __init__(self) -> None:
        self._held: dict[object, tuple[float, T]] = {}

    def get(self, name: object) -> T | None:
        """Return what was put under this name lately."""
        until, value = self._held.get(name, (0.0, None))
        return value if time.monotonic() < until else None

    def asked(self, name: object, ask: Callable[[], T]) -> T:
        """Return what was put under this name lately, or else ask for it and remember that."""
        found = self.get(name)
        return self.put(name, ask()) if found is None else found

    def put(self, name: object, value: T) -> T:
        """Remember a value, and return it."""
        if len(self._held) >= MOST:
            self._held.clear()
        self._held[name] = (time.monotonic() + settings.CATALOG_CACHE, value)
        return value
