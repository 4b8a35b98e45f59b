"""A small load balancer: each connection goes to the next server whose /healthz says 200.

It asks each server every `EVERY` seconds and passes bytes both ways; a connection that a server refuses or resets is
the client's failure, as strict as one can be. HAProxy would try another server where nothing was sent yet.
"""

from __future__ import annotations

import http.client
import itertools
import socket
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from typing import Self

EVERY = 0.2
CHUNK = 65536


class Balancer:
    """Listens on a port of its own for as long as the block lasts."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._turn = itertools.count()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.healthy: set[int] = set()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        for port in self._ports:
            threading.Thread(target=self._watch, args=(port,), daemon=True).start()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _watch(self, port: int) -> None:
        while not self._over.is_set():
            (self.healthy.add if _is_well(port) else self.healthy.discard)(port)
            self._over.wait(EVERY)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with ExitStack() as stack, suppress(OSError, IndexError):
            stack.enter_context(closing(client))
            while not (healthy := sorted(self.healthy)):
                if self._over.wait(EVERY):
                    return
            port = healthy[next(self._turn) % len(healthy)]
            server = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            server.settimeout(None)
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until the source ends, then end the target."""
    with suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _is_well(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
