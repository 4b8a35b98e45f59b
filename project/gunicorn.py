"""How gunicorn serves the API of a node: a few processes of a few threads, each process a Node of its own.

Told to stop, they answer all requests for API_DRAIN seconds more, while /healthz says 503 and each answer closes its
connection: so long a load balancer has to send its requests elsewhere. Then the door is shut.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import uuid
from typing import Any

worker_class = "project.worker.Worker"
workers = int(os.environ.get("API_PROCESSES", "2"))
threads = int(os.environ.get("API_THREADS", "8"))
timeout = 30
drain = float(os.environ.get("API_DRAIN", "5"))
graceful_timeout = 25  # above ROADSTEAD_CONNECT_WAIT, for which a request may wait for a worker
keepalive = 30
# Objects, then rounds: a request makes some thousand, nearly all of which go by themselves.
GARBAGE = (20_000, 20, 50)
control_socket_disable = True  # it would write to the home directory
sendfile = False  # the kernel would wait for the client, and a thread with it
accesslog = None
loglevel = "warning"
preload_app = False
limit_request_line = 4094  # bytes
limit_request_fields = 100
limit_request_field_size = 8190  # bytes
# What a proxy says is read by api/proxies.py, where BEHIND_PROXY is set: gunicorn would believe every local client.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - gunicorn's heartbeat file


def when_ready(server: Any) -> None:
    """Have SIGTERM drain first; a second one stops at once."""
    stop = server.handle_term

    def begin() -> None:
        server.handle_term = stop
        server.kill_workers(signal.SIGWINCH)
        timer = threading.Timer(drain, os.kill, [os.getpid(), signal.SIGTERM])
        timer.daemon = True
        timer.start()

    if drain:
        server.handle_term = begin


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's hook
    """Have the process die with its parent: a frozen one would else keep the port from the next."""
    from celery.platforms import set_pdeathsig  # type: ignore[attr-defined]  # noqa: PLC0415 - the stubs lack it

    set_pdeathsig("SIGKILL")


def post_worker_init(worker: Any) -> None:
    """Register the process as a Node and keep it registered; SIGWINCH says that it drains."""
    from api.events import hub  # noqa: PLC0415 - Django is set up by now
    from lifecycle import local  # noqa: PLC0415
    from lifecycle.models import Node  # noqa: PLC0415
    from workers.heartbeat import Heartbeat  # noqa: PLC0415

    local.node_id = uuid.uuid4()  # the environment's id is shared by all processes of this API
    local.peers = worker.cfg.workers
    worker.heartbeat = Heartbeat(Node.Kind.API, peers=worker.cfg.workers)
    worker.heartbeat.start()

    def begin_drain(*_: object) -> None:
        local.drain()
        hub.look_up()
        worker.max_keepalived = 0  # not cfg.keepalive: connections that were promised to be kept would be cut

    stop: Any = signal.getsignal(signal.SIGTERM)

    def begin_end(*told: Any) -> None:
        local.drain()  # without a drain before it: who waits for an operation would be waited for, and then cut off
        stop(*told)

    signal.signal(signal.SIGWINCH, begin_drain)
    signal.signal(signal.SIGTERM, begin_end)
    gc.collect()
    gc.freeze()  # what has been imported by now stays: to look through it all again holds up whoever asks meanwhile
    gc.set_threshold(*GARBAGE)


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's hook
    """Ring what is still to be rung, and say goodbye, so that the node shows as stopped and not as lost."""
    from api.events import hub  # noqa: PLC0415 - Django is set up by now
    from workers import bell  # noqa: PLC0415

    hub.end()
    bell.ringer.flush()
    if hasattr(worker, "heartbeat"):
        worker.heartbeat.end()
