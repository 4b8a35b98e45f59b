"""GET /healthz: may this process be sent requests? Until it is told to stop, while the database answers."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, connection
from django.http import JsonResponse
from django.views.decorators.cache import never_cache

from lifecycle import local

if TYPE_CHECKING:
    from django.http import HttpRequest

LIMIT: Final = 1.0  # seconds

_lock = threading.Lock()
_pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="health")
_running: Future[None] | None = None


@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200, or 503 with the reason."""
    if request.method not in ("GET", "HEAD"):
        return JsonResponse(
            {"status": "error", "reason": "method not allowed"}, status=405, headers={"Allow": "GET"}
        )
    if local.draining():
        return JsonResponse({"status": "draining", "reason": "this node is about to stop"}, status=503)
    try:
        _shared_query().result(timeout=LIMIT)
    except TimeoutError:
        return JsonResponse(
            {"status": "error", "reason": f"no answer from the database in {LIMIT:g} s"}, status=503
        )
    except DatabaseError as exc:
        return JsonResponse({"status": "error", "reason": f"database: {type(exc).__name__}"}, status=503)
    return JsonResponse({"status": "ok"})


def _shared_query() -> Future[None]:
    """Return the query that is under way, or start one: probes of a database that hangs must not pile up."""
    global _running  # noqa: PLW0603 (one per process is the point)
    with _lock:
        if _running is None or _running.done():
            _running = _pool.submit(_query)
        return _running


def _query() -> None:
    """Ask over a connection of this thread's own, opened afresh: an old one says nothing about new ones."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()
