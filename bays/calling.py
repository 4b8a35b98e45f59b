"""What stands before each call to a cloud: no open transaction, and in a step a lease that is surely ours."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from lifecycle import local


def outside() -> None:
    """Refuse to call from inside a transaction.

    :raises RuntimeError: there is one open.
    """
    if connection.in_atomic_block and not settings.TESTING:
        raise RuntimeError("A cloud was called inside a transaction.")


def leased() -> None:
    """Refuse to call without a safe lease, too.

    :raises LeaseLost: it may be another's by now.
    """
    outside()
    local.require_lease()
