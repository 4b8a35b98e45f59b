"""Idempotency-Key: a POST that is sent twice is carried out once, and answered twice alike.

The key's row is the first thing that the request's own transaction inserts and its answer the last: 202 and the key
are committed together or not at all, so an answer that was lost on its way (with the node that gave it, if need be) is
given again by any other. A twin that comes meanwhile waits on the row's unique index until the first one commits, and
replays, or rolls back, and takes over. Only what was accepted is kept: after a refusal the same key may try again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import structlog
from django.db import OperationalError, connection, transaction
from django.utils.crypto import salted_hmac
from psycopg2.errors import LockNotAvailable
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api import dryrun
from api.models import IdempotencyKey
from api.problems import BadRequest, KeyInUse, KeyReused
from api.requests import request_id_of

log = structlog.get_logger(__name__)

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
OPERATION: Final = "Roadstead-Operation"
KEPT: Final = ("Location", "ETag", OPERATION)  # the headers that belong to an answer
_VALID = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)
_INSERT: Final = """
    INSERT INTO api_idempotencykey (owner, key, fingerprint, request_id) VALUES (%s, %s, %s, %s)
    ON CONFLICT (owner, key) DO NOTHING
"""


def key_of(request: Request) -> str | None:
    """Return the key under which the request is to be carried out once; None if it has none.

    Only a POST has one: every other method is idempotent by itself. Who is not known, such as at a login, has no
    space for keys.

    :raises BadRequest: the header is not 1 to 255 printable ASCII characters.
    """
    key = request.headers.get(HEADER)
    if key is None or request.method != "POST" or request.user is None:
        return None
    if not _VALID.fullmatch(key):
        raise BadRequest(f"{HEADER} must be 1 to 255 printable ASCII characters.")
    return key


def once(key: str, request: Request, version: object, handle: Callable[[], Response]) -> Response:
    """Carry the request out in one transaction with its key, or return what was answered the first time.

    `version` is the microversion: the same words may mean another thing under another.

    :raises KeyReused: the key belongs to another request of the project.
    :raises KeyInUse: the first request under this key is still being carried out.
    """
    row = _row(key, request, version)
    with transaction.atomic(durable=True):
        if _insert(row):
            response = handle()
            if response.status_code < 400:  # noqa: PLR2004 - a refusal
                _keep(row, response)
            else:
                transaction.set_rollback(True)
            return response
    return _replay(row)


def again(key: str, request: Request, version: object) -> Response:
    """Return what was answered under a key that was found used, and carry nothing out.

    :raises KeyReused: the key belongs to another request of the project.
    :raises KeyInUse: it is just being forgotten.
    """
    return _replay(_row(key, request, version))


def answered(key: str, request: Request, version: object) -> Response | None:
    """Return what was answered under this key already, inside a transaction that will be rolled back; None if nothing.

    :raises KeyReused: the key belongs to another request of the project.
    :raises KeyInUse: the first request under this key is still being carried out.
    """
    row = _row(key, request, version)
    return None if _insert(row) else _replay(row)


def _row(key: str, request: Request, version: object) -> IdempotencyKey:
    return IdempotencyKey(
        owner=_owner(request),
        key=key,
        fingerprint=_fingerprint(request, version),
        request_id=request_id_of(request),
    )


def is_known(key: str, request: Request) -> bool:
    """Tell whether the key was used already, so that nothing will be carried out under it."""
    return IdempotencyKey.objects.filter(owner=_owner(request), key=key).exists()


def _owner(request: Request) -> str:
    caller: Any = request.user
    return str(caller.project_id or caller.pk)


def _fingerprint(request: Request, version: object) -> str:
    """Return what tells one request from another, keyed: a body may hold a password, which must not be guessed at."""
    asked = [request.method, _path(request), str(version), request.user.pk, request.data]
    return salted_hmac("api.idempotency", json.dumps(asked, sort_keys=True), algorithm="sha256").hexdigest()


def _path(request: Request) -> str:
    """Return path and query as they were asked for; a dry run asks for what it tries."""
    path: str = request.get_full_path()
    if f"{dryrun.WORD}=" not in path:
        return path
    path, _, query = path.partition("?")
    words = [word for word in query.split("&") if word.partition("=")[0] != dryrun.WORD]
    return "?".join([path, *(["&".join(words)] if words else [])])


def _insert(row: IdempotencyKey) -> bool:
    """Insert the key; False if it is there. Waits for a transaction that is just inserting it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, [row.owner, row.key, row.fingerprint, row.request_id])
            return bool(cursor.rowcount)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise KeyInUse(f"A request with this {HEADER} is under way. Try again in a moment.") from error
        raise


def _keep(row: IdempotencyKey, response: Response) -> None:
    data: Any = response.data
    body = None if data is None else JSONRenderer().render(data).decode()
    headers = {name: response[name] for name in KEPT if name in response}
    IdempotencyKey.objects.filter(owner=row.owner, key=row.key).update(
        status=response.status_code, headers=headers, body=body
    )


def _replay(row: IdempotencyKey) -> Response:
    first = IdempotencyKey.objects.filter(owner=row.owner, key=row.key).first()
    if first is None:  # forgotten between the two statements
        raise KeyInUse(f"This {HEADER} is just being forgotten. Try again.")
    if first.fingerprint != row.fingerprint:
        raise KeyReused(f"This {HEADER} was used for another request ({first.request_id}).")
    log.info("answer replayed", first=first.request_id)
    data = None if first.body is None else json.loads(first.body)
    return Response(data, status=first.status, headers={**first.headers, REPLAYED: "true"})
