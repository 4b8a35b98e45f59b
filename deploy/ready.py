"""Wait until something that was started answers, and say why when it does not."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

from deploy.progress import tail
from deploy.state import StartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.supervise import Child

PAUSE = 0.02
MAX_STARTS = 3


def until(is_ready: Callable[[], bool], child: Child, timeout: float) -> None:
    """Return as soon as `is_ready` says so. That a server listens cannot be awaited, only asked.

    :raises StartError: not within the timeout, or the child died three times; with the end of its log.
    """
    deadline = time.monotonic() + timeout
    while not is_ready():
        late = time.monotonic() > deadline
        if late or child.starts > MAX_STARTS:
            what = f"is not ready after {timeout:g} s" if late else "dies again and again"
            raise StartError(f"{child.name} {what}.\n{tail(child.log) if child.log else ''}")
        time.sleep(PAUSE)


def answers(port: int, path: str) -> bool:
    """Tell whether GET path on 127.0.0.1:port gives 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
