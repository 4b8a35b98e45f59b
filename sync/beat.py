"""Beat's scheduler: django-celery-beat's, with no belief in any node's clock.

All beats share the time at which a job last ran, and each writes that of its own clock. A node whose clock is ahead
would so hold up a job on every other node, until their clocks have come as far.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

LOOK = 1.0  # seconds between two looks at what operators have changed
JUMP = 5.0  # seconds by which a clock that is being adjusted does not move at once


class Entry(ModelEntry):  # type: ignore[misc]
    """A job: what was last run in the future counts as run just now."""

    last_run_at: datetime

    def is_due(self) -> Any:
        now = self._default_now()
        if self.last_run_at > now:
            self.last_run_at = self.model.last_run_at = now
        return super().is_due()


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """Plans anew when this node's clock has jumped: what was planned by the old time might never come.

    It looks for changes to the schedule once a second, where django-celery-beat does for each job that is due.
    """

    Entry = Entry
    _offset: float | None = None
    _look_at = 0.0

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        offset = time.time() - time.monotonic()
        if self._offset is not None and abs(offset - self._offset) > JUMP:
            self._heap = None
        self._offset = offset
        return super().tick(*args, **kwargs)

    def schedule_changed(self) -> bool:
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK
        return bool(super().schedule_changed())
