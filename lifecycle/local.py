"""Who this process is, and whether it may act: the part of a lease that lives in memory.

The heartbeat thread of a worker's parent writes when it last renewed; its prefork children read that. Both
share one page of anonymous memory, laid out before the first fork. Only the monotonic clock of this machine is
compared with itself here; what a lease is worth is decided by the database's clock alone.
"""

from __future__ import annotations

import mmap
import os
import socket
import time
import uuid

from django.conf import settings

from lifecycle.errors import LeaseLost

peers = 1  # how many API processes are alive, as far as this one knows: each has its share of what is limited

_page: mmap.mmap  # [0:8] monotonic seconds of the last renewal, [8] draining
_renewed: memoryview[float]  # of the first, read and written as a whole

_claimed_at = float("inf")  # of this process

node_id: uuid.UUID
node_name: str


def begin() -> None:
    """Be a node of its own, with a page for this process and those that it will fork.

    A supervisor names the node so that it can give up the node's leases the moment the process dies.
    """
    global _page, _renewed, node_id, node_name  # noqa: PLW0603 - what a copy of a warm process must not share
    _page = mmap.mmap(-1, mmap.PAGESIZE)
    _renewed = memoryview(_page).cast("d")
    named = os.environ.get("ROADSTEAD_NODE_ID")
    node_id = uuid.UUID(named) if named else uuid.uuid4()
    node_name = os.environ.get("ROADSTEAD_NODE_NAME", socket.gethostname())


begin()


def mark_renewed(at: float) -> None:
    """Record that every lease of this node was renewed by a call that began at monotonic time `at`."""
    _renewed[0] = at


def drain() -> None:
    """Take no more claims in this process and its children; what runs may finish."""
    _page[8] = 1


def draining() -> bool:
    return _page[8] == 1


def last_renewed() -> float:
    """Return the monotonic time at which the last successful renewal began."""
    return float(_renewed[0])


def lease_is_safe() -> bool:
    """Tell whether less than two thirds of the lease have passed since the last renewal."""
    return time.monotonic() - last_renewed() < settings.LEASE * 2 / 3


def mark_claimed() -> None:
    """Record that this process begins to claim a row: what it does outside must end within a step's time."""
    global _claimed_at  # noqa: PLW0603 - one row at a time in a process
    _claimed_at = time.monotonic()


def may_claim() -> bool:
    return lease_is_safe() and not draining()


def require_lease() -> None:
    """Return if this process may still act outside under the lease it claimed.

    :raises LeaseLost: two thirds of the lease have passed without a renewal, or the step has taken too long for its
        lease to have been renewed.
    """
    if time.monotonic() - _claimed_at > settings.STEP_LIMIT:
        raise LeaseLost(f"the step has taken longer than {settings.STEP_LIMIT:g} s")
    if not lease_is_safe():
        raise LeaseLost(
            f"{time.monotonic() - last_renewed():.1f} s without a renewal of a {settings.LEASE:g} s lease"
        )
