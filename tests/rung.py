"""Whether a bell is rung: by a connection to the broker that counts, in the place where every bell passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import signals


@contextmanager
def bells() -> Iterator[list[str]]:
    """Collect the ids of the rows for which a bell is published until the block ends."""
    rung: list[str] = []

    def heard(body: Any, **_: object) -> None:
        rung.append(str(body))

    signals.before_task_publish.connect(heard, weak=False)
    try:
        yield rung
    finally:
        signals.before_task_publish.disconnect(heard)


@contextmanager
def no_bells(case: Any) -> Iterator[None]:
    """Check that no bell is rung until the block ends, and that none waits for a commit after it."""
    with bells() as rung, case.captureOnCommitCallbacks() as waiting:
        yield
    case.assertEqual((rung, waiting), ([], []))
