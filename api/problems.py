"""Everything that is refused or goes wrong, and how each service tells it.

A Problem carries a status, a short code and a sentence for the user. Whatever else escapes a view is
translated here; what has no translation is a fault of ours: logged with its trace by Django, and told as a
bare 500.
"""

from __future__ import annotations

import http
import math
from typing import TYPE_CHECKING, Any, ClassVar, Final

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404
from psycopg2.errors import DeadlockDetected, ForeignKeyViolation, LockNotAvailable
from rest_framework import exceptions as drf
from rest_framework.response import Response

from lifecycle import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = structlog.get_logger(__name__)

FAULTS: Final = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    411: "lengthRequired",
    412: "preconditionFailed",
    413: "overLimit",
    415: "badMediaType",
    422: "unprocessableEntity",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}  # what Cinder's clients call an error; all others are a computeFault
MICROVERSIONS: Final = "https://docs.openstack.org/api-guide/compute/microversions.html"


class Problem(Exception):
    """A refusal that the user is told about."""

    status: ClassVar[int] = 500
    code: str = "internal-error"
    headers: Mapping[str, str] = {}

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code

    @property
    def is_refusal(self) -> bool:
        """Tell whether surely nothing was done."""
        return self.status < 500  # noqa: PLR2004 - the client's fault, by HTTP

    @property
    def extra(self) -> dict[str, Any]:
        """Return further fields for an error body that has room for them."""
        return {}


class BadRequest(Problem):
    """The request cannot be understood, or asks for something that cannot be."""

    status = 400
    code = "bad-request"


class Unauthorized(Problem):
    """Nobody is known to be calling."""

    status = 401
    code = "unauthorized"


class Forbidden(Problem):
    """The caller may not do this."""

    status = 403
    code = "forbidden"


class OverQuota(Forbidden):
    """The project has no room for one more (403 as in Magnum; Cinder's clients know it as 413)."""

    code = "over-quota"


class NotFound(Problem):
    """There is no such thing, or none that the caller may see."""

    status = 404
    code = "not-found"


class MethodNotAllowed(Problem):
    """The route has no such method."""

    status = 405
    code = "method-not-allowed"


class VersionNotAcceptable(Problem):
    """The microversion asked for does not exist."""

    status = 406
    code = "microversion-unsupported"

    def __init__(self, message: str, minimum: str, maximum: str) -> None:
        super().__init__(message)
        self.minimum = minimum
        self.maximum = maximum

    @property
    def extra(self) -> dict[str, Any]:
        return {
            "title": "Requested microversion is unsupported",
            "links": [{"rel": "help", "href": MICROVERSIONS}],
            "min_version": self.minimum,
            "max_version": self.maximum,
        }


class Conflict(Problem):
    """The state of things does not allow it now."""

    status = 409
    code = "conflict"


class WrongState(Conflict):
    """The resource's status does not allow it. Cinder's clients know it as 400; raise Conflict where they do not."""

    code = "state-conflict"


class Busy(Conflict):
    """Others are at it, such as readers of what would be written: the message names them."""

    code = "busy"


class PreconditionFailed(Problem):
    """The resource is not what If-Match says it is; `etag` says what it is."""

    status = 412
    code = "precondition-failed"

    def __init__(self, message: str, *, etag: str) -> None:
        super().__init__(message)
        self.headers = {"ETag": etag}


class LengthRequired(Problem):
    """The body's length is not said in advance."""

    status = 411
    code = "length-required"


class TooLarge(Problem):
    """The body is longer than we read."""

    status = 413
    code = "too-large"


class KeyInUse(Conflict):
    """A request with the same Idempotency-Key is under way."""

    code = "idempotency-key-in-use"


class KeyReused(Problem):
    """The Idempotency-Key belongs to another request."""

    status = 422
    code = "idempotency-key-reused"


class TooManyRequests(Problem):
    """Whoever is calling has called too often; after so many seconds there is room for one more."""

    status = 429
    code = "too-many-requests"

    def __init__(self, wait: float) -> None:
        seconds = max(1, math.ceil(wait))
        super().__init__(f"Too many requests. Try again in {seconds} s.")
        self.headers = {"Retry-After": str(seconds)}


class Unavailable(Problem):
    """Something that we need does not answer; the same request may succeed in a moment."""

    status = 503
    code = "unavailable"
    headers = {"Retry-After": "1"}


class Waited(Unavailable):
    """The database has ended the transaction since it could not have a lock in time: nothing was done."""

    is_refusal = True


