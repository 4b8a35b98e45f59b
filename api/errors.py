"""What Django answers outside any view: for paths of a service in its own shape, elsewhere Django's pages.

The root URLconf names these as handler400, handler403, handler404 and handler500.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import JsonResponse
from django.views import defaults

from api import problems
from api.requests import request_id_of
from api.versions import service_of

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class _Fault(problems.Problem):
    """A fault of ours: the trace is in the log, under the request's id."""


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    problem = problems.BadRequest("The request was refused: its host or its form is not acceptable.")
    return _answer(request, problem) or defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    problem = problems.Forbidden("You are not authorized to perform the requested action.")
    return _answer(request, problem) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    return _answer(request, problems.NotFound("The resource could not be found.")) or defaults.page_not_found(
        request, exception
    )


def fault(request: HttpRequest) -> HttpResponse:
    """Answer 500, without a word about the cause."""
    message = (
        f"An unexpected error prevented the server from fulfilling your request ({request_id_of(request)})."
    )
    return _answer(request, _Fault(message)) or defaults.server_error(request)


def refuse(request: HttpRequest, problem: problems.Problem) -> HttpResponse:
    """Return the answer of a middleware that refuses a request to one of the services."""
    return _answer(request, problem) or JsonResponse({}, status=problem.status)


def _answer(request: HttpRequest, problem: problems.Problem) -> HttpResponse | None:
    service = service_of(request.path_info)
    if service is None:
        return None
    document = problems.body(problem, service=service.type, request_id=request_id_of(request))
    return JsonResponse(document, status=problems.status_of(problem, service.type), headers=problem.headers)
