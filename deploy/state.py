"""The state directory: what must survive a restart, for one `make up` (or one test run) at a time.

`values.json` keeps ports and made-up secrets. Files are written whole or not at all and only their owner can
read them. The directory itself may be entered, not listed, by others when root owns it, because the embedded
PostgreSQL then runs as another user (see `deploy/account.py`).
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import random
import secrets
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ROOT / ".state"
PORTS = range(20000, 32000)  # below what Linux hands out to outgoing connections
VALUES = "values.json"
LOG_LIMIT = 20_000_000


class StartError(Exception):
    """Something could not be started; the message says what, and what to do about it."""


class State:
    """The state directory at `path`, made when it is missing.

    :raises StartError: it belongs to another user.
    """

    def __init__(self, path: Path = DEFAULT) -> None:
        self.path = path.resolve()
        self.path.mkdir(parents=True, exist_ok=True)
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise StartError(
                f"{self.path} belongs to {_user(owner)}, and you are {_user(os.geteuid())}: "
                f"go on as {_user(owner)}, or let them run `make clean` first."
            )
        self.path.chmod(0o711 if owner == 0 else 0o700)

    def directory(self, name: str) -> Path:
        """Return a private directory below the state directory, made when it is missing."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        """Return the log file of that name; a large one from earlier runs is set aside first."""
        path = self.directory("log") / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return path

    def write(self, name: str, text: str) -> Path:
        """Write a file that only its owner can read, whole or not at all."""
        path = self.path / name
        draft = path.with_name(f"{path.name}.{os.getpid()}.new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        draft.replace(path)
        return path

    def secret(self, name: str, size: int = 18) -> str:
        """Return the secret of that name, made up of so many random bytes at the first call."""
        key = f"secret {name}"
        if (value := self._load().get(key)) is None:
            value = secrets.token_hex(size)
            self.keep(key, value)
        return value

    def port(self, name: str, prefer: int | None = None) -> int:
        """Return the port of that name: what it had if that is free, else the preferred one, else any free.

        To be asked before the server that will listen there starts.
        """
        values = self._load()
        taken = {
            int(port) for key, port in values.items() if key.startswith("port ") and key != f"port {name}"
        }
        kept = values.get(f"port {name}")
        wanted = [int(kept)] if kept else []
        wanted += [prefer] if prefer is not None else []
        wanted += random.sample(PORTS, 200)
        for port in wanted:
            if port not in taken and is_free(port):
                self.keep(f"port {name}", str(port))
                return port
        raise StartError("No free TCP port on 127.0.0.1.")

    def keep(self, key: str, value: str) -> None:
        """Remember a value."""
        values = self._load()
        if values.get(key) != value:
            self.write(VALUES, json.dumps({**values, key: value}, indent=1, sort_keys=True) + "\n")

    @contextmanager
    def lock(self, purpose: str) -> Iterator[None]:
        """Hold the state directory for this process; the kernel gives it back when the process ends.

        :raises StartError: another process holds it.
        """
        with (self.path / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise StartError(
                    f"Already in use: {file.read().strip() or 'another process'} runs from {self.path}.\n"
                    "Stop that first (Ctrl-C where it runs, or kill its pid)."
                ) from None
            file.truncate(0)
            file.write(f"{purpose} (pid {os.getpid()})")
            file.flush()
            yield

    def _load(self) -> dict[str, str]:
        path = self.path / VALUES
        if not path.exists():
            return {}
        values: dict[str, str] = json.loads(path.read_text())
        return values


def is_free(port: int) -> bool:
    """Tell whether nothing listens on 127.0.0.1:port and nobody may object to our doing so."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
