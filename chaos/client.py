"""One client: a thread's connections to the API's nodes, its logins, and the record of all it asked and heard.

It asks the next node when one does not answer. A POST carries an Idempotency-Key and is sent again under it until an
answer came; each sending has a request id of its own, by which the Operation that it began is found afterwards.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from chaos.history import Call, History
from chaos.refusals import is_pending
from chaos.tenants import Tenant

TIMEOUT = 10.0  # seconds until an answer is given up
PAUSE = 0.2  # seconds before a node is asked again
INSIST = 90.0  # seconds for which an answer to a POST is insisted on after the load was told to stop
UNAUTHORIZED = 401
LONGEST = 300  # characters of an error that are kept
MICROVERSION = {"volume": "volume 3.71", "container-infra": "container-infra latest"}

Reader = Callable[[Any], dict[str, Any]]
Heard = tuple[int, Mapping[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be asked. `read` makes of an accepted answer what the history keeps of it."""

    action: str
    method: str
    path: str  # below the host: volume/v3/... or container-infra/v1/...
    body: object = None
    resource: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)
    if_match: str | None = None
    read: Reader = lambda _: {}


class Client:
    """One thread's way to the API."""

    def __init__(
        self, number: int, urls: Sequence[str], history: History, seed: int, stopped: threading.Event
    ) -> None:
        self.number = number
        self.rng = random.Random(f"{seed}/{number}")
        self._urls = list(urls)
        self._at = number % len(urls)
        self._history = history
        self._stopped = stopped
        self._count = 0
        self._links: dict[str, http.client.HTTPConnection] = {}
        self._tokens: dict[str, str] = {}

    @property
    def asked(self) -> int:
        """How many calls it has made."""
        return self._count

    def ask(self, tenant: Tenant, request: Request, key: str | None = None) -> Call:
        """Send it once (twice where the token had run out), record what came of it and return that."""
        while True:
            token = self._token(tenant)
            if token is None:  # nothing was asked, so nothing is recorded
                return self._call(tenant, request, key, "", time.monotonic_ns())
            call = self._send(tenant, request, key, token)
            if call.status != UNAUTHORIZED:
                return call
            self._tokens.pop(tenant.name, None)

    def insist(self, tenant: Tenant, request: Request, key: str | None = None) -> Call:
        """Send it under one key until there is an answer, and return the last call.

        When the load has ended it is sent for INSIST more: what was sent before has an outcome to be learned.
        """
        key = key or str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        end = None
        while True:
            call = self.ask(tenant, request, key)
            if not call.unknown and not is_pending(call):
                return call
            if self._stopped.is_set():
                end = end or time.monotonic() + INSIST
                if time.monotonic() > end:
                    return call
                time.sleep(PAUSE)  # the event is set: there is nothing left to wait on
            else:
                self._stopped.wait(PAUSE * (1 + self.rng.random()))

    def close(self) -> None:
        for link in self._links.values():
            link.close()

    # --- one exchange ---------------------------------------------------------------------------------------
    def _send(self, tenant: Tenant, request: Request, key: str | None, token: str) -> Call:
        service = request.path.partition("/")[0]
        request_id = f"req-{uuid.uuid4()}"
        headers = {
            "X-Auth-Token": token,
            "OpenStack-API-Version": MICROVERSION[service],
            "X-OpenStack-Request-ID": request_id,
        }
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"If-Match": request.if_match} if request.if_match else {}
        begun = time.monotonic_ns()
        try:
            came = _came(request, self._exchange(request.method, request.path, request.body, headers))
        except (OSError, http.client.HTTPException) as error:
            came = {"error": f"{type(error).__name__}: {error}"}
        call = self._call(tenant, request, key, request_id, begun, **came)
        self._history.record(call)
        return call

    def _call(
        self, tenant: Tenant, request: Request, key: str | None, request_id: str, begun: int, **came: Any
    ) -> Call:
        self._count += 1
        made = (came.get("answer") or {}).get("id")
        args = {**request.args, "tenant": tenant.name, "request_id": request_id}
        if request.if_match:
            args["if_match"] = request.if_match
        return Call(
            client=self.number,
            number=self._count,
            action=request.action,
            resource=request.resource or made,
            args=args,
            key=key,
            begun=begun,
            ended=time.monotonic_ns(),
            status=came.get("status"),
            answer=came.get("answer"),
            error=came.get("error", ""),
        )

    def _exchange(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Heard:
        """Return what the node at hand answers; if it does not, the next one is at hand afterwards."""
        url = self._urls[self._at]
        text = None if body is None else json.dumps(body)
        sent = {**headers, "Content-Type": "application/json"} if text else dict(headers)
        link = self._links.get(url)
        if link is None:
            parts = urlsplit(url)
            link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
            self._links[url] = link
        try:
            link.request(method, f"/{path}", text, sent)
            answer = link.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException):
            link.close()
            del self._links[url]
            self._at = (self._at + 1) % len(self._urls)
            raise
        if answer.status >= http.client.INTERNAL_SERVER_ERROR:
            self._at = (self._at + 1) % len(self._urls)
        return answer.status, dict(answer.headers.items()), raw

    # --- who asks -------------------------------------------------------------------------------------------
    def _token(self, tenant: Tenant) -> str | None:
        """Return the tenant's token, logging in if need be; None if no node lets it in now."""
        if tenant.name in self._tokens:
            return self._tokens[tenant.name]
        user = {"name": tenant.name, "password": tenant.password, "domain": {"id": "default"}}
        scope = {"project": {"name": tenant.project, "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        try:
            status, headers, _ = self._exchange("POST", "identity/v3/auth/tokens", body, {})
        except (OSError, http.client.HTTPException):
            return None
        if status != http.client.CREATED:
            return None
        return self._tokens.setdefault(tenant.name, headers["X-Subject-Token"])


def _came(request: Request, heard: Heard) -> dict[str, Any]:
    """Return what came of a request: status, and the answer or the error. What is no answer leaves it unknown."""
    status, headers, raw = heard
    if status >= http.client.BAD_REQUEST:
        return {"status": status, "error": _told(raw)}
    try:
        answer = request.read(json.loads(raw) if raw else {})
    except (ValueError, KeyError, TypeError) as error:
        return {"error": f"not an answer: {type(error).__name__} {raw[:100]!r}"}
    answer["digest"] = hashlib.sha256(raw).hexdigest()[:16]
    if "ETag" in headers:
        answer["etag"] = headers["ETag"]
    if "Idempotency-Replayed" in headers:
        answer["replayed"] = True
    return {"status": status, "answer": answer}


def _told(raw: bytes) -> str:
    """Return the sentence of an error document, whichever service's it is."""
    try:
        document = json.loads(raw)
        if "errors" in document:
            return str(document["errors"][0]["detail"])[:LONGEST]
        ((_, error),) = document.items()
        return str(error["message"])[:LONGEST]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return raw[:LONGEST].decode(errors="replace")
