"""Why something did not work with a bay: the words of its `status_reason`, and what they mean."""

from __future__ import annotations

import uuid
from typing import Final

from clouds.errors import CloudError, Undelegated
from lifecycle import reasons
from lifecycle.reasons import Reason, kind

_RESOURCE: Final = r"(?P<resource>\S+) \((?P<type>[^()\s]+)\): "

KINDS: Final = (
    kind(
        "resource-failed",
        _RESOURCE,
        "Mend what the resource lacks (quota, flavor, image, network), then ask for the update again; "
        "a bay whose create failed: delete it and create it again.",
    ),
    kind(
        "rolling-back",
        rf"Rolling back to [0-9]+ nodes\. (?:{_RESOURCE})?",
        "Nothing to do: the update has failed, and the bay is being made again what it was.",
    ),
    kind(
        "rolled-back",
        rf"Rolled back to [0-9]+ nodes\. (?:{_RESOURCE})?",
        "The bay is as it was before the update. What the reason names must be mended before it is asked for again.",
    ),
    kind(
        "rollback-failed",
        rf"Rolling back failed: (?:{_RESOURCE})?",
        "Neither the update nor the way back succeeded: mend what the reason names, then ask for the nodes that it "
        "should have.",
    ),
    kind(
        "stack-failed",
        r"The stack is [A-Z_]+(?:: | and )",
        "Heat names no resource: ask again; if it happens again, tell the operator the id of the operation.",
    ),
    kind(
        "heat-refused",
        r"Heat refused: ",
        "The request itself is refused: correct what Heat names, or ask the operator, and ask again.",
    ),
    kind(
        "driver-refused",
        r"The driver cannot give this: ",
        "The request itself is refused: ask for what the driver can give.",
    ),
    kind(
        "stack-missing",
        r"Stack \S+ was not found in Heat",
        "Somebody deleted the bay's stack: delete the bay and create it again.",
    ),
    kind(
        "heat-silent",
        r"Heat: ",
        "Nothing to do: it is tried again until the deadline. If it lasts, tell the operator.",
    ),
    kind(
        "heat-busy",
        r"Heat still works on ",
        "Nothing to do: the update is sent as soon as the work before it has ended.",
    ),
    kind(
        "delegation-lost",
        r"Delegation: ",
        "The user in whose name the bay is kept may no longer act in its project: give them their role back, and it "
        "goes on by itself; or, as another member, delete the bay, or ask for a change once it is not in progress.",
    ),
    kind(
        "output-invalid",
        r"(?:The stack is complete, but not as promised: |the stack's output )",
        "The stack is complete, but does not say what its driver promises: tell the operator.",
    ),
)


def understood(sentence: str) -> Reason | None:
    """Return what a sentence says; None where there is none."""
    return reasons.understood(sentence, KINDS)


def refused(why: str) -> str:
    return f"Heat refused: {why}"


def impossible(why: str) -> str:
    return f"The driver cannot give this: {why}"


def unpromised(why: str) -> str:
    return f"The stack is complete, but not as promised: {why}"


def silent(error: CloudError) -> str:
    return f"{'Delegation' if isinstance(error, Undelegated) else 'Heat'}: {error.reason}"


def busy() -> str:
    return "Heat still works on what an earlier update began."


def rolling_back(count: int, why: str) -> str:
    return f"Rolling back to {count} nodes. {why}"


def rolled_back(count: int, why: str) -> str:
    return f"Rolled back to {count} nodes. {why}"


def not_rolled_back(now: str, why: str) -> str:
    return f"Rolling back failed: {now} Rolled back for: {why}"


def missing(stack_id: uuid.UUID | None) -> str:
    return f"Stack {stack_id} was not found in Heat."


def failed(resource: str, resource_type: str, why: str) -> str:
    return f"{resource} ({resource_type}): {why}"


def stack_failed(state: str, why: str) -> str:
    return f"The stack is {state}: {why or 'Heat gives no reason.'}"
