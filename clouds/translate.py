"""The one place where the exceptions of heatclient, keystoneauth and requests become those of `clouds.errors`.

The table is by HTTP status; what has none is told apart by whether the request can have reached the service, and by
whether it would have had an effect there. A call that has no effect never raises OutcomeUnknown.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import heatclient.exc
import keystoneauth1.exceptions
import requests
import urllib3.exceptions

from clouds.errors import CloudError, Conflict, NotFound, OutcomeUnknown, Rejected, Unavailable

BY_STATUS: dict[int, type[CloudError]] = {
    # every other 4xx is Rejected, and every other status an answer nobody can read
    401: Unavailable,
    404: NotFound,
    408: Unavailable,
    409: Conflict,
    425: Unavailable,
    429: Unavailable,
    503: Unavailable,
}

_LIBRARIES = (
    heatclient.exc.BaseException,
    keystoneauth1.exceptions.ClientException,
    keystoneauth1.exceptions.RetriableConnectionFailure,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    # what heatclient does with an answer that is not what it expects
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
)

_NEVER_SENT = (
    urllib3.exceptions.ConnectTimeoutError,  # a refused connection is one too
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    ssl.SSLCertVerificationError,
    keystoneauth1.exceptions.CatalogException,
    keystoneauth1.exceptions.AuthPluginException,
    keystoneauth1.exceptions.AuthorizationFailure,
    keystoneauth1.exceptions.DiscoveryFailure,
    # Of the two, only the login raises by status; heatclient raises its own for Heat's answers.
    keystoneauth1.exceptions.HttpError,
)


@contextmanager
def translated(*, effect: bool) -> Iterator[None]:
    """Raise what goes wrong inside as a CloudError; `effect` says that the request changes something."""
    try:
        yield
    except _LIBRARIES as error:
        raise conclude(error, effect=effect) from error


def conclude(error: BaseException, *, effect: bool) -> CloudError:
    """Return what the caller may conclude from an exception of the libraries."""
    lost = OutcomeUnknown if effect else Unavailable
    if isinstance(error, heatclient.exc.HTTPException) and isinstance(error.code, int):
        return _by_status(error.code, error.message, lost)
    if any(isinstance(cause, _NEVER_SENT) for cause in _causes(error)):
        return Unavailable(f"The cloud cannot be reached: {_gist(error)}")
    if isinstance(error, requests.Timeout | keystoneauth1.exceptions.ConnectTimeout):
        return lost("The cloud did not answer in time.")
    if isinstance(
        error,
        requests.ConnectionError | keystoneauth1.exceptions.ConnectionError | urllib3.exceptions.HTTPError,
    ):
        return lost(f"The connection to the cloud broke: {_gist(error)}")
    return lost(f"The cloud's answer cannot be read: {_gist(error)}")


def _by_status(status: int, body: object, lost: type[CloudError]) -> CloudError:
    kind, message = _heat_error(body)
    if 400 <= status < 500:  # noqa: PLR2004
        found = BY_STATUS.get(status, Rejected)
        # A proxy's or a router's 404 says nothing about a stack.
        if found is NotFound and (kind.startswith("HTTP") or not kind.endswith("NotFound")):
            return lost(f"There is no Heat at this address (HTTP 404): {message}")
        return found(message or f"HTTP {status}")
    return BY_STATUS.get(status, lost)(f"Heat failed (HTTP {status}): {message}")


def _heat_error(body: object) -> tuple[str, str]:
    """Return the type and the message of Heat's error body, never its trace back."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    try:
        told = json.loads(text)
        error = told["error"]
        return str(error.get("type", "")), str(error.get("message") or told["explanation"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return "", text


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and everything it came from."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _gist(error: BaseException) -> str:
    """Return the one thing worth saying: what the operating system said, else the error's own words."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return str(error) or type(error).__name__
