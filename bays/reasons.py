"""Why something did not work: the words that a bay's `status_reason` has, and what they mean to a program and a user.

The sentence is the truth, in the bay's row and in its Operation's. Code, resource and advice are read out of it, so
what was written by an older version, or by the core (a deadline), is understood as well.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from clouds.errors import CloudError, Undelegated


@dataclass(frozen=True, slots=True)
class Reason:
    """What a sentence says."""

    code: str
    advice: str
    resource: str | None = None
    resource_type: str | None = None

    @property
    def document(self) -> dict[str, str | None]:
        """Return it as the API shows it."""
        return {
            "code": self.code,
            "resource": self.resource,
            "resource_type": self.resource_type,
            "next": self.advice,
        }


_KINDS = (
    (
        "resource-failed",
        re.compile(r"(?P<resource>\S+) \((?P<type>[^()\s]+)\): "),
        "Mend what the resource lacks (quota, flavor, image, network), then ask for the update again; "  # noqa: ISC004
        "a bay whose create failed: delete it and create it again.",
    ),
    (
        "heat-refused",
        re.compile(r"Heat refused: "),
        "The request itself is refused: correct what Heat names, or ask the operator, and ask again.",
    ),
    (
        "stack-missing",
        re.compile(r"Stack \S+ was not found in Heat"),
        "Somebody deleted the bay's stack: delete the bay and create it again.",
    ),
    (
        "heat-silent",
        re.compile(r"Heat: "),
        "Nothing to do: it is tried again until the deadline. If it lasts, tell the operator.",
    ),
    (
        "delegation-lost",
        re.compile(r"Delegation: "),
        "The user in whose name the bay is kept may no longer act in its project: give them their role back, and it "  # noqa: ISC004
        "goes on by itself; or, as another member, delete the bay, or ask for a change once it is not in progress.",
    ),
    (
        "deadline",
        re.compile(r"Deadline passed: "),
        "It took longer than its time: ask again, for a new bay with a longer create_timeout.",
    ),
    (
        "gave-up",
        re.compile(r"Gave up after "),
        "Ask again; if it happens again, tell the operator the id of the operation.",
    ),
    (
        "output-invalid",
        re.compile(r"the stack's output "),
        "The stack is complete, but does not say what its driver promises: tell the operator.",
    ),
)
_OTHER = "Read the reason, and ask again; if it happens again, tell the operator the id of the operation."


def understood(sentence: str) -> Reason | None:
    """Return what a sentence says; None where there is none."""
    if not sentence:
        return None
    for code, pattern, advice in _KINDS:
        if found := pattern.match(sentence):
            named = found.groupdict()
            return Reason(code, advice, named.get("resource"), named.get("type"))
    return Reason("other", _OTHER)


def refused(why: str) -> str:
    return f"Heat refused: {why}"


def silent(error: CloudError) -> str:
    return f"{'Delegation' if isinstance(error, Undelegated) else 'Heat'}: {error.reason}"


def missing(stack_id: uuid.UUID | None) -> str:
    return f"Stack {stack_id} was not found in Heat."


def failed(resource: str, resource_type: str, why: str) -> str:
    return f"{resource} ({resource_type}): {why}"
