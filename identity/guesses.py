"""Against guessing at passwords: who failed too often as one user, from one network, is not listened to for a while.

What is right then is refused as well, or it would not help. Only failures count, so that programs may log in as often
as they like; and only those from the same network, so that nobody can lock a user out from elsewhere.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from api import rates
from api.problems import TooManyRequests, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = structlog.get_logger(__name__)


@contextmanager
def counted(who: str, network: str) -> Iterator[None]:
    """Run a login, and count it if it fails. Nobody (empty) is for what cannot be guessed at, such as a token.

    :raises TooManyRequests: too many have failed.
    """
    if not who:
        yield
        return
    key = f"{network} {who}"
    if wait := rates.GUESSES.wait(key):
        logger.warning("login not tried: too many have failed", who=who[:64], network=network)
        raise TooManyRequests(wait)
    try:
        yield
    except Unauthorized:
        rates.GUESSES.take(key)
        raise
