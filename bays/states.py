"""The states of a bay, in Heat's and Magnum's words, and the one table of moves between them."""

from __future__ import annotations

from datetime import timedelta

from django.db import models

from lifecycle.machine import GONE, Busy, Change, Machine, Outcome, Request, WhenLost


class Status(models.TextChoices):
    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    CREATE_FAILED = "CREATE_FAILED"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
    UPDATE_COMPLETE = "UPDATE_COMPLETE"
    UPDATE_FAILED = "UPDATE_FAILED"
    ROLLBACK_COMPLETE = "ROLLBACK_COMPLETE"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    DELETE_FAILED = "DELETE_FAILED"


class Health(models.TextChoices):
    """What was last observed; never a condition of a move."""

    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    UNKNOWN = "UNKNOWN"


S = Status
# The stack is what the bay should be.
WHOLE = frozenset({S.CREATE_COMPLETE, S.UPDATE_COMPLETE, S.ROLLBACK_COMPLETE})
CHANGEABLE = WHOLE | {S.UPDATE_FAILED}
DELETABLE = frozenset(S) - {S.DELETE_IN_PROGRESS}  # a delete overtakes a create or an update under way

BAY = Machine(
    "bay",
    statuses=Status.values,
    births={"create": S.CREATE_IN_PROGRESS},
    busy={
        # Every step looks at Heat before it acts, so whoever takes over simply goes on.
        S.CREATE_IN_PROGRESS: Busy(WhenLost.RESUME, deadline=timedelta(hours=1), failed="create_failed"),
        S.UPDATE_IN_PROGRESS: Busy(WhenLost.RESUME, deadline=timedelta(hours=1), failed="update_failed"),
        S.DELETE_IN_PROGRESS: Busy(WhenLost.RESUME, deadline=timedelta(hours=1), failed="delete_failed"),
    },
    requests=[
        Request("update", CHANGEABLE, S.UPDATE_IN_PROGRESS),
        Request("upgrade", CHANGEABLE, S.UPDATE_IN_PROGRESS),
        Request("delete", DELETABLE, S.DELETE_IN_PROGRESS),
    ],
    outcomes=[
        Outcome("created", frozenset({S.CREATE_IN_PROGRESS}), S.CREATE_COMPLETE, succeeded=True),
        Outcome("create_failed", frozenset({S.CREATE_IN_PROGRESS}), S.CREATE_FAILED, succeeded=False),
        Outcome("updated", frozenset({S.UPDATE_IN_PROGRESS}), S.UPDATE_COMPLETE, succeeded=True),
        Outcome("rolled_back", frozenset({S.UPDATE_IN_PROGRESS}), S.ROLLBACK_COMPLETE, succeeded=False),
        Outcome("update_failed", frozenset({S.UPDATE_IN_PROGRESS}), S.UPDATE_FAILED, succeeded=False),
        Outcome("deleted", frozenset({S.DELETE_IN_PROGRESS}), GONE, succeeded=True),
        Outcome("delete_failed", frozenset({S.DELETE_IN_PROGRESS}), S.DELETE_FAILED, succeeded=False),
    ],
    changes=[
        Change("rotate_ca", WHOLE, frozenset()),
        # How many nodes a group may have is our own word: Heat need not be asked.
        Change("limit_nodegroup", CHANGEABLE, frozenset(), drawn=False),
    ],
)
