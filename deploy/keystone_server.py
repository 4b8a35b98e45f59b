"""A whole Keystone: its schema, its keys, its first admin and its API, state in PostgreSQL.

Runs in Keystone's own virtual environment and imports nothing of ours:

    OS_BOOTSTRAP_PASSWORD=... python -I keystone_server.py PORT KEYSTONE.CONF ACCESS.LOG REGION

It serves 127.0.0.1:PORT from one process that takes one request at a time: Keystone keeps the token of a request on an
object that all threads share, so that threads hand each other's out; and its cache, which is in memory, then never
tells what another process has changed. SIGTERM lets the request in flight finish and exits.
"""

# ruff: noqa: ANN001, ANN201, ANN204, ARG005, PLC0415
# Untyped, late imports: it lives among Keystone's libraries, which are untyped and read their configuration first.

import ctypes
import os
import signal
import sys

from gunicorn.app.base import BaseApplication

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
ADMIN = "admin"
KEYS = 3  # Fernet keys that are kept
TIMEOUT = 60  # seconds that one request may take
FINISH = 5  # seconds that the request in flight gets after SIGTERM


class Server(BaseApplication):
    """Gunicorn with one synchronous worker, which ends every connection with its answer: nobody holds it."""

    def __init__(self, port, conf, access, region):
        self.port, self.conf, self.access, self.region = port, conf, access, region
        super().__init__()

    def load_config(self):
        """Tell Gunicorn all that it would read from a file."""
        told = {
            "bind": f"127.0.0.1:{self.port}",
            "workers": 1,
            "worker_class": "sync",
            "backlog": 512,
            "timeout": TIMEOUT,
            "graceful_timeout": FINISH,
            "accesslog": self.access,
            "access_log_format": "%(t)s %(m)s %(U)s %(s)s %(M)s",
            "post_fork": lambda server, worker: die_with_parent(),  # else a killed one would serve on
            "proc_name": "embedded-keystone",
            "control_socket_disable": True,
        }
        for name, value in told.items():
            self.cfg.set(name, value)

    def load(self):
        """Bring the database up to date, make sure of keys and admin, and return the WSGI application.

        What `keystone-manage` does with db_sync, fernet_setup, credential_setup and bootstrap, in one process: each of
        them would load all of Keystone anew, for seconds.
        """
        import keystone.server
        from keystone.cmd.bootstrap import Bootstrapper
        from keystone.common import fernet_utils
        from keystone.common.sql import upgrades
        from keystone.conf import CONF
        from keystone.server.flask import application, core

        keystone.server.configure(config_files=[self.conf])
        for group in ("fernet_tokens", "fernet_receipts", "credential"):
            keys = fernet_utils.FernetUtils(CONF[group].key_repository, KEYS, group)
            keys.create_key_directory()
            keys.initialize_key_repository()
        upgrades.offline_sync_database_to_version()
        first = Bootstrapper()  # it loads the back-ends, which can be done once only
        first.admin_username = first.project_name = first.admin_role_name = ADMIN
        first.admin_password = os.environ["OS_BOOTSTRAP_PASSWORD"]
        first.service_name = "keystone"
        first.public_url = first.internal_url = first.admin_url = f"http://127.0.0.1:{self.port}/v3"
        first.region_id = self.region
        first.bootstrap()
        return core.setup_app_middleware(application.application_factory("public"))


def die_with_parent():
    """Have the kernel kill this process when its parent dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.argv[1:] = []  # oslo.config and Gunicorn would read them
    Server(*arguments).run()
