"""A client of the load insists on an answer under one key, goes to the next node, and records all of it."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from django.test import SimpleTestCase

from chaos import asking
from chaos.client import Client
from chaos.history import Call, History, read_calls
from chaos.tenants import Tenant

ME = Tenant("one", "secret", "one")
VOLUME = {"id": "v", "status": "creating", "size": 1, "name": "n", "metadata": {}}
Answer = tuple[int, Any]


class Node:
    """An API that answers as it is told: `script` holds what comes next; None breaks the connection off."""

    def __init__(self) -> None:
        self.script: list[Answer | None] = []
        self.heard: list[dict[str, str]] = []
        self.logins = 0
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            log_message: ClassVar[Callable[..., None]] = lambda *_: None

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path.endswith("/auth/tokens"):
                    node.logins += 1
                    self.tell(201, {}, {"X-Subject-Token": f"token {node.logins}"})
                else:
                    node.heard.append(dict(self.headers.items()))
                    come = node.script.pop(0)
                    if come is None:
                        self.close_connection = True
                    else:
                        self.tell(*come, {"ETag": '"1-2"'})

            do_GET = do_DELETE = do_PUT = do_POST  # noqa: N815 - the server's names

            def tell(self, status: int, body: Any, headers: dict[str, str]) -> None:
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class ClientTests(SimpleTestCase):
    def setUp(self):
        self.nodes = [Node(), Node()]
        for node in self.nodes:
            self.addCleanup(node.stop)
        self.path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "history.jsonl"
        history = self.enterContext(History(self.path))
        self.stopped = threading.Event()
        self.client_ = Client(0, [node.url for node in self.nodes], history, 1, self.stopped)
        self.addCleanup(self.client_.close)

    @property
    def calls(self) -> list[Call]:
        return read_calls(self.path)

    def heard(self, header: str) -> list[str | None]:
        return [each.get(header) for node in self.nodes for each in node.heard]

    def test_a_create_whose_answer_is_lost_is_sent_to_the_next_node_under_the_same_key(self):
        self.nodes[0].script = [None]
        self.nodes[1].script = [(503, {"x": {"message": "not now"}})]
        self.nodes[0].script += [(202, {"volume": VOLUME})]
        call = self.client_.insist(ME, asking.create_volume("n", 1))
        self.assertEqual((call.status, call.resource), (202, "v"))
        self.assertEqual([each.status for each in self.calls], [None, 503, 202])
        self.assertEqual([each.unknown for each in self.calls], [True, True, False])
        self.assertEqual(len(set(self.heard("Idempotency-Key"))), 1)
        ids = {each.args["request_id"] for each in self.calls}
        self.assertEqual((len(ids), set(self.heard("X-OpenStack-Request-ID"))), (3, ids))

    def test_it_asks_again_while_another_sending_under_the_key_is_under_way(self):
        under_way = {"conflictingRequest": {"message": "A request with this Idempotency-Key is under way."}}
        self.nodes[0].script = [(409, under_way), (409, {"conflictingRequest": {"message": "no"}})]
        self.assertEqual(self.client_.insist(ME, asking.extend("v", 2)).error, "no")
        self.assertEqual(len(self.calls), 2)

    def test_it_logs_in_again_when_its_token_is_refused(self):
        self.nodes[0].script = [(401, {"error": {"message": "who?"}}), (200, {"volume": VOLUME})]
        call = self.client_.ask(ME, asking.show_volume("v"))
        self.assertEqual((call.status, (call.answer or {})["etag"]), (200, '"1-2"'))
        self.assertEqual((self.nodes[0].logins, self.heard("X-Auth-Token")), (2, ["token 1", "token 2"]))

    def test_what_is_no_answer_leaves_the_outcome_unknown(self):
        self.nodes[0].script = [(202, b"<html>it works</html>")]
        call = self.client_.ask(ME, asking.create_volume("n", 1), "key")
        self.assertTrue(call.unknown)
        self.assertIn("not an answer", call.error)

    def test_what_cannot_be_asked_for_want_of_a_login_is_no_call(self):
        for node in self.nodes:
            node.stop()
        self.assertTrue(self.client_.ask(ME, asking.show_volume("v")).unknown)
        self.assertEqual(self.calls, [])

    def test_a_change_says_what_it_has_seen(self):
        self.nodes[0].script = [(412, {"preconditionFailed": {"message": "changed"}})]
        call = self.client_.ask(ME, asking.update_volume("v", {"name": "x"}, '"1-2"'))
        self.assertEqual(
            (call.status, call.args["if_match"], self.heard("If-Match")), (412, '"1-2"', ['"1-2"'])
        )
