"""After the faults: wait until nothing is owed any more, and say what never comes to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import psycopg2

from chaos.eyes import Eyes
from chaos.ground import Ground

PAUSE = 0.5
UP = 90.0  # seconds for every process to be back
ROUND = 60.0  # seconds for stacks that nobody owns to be found and deleted


def quiesce(ground: Ground, eyes: Eyes, patience: float) -> list[str]:
    """Wait until every process runs, no row is busy and no stack is left over; return what is not so by then."""
    stuck = []
    if not _within(UP, lambda: ground.is_up() and ground.broker_is_up()):
        stuck += [] if ground.broker_is_up() else ["the broker is not up"]
        stuck += [f"{name} is not up" for name, node in ground.nodes.items() if not node.is_up()]
    busy: dict[str, int] = {}

    def calm() -> bool:
        nonlocal busy
        try:
            busy = eyes.busy()
        except psycopg2.Error as error:
            busy = {f"PostgreSQL does not answer: {error}": 1}
        return not busy

    if not _within(patience, calm):
        stuck += [f"{count} {what} after {patience:g} s of quiet" for what, count in sorted(busy.items())]
    _within(ROUND, _no_stack_is_left)
    return stuck


def _no_stack_is_left() -> bool:
    """Tell whether Heat has no stack that nobody owns; have the next round of the search for them begin now."""
    from kombu.exceptions import OperationalError  # noqa: PLC0415 - Django is set up by now

    from bays.stacks import OWNER_TAG, heat  # noqa: PLC0415
    from clouds.errors import CloudError  # noqa: PLC0415
    from project.celery import app  # noqa: PLC0415
    from sync.models import FIRST, Cursor  # noqa: PLC0415
    from sync.orphans import ORPHANS, orphans  # noqa: PLC0415

    try:
        stacks = list(heat().tagged(OWNER_TAG))
        if not orphans(stacks) and not any(stack.action == "DELETE" for stack in stacks):
            return True
    except CloudError:
        return False
    Cursor.objects.filter(pk=ORPHANS).update(not_before="2000-01-01T00:00:00Z", after=FIRST)
    with suppress(OperationalError):  # the broker is what does not come back
        app.send_task("sync.remove_orphans", queue="ticks")
    return False


def _within(patience: float, condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE)
    return True
