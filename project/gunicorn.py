"""How gunicorn serves the API of a node: a few processes of a few threads, each process a Node of its own."""

from __future__ import annotations

import os
import uuid
from typing import Any

worker_class = "gthread"
workers = int(os.environ.get("API_PROCESSES", "2"))
threads = int(os.environ.get("API_THREADS", "8"))
timeout = 30
graceful_timeout = 15
keepalive = 30
control_socket_disable = True  # it would write to the home directory
accesslog = None
loglevel = "warning"
preload_app = False
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112 - gunicorn's heartbeat file


def post_worker_init(worker: Any) -> None:
    """Register the process as a Node and keep it registered."""
    from lifecycle import local  # noqa: PLC0415 - Django is set up by now
    from lifecycle.models import Node  # noqa: PLC0415
    from workers.heartbeat import Heartbeat  # noqa: PLC0415

    local.node_id = uuid.uuid4()  # the environment's id is shared by all processes of this API
    worker.heartbeat = Heartbeat(Node.Kind.API)
    worker.heartbeat.start()


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's hook
    """Say goodbye, so that the node shows as stopped and not as lost."""
    if hasattr(worker, "heartbeat"):
        worker.heartbeat.end()
