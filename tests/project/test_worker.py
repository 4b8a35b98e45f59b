"""Clients that are slow on purpose, and those that are odd but right."""

from __future__ import annotations

import http.client
import json
import os
import selectors
import socket
import time
from concurrent.futures import Future
from unittest import TestCase, mock

from django.conf import settings
from gunicorn.config import Config

from project import worker
from project.buffered import BufferedSocket
from tests.project.apis import PATIENCE, ApiCase

GET = b"GET /volume/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
LONG = b"GET /volume/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"  # a quarter of a megabyte
MANY = 30  # answers, of which no system keeps all
ANSWER = b"x" * 2**22  # more than a system keeps
LOGIN = json.dumps({"auth": {"identity": {"methods": ["password"]}}}).encode()


def post(body: bytes, *more: bytes) -> bytes:
    lines = [b"POST /identity/v3/auth/tokens HTTP/1.1", b"Host: localhost", b"Content-Type: application/json"]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), *more, b"", body])


def answer(made: socket.socket) -> int:
    """Return the status of the answer that comes next on a connection."""
    response = http.client.HTTPResponse(made)
    response.begin()
    response.read()
    return response.status


class SlowTests(ApiCase):
    """Two threads, and many more clients than that which never end what they began."""

    def setUp(self) -> None:
        self.port = self.serve()

    def answers(self) -> None:
        for _ in range(4):
            self.assertEqual(self.status(self.port, "/volume/"), 300)

    def test_clients_that_say_nothing_take_no_thread(self) -> None:
        for _ in range(20):
            self.opened(self.port)
        self.answers()

    def test_heads_and_bodies_that_never_end_take_no_thread(self) -> None:
        for part in (GET[:-1], GET[:10], post(LOGIN)[:-1], post(b"x" * 1000)[:-999], post(LOGIN) + GET[:-1]):
            for _ in range(5):
                self.opened(self.port, part)
        self.answers()

    def test_a_kept_connection_that_goes_on_slowly_takes_none_either(self) -> None:
        for _ in range(5):
            made = self.opened(self.port, GET)
            self.assertEqual(answer(made), 300)
            made.sendall(GET[:-1])
        self.answers()

    def test_a_body_that_is_too_long_or_never_ends_is_refused_at_once(self) -> None:
        for more, status in (
            (b"Content-Length: 99999999", 413),
            (b"Transfer-Encoding: chunked", 411),
        ):
            head = b"POST /volume/v3/volumes HTTP/1.1\r\nHost: localhost\r\n" + more + b"\r\n\r\n"
            self.assertEqual(answer(self.opened(self.port, head, b"5\r\nhello\r\n")), status)

    def test_no_thread_waits_for_the_rest_of_a_body_that_is_not_collected(self) -> None:
        """Whether it is refused unread or Django begins to read it, and whichever path it is for."""
        for path, more in (
            ("/volume/v3/volumes", b"Transfer-Encoding: chunked"),
            ("/identity/v3/auth/tokens", b"Content-Length: 00000000010"),
            ("/healthz", b"Transfer-Encoding: chunked"),
            ("/admin/login/", b"Transfer-Encoding: chunked"),
            ("/admin/login/", b"Content-Length: 2000000"),
        ):
            lines = (b"POST %b HTTP/1.1" % path.encode(), b"Host: localhost", more, b"", b"5\r\nhello\r\n")
            with self.subTest(path, more=more):
                for kind in (b"application/json", b"application/x-www-form-urlencoded"):
                    for _ in range(3):
                        self.opened(
                            self.port, b"\r\n".join([*lines[:2], b"Content-Type: " + kind, *lines[2:]])
                        )
                self.answers()

    def test_clients_that_take_no_answer_take_no_thread(self) -> None:
        for _ in range(5):
            self.narrow(LONG * MANY)
        for _ in range(MANY):  # requests are taken in turn: so far each of the clients got by the end of this
            self.answers()

    def test_an_answer_that_is_taken_slowly_arrives_whole_and_the_next_one_too(self) -> None:
        made = self.narrow(LONG * MANY + GET)
        with made.makefile("rb") as told:
            for _ in range(MANY):
                head = b"".join(iter(told.readline, b"\r\n")).decode("latin-1").lower()
                self.assertIn("http/1.1 200", head)
                (length,) = (line.split(": ")[1] for line in head.splitlines() if "content-length" in line)
                self.assertIn("openapi", json.loads(told.read(int(length))))
            self.assertIn(b" 300 ", told.readline())

    def narrow(self, sent: bytes) -> socket.socket:
        """Return a connection on which this was sent, whose client's own system keeps next to nothing for it."""
        made = socket.socket()
        self.addCleanup(made.close)
        made.settimeout(PATIENCE)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.connect(("127.0.0.1", self.port))
        made.sendall(sent)
        return made

    def test_who_stays_when_all_was_answered_holds_up_nobody(self) -> None:
        for _ in range(30):
            self.opened(self.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        self.answers()

    def test_the_longest_wait_is_not_an_honest_ones(self) -> None:
        """More connections than may wait: those that came first are given up, and whoever comes is answered."""
        for _ in range(300):
            self.opened(self.port, b"GET")
        self.answers()

    def test_a_head_without_end_is_given_up(self) -> None:
        made = self.opened(self.port, b"GET /volume/ HTTP/1.1\r\n")
        try:
            for number in range(10_000):
                made.sendall(b"X-Filler-%d: %s\r\n" % (number, b"x" * 100))
        except OSError:
            return  # it is closed
        self.assertEqual(made.recv(12), b"HTTP/1.1 431")


class HeldTests(ApiCase):
    def test_who_asks_too_much_is_told_so_a_second_later_and_holds_no_thread(self) -> None:
        port = self.serve(ROADSTEAD_RATE_ADDRESS="0.001,1")
        self.assertEqual(self.status(port, "/volume/"), 300)
        began = time.monotonic()
        refused = [self.opened(port, GET) for _ in range(5)]
        self.assertEqual(self.status(port, "/healthz"), 200)
        self.assertEqual({answer(made) for made in refused}, {429})
        self.assertGreaterEqual(time.monotonic() - began, worker.HOLD)
        refused[0].sendall(GET.replace(b"/volume/", b"/healthz"))  # and may go on
        self.assertEqual(answer(refused[0]), 200)


class LoopTests(TestCase):
    """What the loop makes of several connections, of which each process may have four."""

    def setUp(self) -> None:
        config = Config()
        config.set("worker_connections", 4)
        self.loop = worker.Worker(0, os.getpid(), [], None, 30, config, None)
        self.addCleanup(self.loop.tmp.close)
        self.loop.poller = selectors.DefaultSelector()
        self.addCleanup(self.loop.poller.close)

    def owing(
        self, told: bytes = ANSWER, *, is_held: bool = False
    ) -> tuple[worker.Connection, socket.socket]:
        """Return a connection whose client has not taken all of its last answer, and the client's end of it."""
        ours, theirs = socket.socketpair()
        conn = worker.Connection(self.loop.cfg, BufferedSocket.of(ours), "", "")
        self.addCleanup(conn.close)
        self.addCleanup(theirs.close)
        conn.sock.is_held = is_held
        conn.sock.sendall(told)
        self.loop.nr_conns += 1
        answered: Future[bool] = Future()
        answered.set_result(False)
        self.loop.finish_request(conn, answered)
        return conn, theirs

    def test_one_that_is_given_up_for_another_may_just_have_said_something(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        listener.setblocking(False)
        self.loop.poller.register(listener, selectors.EVENT_READ, self.loop.accept)
        first = socket.create_connection(listener.getsockname())
        self.addCleanup(first.close)
        self.loop.wait_for_and_dispatch_events(10)
        then = socket.create_connection(listener.getsockname())
        self.addCleanup(then.close)
        first.sendall(b"G")
        self.loop.wait_for_and_dispatch_events(10)
        self.assertEqual((len(self.loop.pending_conns), self.loop.nr_conns, self.loop.held), (1, 1, 0))
        with self.assertRaises(ConnectionResetError):
            first.recv(1)
        for conn in self.loop.pending_conns:
            conn.close()

    def test_who_takes_its_answer_is_parted_with_at_its_end(self) -> None:
        conn, client = self.owing()
        self.assertEqual((list(self.loop.owing), self.loop.held), ([conn], len(conn.sock.left)))
        self.assertGreater(self.loop.held, 0)
        taken = 0
        while taken < len(ANSWER):
            taken += len(client.recv(len(ANSWER)))
            self.loop.wait_for_and_dispatch_events(0)
        self.assertEqual(client.recv(1), b"")
        self.assertEqual((list(self.loop.owing), list(self.loop.leaving), self.loop.held), ([], [conn], 0))

    def test_who_takes_nothing_is_given_up_in_time(self) -> None:
        conn, client = self.owing()
        self.loop.murder_pending()
        self.assertEqual(list(self.loop.owing), [conn])
        conn.timeout = time.monotonic()
        self.loop.murder_pending()
        self.assertEqual((list(self.loop.owing), self.loop.nr_conns, self.loop.held), ([], 0, 0))
        self.assertLess(sum(map(len, iter(lambda: client.recv(len(ANSWER)), b""))), len(ANSWER))

    def test_who_has_gone_is_forgotten(self) -> None:
        _, client = self.owing()
        client.close()
        self.loop.wait_for_and_dispatch_events(10)
        self.assertEqual((list(self.loop.owing), self.loop.nr_conns, self.loop.held), ([], 0, 0))

    def test_of_too_many_or_too_much_the_one_goes_that_has_taken_nothing_for_longest(self) -> None:
        self.owing()
        then, client = self.owing()
        self.assertEqual((list(self.loop.owing), self.loop.nr_conns), ([then], 1))
        with mock.patch.object(worker, "ALL", len(ANSWER)):
            self.owing()
        self.assertLess(self.loop.held, len(ANSWER))
        self.assertLess(sum(map(len, iter(lambda: client.recv(len(ANSWER)), b""))), len(ANSWER))

    def test_what_is_held_is_handed_out_in_time(self) -> None:
        conn, client = self.owing(b"too much", is_held=True)
        client.setblocking(False)
        self.loop.murder_pending()
        self.loop.wait_for_and_dispatch_events(0)
        with self.assertRaises(BlockingIOError):
            client.recv(1)
        conn.timeout = time.monotonic()
        self.loop.wait_for_and_dispatch_events(60)  # which does not wait longer than until then
        self.loop.murder_pending()
        self.loop.wait_for_and_dispatch_events(60)
        self.assertEqual(client.recv(100), b"too much")
        self.assertEqual((list(self.loop.holding), list(self.loop.leaving), self.loop.held), ([], [conn], 0))

    def test_of_too_many_that_are_held_the_first_is_told(self) -> None:
        first, client = self.owing(b"too much", is_held=True)
        then, _ = self.owing(b"too much", is_held=True)
        self.assertEqual((list(self.loop.owing), list(self.loop.holding)), ([first], [then]))
        self.loop.wait_for_and_dispatch_events(60)
        self.assertEqual(client.recv(100), b"too much")

    def test_nothing_is_held_at_the_end(self) -> None:
        self.loop.alive = False
        conn, _ = self.owing(b"too much", is_held=True)
        self.assertEqual((list(self.loop.owing), list(self.loop.holding)), ([conn], []))

    def test_nobody_takes_a_connection_over_whose_client_has_not_taken_all(self) -> None:
        conn, _ = self.owing()
        with self.assertRaises(BrokenPipeError):
            conn.sock.dup()


class OddTests(ApiCase):
    """What has nothing wrong with it is answered, however it arrives."""

    def setUp(self) -> None:
        self.port = self.serve()

    def test_a_request_in_pieces(self) -> None:
        for whole, status in ((GET, 300), (post(LOGIN), 400)):
            made = self.opened(self.port, *(bytes([byte]) for byte in whole))
            self.assertEqual(answer(made), status)

    def test_several_on_one_connection_one_after_the_other_and_all_at_once(self) -> None:
        made = self.opened(self.port)
        for _ in range(3):
            made.sendall(post(LOGIN))
            self.assertEqual(answer(made), 400)
        made.sendall(GET + post(LOGIN)[:-1])
        self.assertEqual(self._statuses(made, 1), [300])
        made.sendall(post(LOGIN)[-1:] + GET)
        self.assertEqual(self._statuses(made, 2), [400, 300])

    def _statuses(self, made: socket.socket, count: int) -> list[int]:
        """Return the statuses of answers that may come in one piece."""
        said = b""
        while len(found := said.split(b"HTTP/1.1 ")) <= count or not said.endswith((b"}", b"]")):
            said += made.recv(65536)
        return [int(part[:3]) for part in found[1:]]

    def test_one_that_waits_to_be_told_to_go_on(self) -> None:
        whole = post(LOGIN, b"Expect: 100-continue")
        made = self.opened(self.port, whole[: -len(LOGIN)])
        self.assertEqual(made.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
        made.sendall(LOGIN)
        self.assertEqual(answer(made), 400)

    def test_the_longest_body_that_is_read(self) -> None:
        self.assertEqual(worker.BODY, settings.API_BODY_BYTES)
        self.assertEqual(answer(self.opened(self.port, post(b" " * (worker.BODY - len(LOGIN)) + LOGIN))), 400)
        self.assertEqual(answer(self.opened(self.port, post(b" " * worker.BODY + LOGIN)[:2000])), 413)
