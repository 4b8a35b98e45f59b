"""The connection to the broker: one that is tried again every two seconds at the least, however long it was away."""

from __future__ import annotations

from typing import Any

import kombu

PAUSE = 0.5  # seconds before the first further attempt, and so much more before each next one
LONGEST = 2.0  # kombu's own pauses grow to 30 s, which is how long work would stand still after a long outage


class Connection(kombu.Connection):
    """kombu's, with other defaults."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("interval_start", PAUSE)
        kwargs.setdefault("interval_step", PAUSE)
        kwargs.setdefault("interval_max", LONGEST)
        return super().ensure_connection(*args, **kwargs)
