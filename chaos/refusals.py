"""What the words of a refusal tell: the status that was found, or a reason that lies elsewhere."""

from __future__ import annotations

import re

from chaos.history import Call

NOT_FOUND, PRECONDITION, OVER_QUOTA = 404, 412, 413
_STATUS = re.compile(r"whose status is ([\w-]+)|is ([\w-]+), not available")
_CHILD = re.compile(r"Cannot transfer snapshot (\S+), whose status")
_ELSEWHERE = re.compile(  # what no model of one resource knows: readers, room, quotas, other requests, operators
    r"being read by|takes no \d+ GiB|no more than|Quota|Try again|each other's way|removed meanwhile|Idempotency-Key"
    r"|may still take effect|frozen|ETag|changed since"
)


def status_of(call: Call) -> str | None:
    """Return the status that the refusal names."""
    found = _STATUS.search(call.error)
    return (found[1] or found[2]) if found else None


def snapshot_of(call: Call) -> str | None:
    """Return the snapshot that the refusal of something else names as its reason."""
    found = _CHILD.search(call.error)
    return found[1] if found else None


def is_elsewhere(call: Call) -> bool:
    """Tell whether it was refused for a reason that the resource's own state does not hold."""
    return call.status == PRECONDITION or bool(_ELSEWHERE.search(call.error))


def is_pending(call: Call) -> bool:
    """Tell whether it says no more than that another sending under the same key is under way."""
    return "Idempotency-Key is" in call.error
