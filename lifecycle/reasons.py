"""Why something did not work: what a sentence means to a program and to its user.

The sentence is the truth, in the resource's row and in its Operation's. Code, resource and advice are read out of it,
so that what an older version wrote is understood as well. Each service knows the sentences of its own steps; here are
those of the core, which any resource may bear.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Reason:
    """What a sentence says."""

    code: str
    advice: str
    resource: str | None = None
    resource_type: str | None = None

    @property
    def document(self) -> dict[str, str | None]:
        """Return it as the APIs show it."""
        return {
            "code": self.code,
            "resource": self.resource,
            "resource_type": self.resource_type,
            "next": self.advice,
        }


@dataclass(frozen=True, slots=True)
class Kind:
    """Sentences that begin alike mean the same. The pattern's groups `resource` and `type` name what failed."""

    code: str
    pattern: re.Pattern[str]
    advice: str
    resource_type: str | None = None  # where the sentence does not name it


def kind(code: str, pattern: str, advice: str, resource_type: str | None = None) -> Kind:
    return Kind(code, re.compile(pattern), advice, resource_type)


CORE: Final = (
    kind(
        "deadline",
        r"Deadline passed: ",
        "It took longer than its time: ask again, for a new bay with a longer create_timeout.",
    ),
    kind(
        "gave-up",
        r"Gave up after ",
        "Ask again; if it happens again, tell the operator the id of the operation.",
    ),
    kind(
        "worker-lost",
        r"The worker was lost during ",
        "It could not be taken up half way: ask again.",
    ),
    kind(
        "step-broke",
        r"The (?:step broke|worker was cut off)",
        "Nothing to do: it is tried again. If it lasts, tell the operator the id of the operation.",
    ),
)
OTHER: Final = (
    "Read the reason, and ask again; if it happens again, tell the operator the id of the operation."
)


def understood(sentence: str, kinds: Sequence[Kind]) -> Reason | None:
    """Return what a sentence of the core or of these kinds says; None where there is none."""
    if not sentence:
        return None
    for each in (*kinds, *CORE):
        if found := each.pattern.match(sentence):
            named = found.groupdict()
            return Reason(
                each.code, each.advice, named.get("resource"), named.get("type") or each.resource_type
            )
    return Reason("other", OTHER)


def deadline(status: str, by: str, last: str) -> str:
    return f"Deadline passed: {status} was not over by {by} UTC.{last}"


def gave_up(attempts: int, last: str) -> str:
    return f"Gave up after {attempts} attempts, none of which came to an end.{last}"


def lost(status: str) -> str:
    return f"The worker was lost during {status}, which cannot be taken up half way."


def broke(error: str) -> str:
    return f"The step broke ({error}); it is tried again."


def cut_off() -> str:
    return "The worker was cut off; the step is tried again."
