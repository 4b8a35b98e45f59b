"""The back-ends of this installation, as its file names them, and what their failures are evidence of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import structlog
from django.conf import settings
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from lifecycle.swap import swap_many
from volumes.backends.base import Backend, BackendError
from volumes.backends.registry import Configured, load
from volumes.models import Pool

log = structlog.get_logger(__name__)


def configured() -> Mapping[str, Configured]:
    """Return every back-end by name, whether or not this node serves it."""
    return _load(settings.BACKENDS_FILE)


def backend(name: str) -> Backend:
    """Return a back-end that this node serves.

    :raises KeyError: there is none of that name.
    """
    return configured()[name].backend


def mark_down(name: str, why: BackendError) -> None:
    """Write down that a back-end failed: it gets no new volumes until it reports well again."""
    log.warning("a back-end failed and is marked down", backend=name, reason=why.reason)
    values = {"down_since": Coalesce(F("down_since"), Now()), "down_reason": why.reason, "report_due": Now()}
    swap_many(Pool, backend=name, down_since=None, values=values)


@cache
def _load(path: str) -> Mapping[str, Configured]:
    return load(Path(path)) if path else {}
