"""What can go wrong with a cloud, told apart by what the caller may conclude from it.

Every error has a `reason` that may be shown to a user: one line, no markup, no credentials, no stack trace.
"""

from __future__ import annotations

import re

REASON_LIMIT = 500

_MARKUP = re.compile(r"<\s*(?:!doctype|html|head|body|title|h1|p|div|center)\b", re.IGNORECASE)
_TRACE = re.compile(r"\s*Traceback \(most recent call last\).*", re.DOTALL)
_SECRETS = (
    (re.compile(r"(?<=://)[^/\s@]+@"), "***@"),
    (re.compile(r"\bgAAAAA[\w=-]+"), "***"),
    (
        re.compile(
            r"(?i)\b((?:\w*(?:passw(?:or)?d|secret|token|credential)s?|passphrase|x-auth-key)[\"']?\s*[:=]\s*)"
            r"(?:\"[^\"]*\"?|'[^']*'?|[^\s,;&}]+)"
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}"), r"\1***"),
)


def presentable(text: str) -> str:
    """Return what may be shown of a text that a cloud or a library wrote."""
    text = _TRACE.sub("", text[: 20 * REASON_LIMIT])
    if _MARKUP.search(text):
        return "the answer was a web page, not an answer of the service"
    for pattern, stars in _SECRETS:
        text = pattern.sub(stars, text)
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= REASON_LIMIT else text[: REASON_LIMIT - 1] + "…"


class CloudError(Exception):
    """The cloud did not do what it was asked."""

    def __init__(self, reason: str) -> None:
        """Take what happened; only the presentable part of it is kept."""
        self.reason = presentable(reason) or type(self).__doc__ or "unknown"
        super().__init__(self.reason)


class NotFound(CloudError):
    """There is no such thing, or no longer."""


class Conflict(CloudError):
    """Something that is there stands against it, such as a stack of the same name."""


class Rejected(CloudError):
    """The request itself is refused; asking again will not help."""


class Forbidden(Rejected):
    """Who asks may not."""


class Unauthenticated(Rejected):
    """The token that somebody gave us is not, or no longer, good."""


class Unavailable(CloudError):
    """Nothing was done; ask again later."""


class Undelegated(Unavailable):
    """The delegation under which we act does not work, or no longer: nothing was done, and another is needed."""


class OutcomeUnknown(CloudError):
    """It may have been done or not; look before acting again."""
