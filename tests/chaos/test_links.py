"""The links of the chaos harness, as a client sees each of their conditions."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import socketserver
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import ClassVar

from django.test import SimpleTestCase

from chaos.links import Condition, Mode, Switchboard, Ways
from deploy import ready
from deploy.state import ROOT
from deploy.supervise import Child, Supervisor

SOON = 0.3  # seconds in which what is held back would have come
PATIENCE = 20.0


class Echo(socketserver.BaseRequestHandler):
    heard: ClassVar[queue.SimpleQueue[bytes]] = queue.SimpleQueue()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            while data := self.request.recv(65536):
                self.heard.put(data)
                self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class LinkTests(SimpleTestCase):
    port: ClassVar[int]
    switchboard: ClassVar[Switchboard]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        home = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        server = cls.enterClassContext(Server(("127.0.0.1", 0), Echo))
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        cls.addClassCleanup(server.shutdown)
        cls.port = _free_port()
        told = {"control": str(home / "control"), "links": {"a>b": [cls.port, server.server_address[1]]}}
        file = home / "links.json"
        file.write_text(json.dumps(told))
        cls.switchboard = Switchboard(home / "control")
        child = Child("links", [sys.executable, "-m", "chaos.links", str(file)], cwd=ROOT)
        cls.enterClassContext(Supervisor([child]))
        ready.until(cls.switchboard.is_ready, child, PATIENCE)

    def setUp(self) -> None:
        self.switchboard.heal("a>b")
        while not Echo.heard.empty():
            Echo.heard.get()
        self.client_socket = self.connect()
        self.say(self.client_socket, b"hello")

    def connect(self) -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.addCleanup(found.close)
        return found

    def say(self, connection: socket.socket, words: bytes) -> None:
        """Say something, which must come back."""
        connection.sendall(words)
        self.assertEqual(connection.recv(100), words)
        self.assertEqual(Echo.heard.get(timeout=PATIENCE), words)

    def put(self, mode: Mode, ways: Ways = Ways.BOTH, **more: float) -> None:
        self.switchboard.put("a>b", Condition(mode, ways, **more))

    def assert_silent(self, connection: socket.socket) -> None:
        connection.settimeout(SOON)
        with self.assertRaises(TimeoutError):
            connection.recv(100)
        connection.settimeout(PATIENCE)

    def test_one_that_is_cut_resets_what_is_there_and_refuses_what_is_new(self) -> None:
        self.put(Mode.CUT)
        with self.assertRaises(ConnectionResetError):
            self.client_socket.recv(100)
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        self.switchboard.heal("a>b")
        self.say(self.connect(), b"again")

    def test_one_that_refuses_lets_what_is_there_go_on(self) -> None:
        self.put(Mode.REFUSE)
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        self.say(self.client_socket, b"still here")
        self.switchboard.heal("a>b")
        self.say(self.connect(), b"again")

    def test_one_that_delays_brings_all_of_it_in_order_and_late(self) -> None:
        self.put(Mode.DELAY, delay=0.05, jitter=0.02)
        begun = time.monotonic()
        for number in range(20):
            self.client_socket.sendall(f"{number:3}".encode())
        found = b""
        while len(found) < 60:
            found += self.client_socket.recv(100)
        self.assertEqual(found.split(), [str(number).encode() for number in range(20)])
        self.assertGreaterEqual(time.monotonic() - begun, 0.1)

    def test_a_black_hole_refuses_nothing_and_answers_nothing_until_it_is_healed(self) -> None:
        self.put(Mode.BLACK_HOLE)
        late = self.connect()
        late.sendall(b"from a new connection")
        self.client_socket.sendall(b"from an old one")
        self.assert_silent(late)
        self.assert_silent(self.client_socket)
        self.assertTrue(Echo.heard.empty())
        self.switchboard.heal("a>b")
        self.assertEqual(self.client_socket.recv(100), b"from an old one")
        self.assertEqual(late.recv(100), b"from a new connection")

    def test_a_black_hole_for_requests_keeps_them_from_the_server(self) -> None:
        self.put(Mode.BLACK_HOLE, Ways.TO)
        self.client_socket.sendall(b"request")
        self.assert_silent(self.client_socket)
        self.assertTrue(Echo.heard.empty())
        self.switchboard.heal("a>b")
        self.assertEqual(self.client_socket.recv(100), b"request")

    def test_a_black_hole_for_answers_lets_the_request_have_its_effect(self) -> None:
        self.put(Mode.BLACK_HOLE, Ways.FROM)
        self.client_socket.sendall(b"request")
        self.assertEqual(Echo.heard.get(timeout=PATIENCE), b"request")
        self.assert_silent(self.client_socket)
        self.switchboard.heal("a>b")
        self.assertEqual(self.client_socket.recv(100), b"request")

    def test_a_server_that_hangs_up_is_seen_by_its_client(self) -> None:
        self.client_socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(self.client_socket.recv(100), b"")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
