"""The states of volumes, snapshots and connections, in Cinder's words, and the tables of moves between them.

Clients know Cinder's statuses only. Those that begin with "set-" are what an operator's reset left behind under the
name of a busy status: shown as that status, but at rest, since nobody works on it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from lifecycle.machine import GONE, Busy, Change, Machine, Outcome, Request, WhenLost

SET: Final = "set-"


def shown(status: str) -> str:
    """Return the status as clients know it."""
    return status.removeprefix(SET)


def on(*statuses: str) -> frozenset[str]:
    return frozenset(statuses)


CREATING, AVAILABLE, DELETING, ERROR = "creating", "available", "deleting", "error"
ERROR_DELETING, ERROR_EXTENDING = "error_deleting", "error_extending"
EXTENDING, REVERTING, MAINTENANCE = "extending", "reverting", "maintenance"
RESERVED, ATTACHING, IN_USE, DETACHING = "reserved", "attaching", "in-use", "detaching"
AWAITING_TRANSFER = "awaiting-transfer"

# The least time that work is given; copies are given more, by their size.
PATIENCE: Final = timedelta(minutes=10)
PER_GIB: Final = timedelta(seconds=100)  # a copy of 10 MiB/s is slow, and not yet stuck


def copying(size: int) -> timedelta:
    """Return how long copying so many GiB may take before it counts as stuck."""
    return PATIENCE + size * PER_GIB


BUSY = (CREATING, DELETING, EXTENDING, REVERTING)
CALM = (AVAILABLE, IN_USE, RESERVED, ATTACHING, DETACHING, AWAITING_TRANSFER, MAINTENANCE)
FAILED = (ERROR, ERROR_DELETING, ERROR_EXTENDING)
LEFT = tuple(SET + status for status in BUSY)
ATTACHED = on(IN_USE, RESERVED, ATTACHING, DETACHING)  # something holds the volume, or is about to
BY_ATTACHMENTS = ATTACHED | {AVAILABLE}
RESTING = frozenset((*CALM, *FAILED, *LEFT))
ANYWHERE = frozenset((*BUSY, *CALM, *FAILED, *LEFT))

VOLUME = Machine(
    "volume",
    statuses=[*BUSY, *CALM, *FAILED, *LEFT],
    births={"create": CREATING},
    busy={
        # Every verb of a back-end looks before it acts, so whoever takes over simply goes on.
        CREATING: Busy(WhenLost.RESUME, deadline=PATIENCE, failed="create_failed"),
        DELETING: Busy(WhenLost.RESUME, deadline=PATIENCE, failed="delete_failed"),
        EXTENDING: Busy(WhenLost.RESUME, deadline=PATIENCE, failed="extend_failed"),
        REVERTING: Busy(WhenLost.RESUME, deadline=PATIENCE, failed="revert_failed"),
    },
    requests=[
        Request("delete", on(AVAILABLE, *FAILED), DELETING),
        Request("force_delete", ANYWHERE - {DELETING}, DELETING, drawn=False),
        Request("extend", on(AVAILABLE, IN_USE, ERROR_EXTENDING), EXTENDING),
        Request("revert", on(AVAILABLE), REVERTING),
    ],
    outcomes=[
        Outcome("created", on(CREATING), AVAILABLE, succeeded=True),
        Outcome("create_failed", on(CREATING), ERROR, succeeded=False),
        Outcome("deleted", on(DELETING), GONE, succeeded=True),
        Outcome("delete_failed", on(DELETING), ERROR_DELETING, succeeded=False),
        Outcome("extended", on(EXTENDING), AVAILABLE, succeeded=True),
        Outcome("extended_in_use", on(EXTENDING), IN_USE, succeeded=True),
        Outcome("extend_failed", on(EXTENDING), ERROR_EXTENDING, succeeded=False),
        Outcome("reverted", on(REVERTING), AVAILABLE, succeeded=True),
        Outcome("revert_failed", on(REVERTING), ERROR, succeeded=False),
    ],
    changes=[
        # Each ends in what the attachments and connections that are left make of the volume: see attaching.status_by.
        Change("reserve", on(AVAILABLE, IN_USE), on(ATTACHING)),
        Change("unreserve", on(ATTACHING), BY_ATTACHMENTS),
        Change("attach", on(AVAILABLE, ATTACHING, RESERVED, IN_USE), on(IN_USE)),
        Change("attach_failed", ATTACHED, BY_ATTACHMENTS),
        Change("begin_detaching", on(IN_USE), on(DETACHING)),
        Change("roll_detaching", on(DETACHING), on(IN_USE)),
        Change("initialize_connection", on(AVAILABLE), on(ATTACHING)),
        Change("detach", ATTACHED, BY_ATTACHMENTS),
        Change("force_detach", RESTING - {MAINTENANCE}, BY_ATTACHMENTS, drawn=False),
        Change("remove_attachment", RESTING - ATTACHED - {MAINTENANCE}, frozenset()),
        Change(
            "reserve_attachment", on(AVAILABLE, IN_USE, RESERVED, ATTACHING), on(RESERVED, IN_USE, ATTACHING)
        ),
        Change("update_attachment", on(RESERVED, ATTACHING, IN_USE), on(ATTACHING, IN_USE)),
        Change("complete_attachment", on(RESERVED, ATTACHING, IN_USE), on(IN_USE)),
        Change("transfer", on(AVAILABLE), on(AWAITING_TRANSFER)),
        Change("accept_transfer", on(AWAITING_TRANSFER), on(AVAILABLE)),
        Change("cancel_transfer", on(AWAITING_TRANSFER), on(AVAILABLE)),
        Change("retype", on(AVAILABLE, IN_USE), frozenset()),
        Change("set_readonly", on(AVAILABLE), frozenset()),
        Change("set_bootable", frozenset((*CALM, *FAILED)) - {MAINTENANCE}, frozenset()),
        Change("reset", ANYWHERE, frozenset((*CALM, *FAILED, *LEFT)), drawn=False),
    ],
)

SNAPSHOT = Machine(
    "snapshot",
    statuses=[CREATING, DELETING, AVAILABLE, ERROR, ERROR_DELETING, SET + CREATING, SET + DELETING],
    births={"create": CREATING},
    busy={
        CREATING: Busy(WhenLost.RESUME, deadline=PATIENCE, failed="create_failed"),
        DELETING: Busy(WhenLost.RESUME, deadline=PATIENCE, failed="delete_failed"),
    },
    requests=[
        Request("delete", on(AVAILABLE, ERROR, ERROR_DELETING), DELETING),
        Request(
            "force_delete",
            on(CREATING, AVAILABLE, ERROR, ERROR_DELETING, SET + CREATING, SET + DELETING),
            DELETING,
            drawn=False,
        ),
    ],
    outcomes=[
        Outcome("created", on(CREATING), AVAILABLE, succeeded=True),
        Outcome("create_failed", on(CREATING), ERROR, succeeded=False),
        Outcome("deleted", on(DELETING), GONE, succeeded=True),
        Outcome("delete_failed", on(DELETING), ERROR_DELETING, succeeded=False),
    ],
    changes=[
        Change(
            "reset",
            on(CREATING, DELETING, AVAILABLE, ERROR, ERROR_DELETING, SET + CREATING, SET + DELETING),
            on(AVAILABLE, ERROR, ERROR_DELETING, SET + CREATING, SET + DELETING),
            drawn=False,
        ),
        Change("accept_transfer", on(AVAILABLE), frozenset()),
    ],
)

CONNECTING, CONNECTED, DISCONNECTING, ERROR_DISCONNECTING = (
    "connecting",
    "connected",
    "disconnecting",
    "error_disconnecting",
)
CONNECTION = Machine(
    "connection",
    statuses=[CONNECTING, CONNECTED, DISCONNECTING, ERROR, ERROR_DISCONNECTING],
    births={"connect": CONNECTING},
    busy={
        CONNECTING: Busy(WhenLost.RESUME, deadline=timedelta(minutes=2), failed="connect_failed"),
        DISCONNECTING: Busy(WhenLost.RESUME, deadline=timedelta(minutes=10), failed="disconnect_failed"),
    },
    requests=[
        # A host that comes back while it is being let go overtakes that: whoever still works on it is fenced.
        Request("connect", on(CONNECTING, CONNECTED, ERROR, DISCONNECTING, ERROR_DISCONNECTING), CONNECTING),
        Request("disconnect", on(CONNECTING, CONNECTED, ERROR, ERROR_DISCONNECTING), DISCONNECTING),
    ],
    outcomes=[
        Outcome("connected", on(CONNECTING), CONNECTED, succeeded=True),
        Outcome("connect_failed", on(CONNECTING), ERROR, succeeded=False),
        Outcome("disconnected", on(DISCONNECTING), GONE, succeeded=True),
        Outcome("disconnect_failed", on(DISCONNECTING), ERROR_DISCONNECTING, succeeded=False),
    ],
)

# An attachment is no work of its own: its moves are made with those of its volume, under that row's lock.
IN_ATTACHMENT, ERROR_ATTACHING, ERROR_DETACHING = "attached", "error_attaching", "error_detaching"
ATTACHMENT_STATUSES = (RESERVED, ATTACHING, IN_ATTACHMENT, DETACHING, ERROR_ATTACHING, ERROR_DETACHING)
