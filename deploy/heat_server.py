"""A whole Heat in one process: API and engine, its RPC in memory, its state in PostgreSQL.

Runs in Heat's own virtual environment and imports nothing of ours:

    python -I heat_server.py PORT HEAT.CONF ACCESS.LOG PROJECT

Where HEAT.CONF says noauth, anybody who can reach 127.0.0.1:PORT is the user and the project named PROJECT, with the
roles admin, member and reader: this is for one machine, for development and for tests. SIGTERM lets requests in
flight finish and exits; stacks in progress then stay so, as they do when the engines of any Heat die.
"""

# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN202, ANN204, ARG001, ARG005, PLC0415, SLF001
# Untyped, late imports, private members: it lives among Heat's libraries, which are untyped, must be imported after
# their backend is chosen, and offer no other way in.

import concurrent.futures
import contextlib
import functools
import logging
import logging.handlers
import os
import signal
import socket
import sys
import threading
import time
import traceback
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

SOCKET_TIMEOUT = 75  # seconds a connection may stay silent
FINISH = 5  # seconds that requests in flight get after SIGTERM
BODY_LIMIT = 32 * 1024 * 1024
LINE_LIMIT = 64 * 1024


class Handler(BaseHTTPRequestHandler):
    """One connection: HTTP/1.1 with keep-alive around a WSGI application."""

    protocol_version = "HTTP/1.1"
    server_version = "embedded-heat"
    timeout = SOCKET_TIMEOUT
    disable_nagle_algorithm = True
    wbufsize = -1  # one segment for head and body

    def handle_one_request(self):
        """Serve one request and count it while it is in flight."""
        self.raw_requestline = self.rfile.readline(LINE_LIMIT + 1)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if len(self.raw_requestline) > LINE_LIMIT:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
            return
        if self.parse_request():
            with self.server.in_flight:
                self.serve()
        self.wfile.flush()

    def handle(self):
        """Serve the connection until the client leaves or falls silent."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            super().handle()

    def serve(self):
        """Hand the request to the application and send the answer with its length."""
        started = time.monotonic()
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not length.isdecimal() or int(length) > BODY_LIMIT:
            self.close_connection = True
            self.send_error(411)
            return
        answer = {}

        def start_response(status, headers, exc_info=None):
            answer.update(status=status, headers=headers)
            return answer.setdefault("parts", []).append

        result = self.server.application(self.environ(int(length)), start_response)
        try:
            body = b"".join([*answer.get("parts", []), *result])
        finally:
            getattr(result, "close", lambda: None)()
        code, _, phrase = answer["status"].partition(" ")
        self.send_response(int(code), phrase)
        for name, value in answer["headers"]:
            if name.lower() not in {"content-length", "connection"}:
                self.send_header(name, value)
        if int(code) != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and int(code) != HTTPStatus.NO_CONTENT:
            self.wfile.write(body)
        elapsed = (time.monotonic() - started) * 1000
        self.server.access.info("%s %s %s %.1f", self.command, self.path, code, elapsed)

    def environ(self, length):
        """Return the WSGI environment of the request."""
        url = urlsplit(self.path)
        environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(url.path, "latin-1"),
            "QUERY_STRING": url.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(self.rfile.read(length)),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
                environ[f"HTTP_{key}"] = value
        return environ

    def log_message(self, *args):
        """Leave the standard log alone; the access log has its own line."""


class InFlight:
    """Counts what is being served, so that the end can wait for it."""

    def __init__(self):
        self.changed = threading.Condition()
        self.count = 0

    def __enter__(self):
        with self.changed:
            self.count += 1

    def __exit__(self, *args):
        with self.changed:
            self.count -= 1
            self.changed.notify_all()

    def wait(self, seconds):
        """Wait until nothing is being served, at most so long."""
        with self.changed:
            return self.changed.wait_for(lambda: self.count == 0, seconds)


class Bell:
    """Stands in for the module `time` in the in-memory transport: ends its naps when a message comes."""

    time = staticmethod(time.time)

    def __init__(self, exchange):
        self.rung = threading.Condition()
        deliver = exchange.deliver_message

        def deliver_and_ring(*args, **kwargs):
            deliver(*args, **kwargs)
            with self.rung:
                self.rung.notify_all()

        exchange.deliver_message = deliver_and_ring

    def sleep(self, seconds):
        """Nap until a message comes, at most so long."""
        with self.rung:
            self.rung.wait(seconds)


class Server(ThreadingHTTPServer):
    """Listens on the loop-back address only; takes the port at once and requests after `server_activate`."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port, access):
        super().__init__(("127.0.0.1", port), Handler, bind_and_activate=False)
        self.application = None
        self.access = access
        self.in_flight = InFlight()
        self.server_bind()

    def server_bind(self):
        """Bind without the look-up of the machine's name that the base class does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()


def access_log(path):
    """Return the logger of one line a request: time, method, path, status, milliseconds."""
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=20_000_000, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s.%(msecs)03d %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logger = logging.getLogger("access")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def start_heat(conf, project):
    """Bring the database up to date, start the engine, and return the API's WSGI application."""
    # oslo.config reads sys.argv, and would look for /etc/heat otherwise.
    sys.argv = ["heat", "--config-file", conf, "--config-dir", str(Path(conf).parent / "conf.d")]
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)  # before anything of Heat is imported
    import futurist
    from oslo_messaging._drivers import impl_fake

    # Its own pool never uses a thread twice before it has made them all, and each wakes once a second.
    futurist.ThreadPoolExecutor = concurrent.futures.ThreadPoolExecutor
    impl_fake.time = Bell(impl_fake.FakeExchange)  # it would look for messages 20 times a second

    from heat.common import config, messaging, noauth
    from heat.db import migration
    from heat.engine import service, template
    from heat.rpc import api as rpc_api
    from oslo_config import cfg
    from oslo_log import log

    log.register_options(cfg.CONF)
    cfg.CONF(project="heat", prog="heat-api")
    log.setup(cfg.CONF, "heat")
    config.set_config_defaults()
    config.startup_sanity_check()
    migration.db_sync()
    messaging.setup()
    template._get_template_extension_manager()

    identity = {
        "HTTP_X_IDENTITY_STATUS": "Confirmed",
        "HTTP_X_PROJECT_ID": project,
        "HTTP_X_PROJECT_NAME": project,
        "HTTP_X_USER_ID": project,
        "HTTP_X_USER_NAME": project,
        "HTTP_X_ROLES": "admin,member,reader",
        "HTTP_X_SERVICE_CATALOG": {},
        "HTTP_X_AUTH_USER": project,
        "HTTP_X_AUTH_KEY": "unset",
        "HTTP_X_AUTH_URL": "unset",
    }
    # Heat's noauth gives the role admin alone, which Heat's own default policies refuse.
    noauth.NoAuthProtocol._build_user_headers = lambda self, environ: identity
    # It would raise max_overflow to the number of threads, past what PostgreSQL accepts.
    service.EngineService._configure_db_conn_pool_size = lambda self: None
    service.EngineService(cfg.CONF.host, rpc_api.ENGINE_TOPIC).start()
    return config.load_paste_app("heat-api")


def main():
    """Serve until SIGTERM or SIGINT."""
    port, conf, access, project = sys.argv[1:]
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *args: stop.set())
    started = time.monotonic()
    server = Server(int(port), access_log(access))  # a second Heat must not touch the first one's database
    try:
        server.application = start_heat(conf, project)
        server.server_activate()
    except BaseException:  # noqa: BLE001 - said in full, then the end
        traceback.print_exc()
        os._exit(1)  # what has started already would keep the process
    threading.Thread(target=functools.partial(server.serve_forever, 0.2), daemon=True).start()
    print(
        f"Heat serves 127.0.0.1:{port} after {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True
    )
    stop.wait()
    server.shutdown()
    server.in_flight.wait(FINISH)
    logging.shutdown()
    os._exit(0)  # the engine's threads would wait for resources in progress


if __name__ == "__main__":
    main()
