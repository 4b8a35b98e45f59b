"""The virtual environments: made with uv, kept equal to the pinned requirements, fast when nothing changed.

Standard library only: this runs before anything is installed. uv itself is installed by pip into
`.state/tools`. Every file is checked against the hashes in the requirements, whoever installs it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.progress import stage, tail
from deploy.state import ROOT, StartError, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_PIP = (
    "This Python can install nothing: it has no pip and no venv.\n"
    "Debian, Ubuntu: apt install python3-venv    Fedora, RHEL: dnf install python3-pip\n"
    "or install uv (https://docs.astral.sh/uv/); then run the same command again."
)


@dataclass(frozen=True)
class Venv:
    """One virtual environment and the pinned requirements it holds."""

    label: str
    path: Path
    requirements: tuple[Path, ...]

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.path / ".installed"

    def fingerprint(self) -> str:
        """Return what the stamp says when all is right; its first line is of the environment itself."""
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in self.requirements)).hexdigest()
        return f"{self.path} {sys.version.split()[0]}\n{digest}\n"

    def is_current(self) -> bool:
        """Tell whether it holds exactly what is pinned."""
        return self.stamp.exists() and self.stamp.read_text() == self.fingerprint() and self.works()

    def works(self) -> bool:
        """Tell whether its Python runs; it does not after the system's Python was replaced."""
        try:
            return subprocess.run([self.python, "-c", ""], capture_output=True, check=False).returncode == 0
        except OSError:
            return False


class Installer:
    """Brings virtual environments up to date; its tools and its log are in the state directory."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.tools = state.path / "tools"
        self.log = state.log("install")
        self._uv: str | None = None

    def ensure(self, venv: Venv) -> None:
        """Make the virtual environment, or bring it up to date; nothing to do when its stamp is right.

        :raises StartError: it cannot be; with the end of the installer's output.
        """
        with self._alone():
            if venv.is_current():
                return
            uv = self.uv()
            with stage(venv.label):
                made = venv.stamp.read_text() if venv.stamp.exists() else venv.fingerprint()
                if made.splitlines()[0] != venv.fingerprint().splitlines()[0] or not venv.works():
                    self._make(venv, uv)
                venv.stamp.unlink(missing_ok=True)
                self._install(venv, uv)
                venv.stamp.write_text(venv.fingerprint())

    def uv(self) -> str | None:
        """Return the path of uv, installed if need be; None where there is only pip to go on with."""
        self._uv = self._uv or next((path for path in self._uv_candidates() if Path(path).exists()), None)
        if self._uv is None and _has_pip():
            with stage("uv, the installer"):
                requirements = str(ROOT / "deploy" / "requirements-tools.txt")
                pip = [sys.executable, "-m", "pip", "install", "--target", str(self.tools)]
                if self._run([*pip, "--require-hashes", "-r", requirements]):
                    self._uv = str(self.tools / "bin" / "uv")
        return self._uv

    def _uv_candidates(self) -> list[str]:
        found = shutil.which("uv")
        return [str(self.tools / "bin" / "uv"), *([found] if found else [])]

    def _make(self, venv: Venv, uv: str | None) -> None:
        shutil.rmtree(venv.path, ignore_errors=True)
        if uv and self._run([uv, "venv", "--no-project", "--python", sys.executable, str(venv.path)]):
            return
        if not self._run([sys.executable, "-m", "venv", str(venv.path)]):
            shutil.rmtree(venv.path, ignore_errors=True)
            raise StartError(NO_PIP if not uv else tail(self.log))

    def _install(self, venv: Venv, uv: str | None) -> None:
        files = [str(path) for path in venv.requirements]
        if uv and self._run([uv, "pip", "sync", "--python", str(venv.python), "--require-hashes", *files]):
            return
        # uv does not read pip's configuration; where only that leads to an index, pip gets there.
        named = [part for file in files for part in ("-r", file)]
        pip = [sys.executable, "-m", "pip", "--python", str(venv.python)]
        if not _has_pip():
            pip = [str(venv.python), "-m", "pip"]
        if not self._run([*pip, "install", "--require-hashes", *named]):
            raise StartError(f"{venv.label}: could not be installed.\n{tail(self.log)}")

    def compile(self, source: Path, options: Sequence[str]) -> None:
        """Pin what a requirements-*.in asks for, with hashes, for every Python from 3.11 on.

        :raises StartError: no set of versions fits, or the index cannot be reached.
        """
        uv = self.uv()
        if uv is None:
            raise StartError(NO_PIP)
        # Relative names, and no index: what is written must be the same on every machine.
        name, target = source.relative_to(ROOT), source.with_suffix(".txt").relative_to(ROOT)
        command = [
            uv,
            "pip",
            "compile",
            "--generate-hashes",
            "--no-header",
            "--no-emit-index-url",
            "--universal",
        ]
        with stage(f"{target}"):
            if not self._run([*command, "--python-version", "3.11", "-o", str(target), *options, str(name)]):
                raise StartError(tail(self.log))

    def _run(self, command: Sequence[str]) -> bool:
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(command)}\n".encode())
            log.flush()
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                cwd=ROOT,
                check=False,
            )
        return done.returncode == 0

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.state.path / "install.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _has_pip() -> bool:
    command = [sys.executable, "-m", "pip", "--version"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _environment() -> dict[str, str]:
    """Return the environment for uv and pip, with what it says to pip about an index said to uv too."""
    env = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    for theirs, ours in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")):
        if theirs in env:
            env.setdefault(ours, env[theirs])
    return env