class _Other(Problem):
    """A refusal of the framework's that has no class above."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message, code=code)
        self.status = status  # type: ignore[misc]


CLIENTS_EXPECT: Final[Mapping[tuple[str | None, type], int]] = {
    ("block-storage", WrongState): 400,
    ("block-storage", OverQuota): 413,
}
NOW: Final = "0"  # Retry-After: as soon as there is room, which no time can say


def translate(exc: Exception) -> Problem | None:  # noqa: C901, PLR0911 (a table)
    """Return what a user may be told about an exception; None where it is a fault of ours."""
    match exc:
        case Problem():
            return exc
        case errors.StateConflict():
            return WrongState(str(exc))
        case errors.Missing() | Http404():
            return NotFound(str(exc) or "The resource could not be found.")
        case drf.ValidationError():
            return BadRequest(sentence(exc.detail))
        case drf.APIException():
            code = exc.default_code.replace("_", "-")
            return _Other(sentence(exc.detail), status=exc.status_code, code=code)
        case PermissionDenied():
            return Forbidden(str(exc) or "You are not authorized to perform the requested action.")
        case RequestDataTooBig():
            return TooLarge("The request's body is too large.")
        case SuspiciousOperation():
            return BadRequest("The request was refused: its host or its form is not acceptable.")
        case IntegrityError() if isinstance(exc.__cause__, ForeignKeyViolation):
            logger.warning("something was removed while it was being referred to", exc_info=exc)
            return Conflict("Something that the request refers to was removed meanwhile. Look again.")
        case OperationalError() if isinstance(exc.__cause__, DeadlockDetected):
            logger.warning("two requests waited for each other", exc_info=exc)
            return Conflict("The request and another one were in each other's way. Try again.")
        case OperationalError() if isinstance(exc.__cause__, LockNotAvailable):
            logger.warning("a request has waited for others too long", exc_info=exc)
            return Waited("Others keep what the request needs for too long. Try again in a moment.")
        case OperationalError() | InterfaceError():
            logger.error("database unavailable", exc_info=exc)
            return Unavailable(
                "The database does not answer. Try again in a moment.", code="database-unavailable"
            )
    return None


def sentence(detail: Any) -> str:
    """Return a validation error as one line that names the fields."""
    if isinstance(detail, dict):
        parts = (
            sentence(value) if key == "non_field_errors" else f"{key}: {sentence(value)}"
            for key, value in detail.items()
        )
        return " ".join(part for part in parts if part)
    if isinstance(detail, list):
        return " ".join(part for part in map(sentence, detail) if part)
    return str(detail)


def status_of(problem: Problem, service: str | None) -> int:
    """Return the status that the service's own clients expect."""
    kinds = ((service, kind) for kind in type(problem).__mro__)
    return next((CLIENTS_EXPECT[kind] for kind in kinds if kind in CLIENTS_EXPECT), problem.status)


def body(problem: Problem, *, service: str | None, request_id: str) -> dict[str, Any]:
    """Return the error document in the shape of the service's own clients."""
    status = status_of(problem, service)
    if service == "container-infra":
        code = (
            "magnum" if isinstance(problem, VersionNotAcceptable) else service
        )  # clients know Magnum's word
        error = {
            "status": status,
            "code": f"{code}.{problem.code}",
            "title": problem.message.split(". ", 1)[0].rstrip("."),
            "detail": problem.message,
            "links": [],
            "request_id": request_id,
            **problem.extra,
        }
        return {"errors": [error]}
    if service == "block-storage":
        fault = {"code": status, "message": problem.message}
        if isinstance(problem, OverQuota):
            fault["retryAfter"] = NOW
        if isinstance(problem, TooManyRequests):
            fault["retryAfter"] = problem.headers["Retry-After"]
        return {FAULTS.get(status, "computeFault"): fault}
    title = http.HTTPStatus(status).phrase
    return {"error": {"code": status, "title": title, "message": problem.message}}


def handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer for an exception that left a view (DRF's EXCEPTION_HANDLER)."""
    problem = translate(exc)
    if problem is None:
        return None
    view, request = context["view"], context["request"]
    service = getattr(view, "service", None)
    name = service and service.type
    response = Response(
        body(problem, service=name, request_id=getattr(request, "request_id", "")),
        status=status_of(problem, name),
    )
    challenge = getattr(exc, "auth_header", None)
    if problem.status == Unauthorized.status:
        challenge = challenge or view.get_authenticate_header(request)
    if challenge:
        response["WWW-Authenticate"] = challenge
    for header, value in problem.headers.items():
        response[header] = value
    if response.status_code == TooLarge.status and isinstance(problem, OverQuota):
        response["Retry-After"] = NOW
    return response
