"""A proxy in front of a real Heat that counts what is asked and spoils chosen answers.

    with HeatProxy(endpoint) as proxy:
        proxy.faults.append(Fault("POST", "stacks", Spoil.DROP_AFTER))
        connect({"OS_AUTH_TYPE": "none", "OS_ENDPOINT": proxy.url})

A fault spoils `times` matching requests and is then spent. What happens behind the proxy is always the real Heat's.
"""

from __future__ import annotations

import enum
import http.client
import socket
import struct
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Spoil(enum.Enum):
    """What happens to a request or to its answer."""

    DELAY = "the real effect, then the answer after `seconds`"
    TWICE = "the real effect twice, as after a repeat of the network's own; the second answer"
    DROP_BEFORE = "no effect, the connection is reset"
    DROP_AFTER = "the real effect, then the connection is reset"
    CUT = "the real effect, then half of the answer"
    TRICKLE = "the real effect, then the body byte by byte, for ever"
    STATUS = "no effect, the answer is `status` with `body`"
    REPLACE = "the real effect, then the answer is `status` with `body`"
    BLACK_HOLE = "no effect, no answer, the connection stays open"


@dataclass
class Fault:
    """Spoil the next `times` requests of a method (None: any) on a kind of thing (None: any)."""

    method: str | None
    kind: str | None
    spoil: Spoil
    times: int = 1
    seconds: float = 0.0
    status: int = 500
    body: bytes = b'{"error": {"type": "Spoilt", "message": "spoilt"}}'
    content_type: str = "application/json"


@dataclass
class HeatProxy:
    """Serves `url` on a free port until the end of the with block."""

    endpoint: str
    faults: list[Fault] = field(default_factory=list)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __enter__(self) -> Self:
        self.closing = threading.Event()
        self._lock = threading.Lock()

        class Bound(_Handler):
            pass

        Bound.proxy = self
        self._server = _Server(("127.0.0.1", 0), Bound)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{urlsplit(self.endpoint).path}"

    def total(self, method: str | None = None, kind: str | None = None) -> int:
        """Return how many matching calls there were; the second half of a redirect is a call too."""
        with self._lock:
            return sum(
                count
                for (its_method, its_kind), count in self.calls.items()
                if method in {None, its_method} and kind in {None, its_kind}
            )

    def heal(self) -> None:
        """Spoil nothing from now on, and let what is held go."""
        with self._lock:
            self.faults.clear()
        self.let_go()

    def let_go(self) -> None:
        """Let what is held go."""
        self.closing.set()
        self.closing = threading.Event()

    def note(self, method: str, kind: str) -> Fault | None:
        """Count the call and return the fault that meets it."""
        with self._lock:
            self.calls[method, kind] += 1
            for fault in self.faults:
                if fault.times > 0 and fault.method in {None, method} and fault.kind in {None, kind}:
                    fault.times -= 1
                    return fault
        return None


def kind_of(path: str) -> str:
    """Return what a path is about: stacks (the collection), stack, or what is below a stack, such as resources."""
    parts = urlsplit(path).path.strip("/").split("/")[2:]  # after v1 and the project
    if parts[:1] != ["stacks"]:
        return "/".join(parts)
    return next(iter(parts[3:]), "stacks" if len(parts) == 1 else "stack")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up, as the faults make them do; of all else, everything."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    proxy: HeatProxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        closing = self.proxy.closing
        fault = self.proxy.note(self.command, kind_of(self.path))
        spoil = fault.spoil if fault else None
        if spoil is Spoil.BLACK_HOLE:
            closing.wait()
        if spoil in {Spoil.BLACK_HOLE, Spoil.DROP_BEFORE}:
            return self._reset()
        if fault and spoil is Spoil.STATUS:
            return self._answer(fault.status, fault.body, {"Content-Type": fault.content_type})
        if spoil is Spoil.TWICE:
            self._ask(body)
        status, headers, content = self._ask(body)
        if spoil is Spoil.DROP_AFTER:
            return self._reset()
        if fault and spoil is Spoil.REPLACE:
            return self._answer(fault.status, fault.body, {"Content-Type": fault.content_type})
        if fault and spoil is Spoil.DELAY:
            closing.wait(fault.seconds)
        if spoil is Spoil.TRICKLE:
            return self._trickle(status, headers, closing)
        if spoil is Spoil.CUT:
            headers["Content-Length"] = str(len(content) + 100)
            self.close_connection = True
        return self._answer(status, content, headers)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Pass the request on; the client's Host goes with it, so that Heat's redirects lead back here."""
        behind = urlsplit(self.proxy.endpoint)
        connection = http.client.HTTPConnection(behind.hostname or "", behind.port, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            kept = {"content-type", "location", "x-openstack-request-id"}
            return (
                response.status,
                {name: value for name, value in response.getheaders() if name.lower() in kept},
                response.read(),
            )
        finally:
            connection.close()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            if status != http.client.NO_CONTENT:
                headers.setdefault("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:  # the client has given up, as some faults want it to
            self.close_connection = True

    def _trickle(self, status: int, headers: dict[str, str], closing: threading.Event) -> None:
        self._answer(status, b"", headers | {"Content-Length": "1000000"})
        self.close_connection = True
        while not self.wfile.closed and not closing.wait(0.05):
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except ConnectionError:
                return

    def _reset(self) -> None:
        """Close the connection so that the client sees a reset, not an orderly end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the tests' output clean."""
