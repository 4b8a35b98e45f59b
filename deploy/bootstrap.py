"""From a fresh machine to a running command: `python3 -m deploy.bootstrap COMMAND`, of those that the Makefile has.

Needs a Python of 3.11 or later and its standard library. Makes the virtual environments that the command
needs, then becomes `.venv/bin/python -m deploy.<command>`.
"""

from __future__ import annotations

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 -- this file is where an older Python must be told so
    version = sys.version.split()[0]
    sys.exit(f"Roadstead needs Python 3.11 or later; this is {version}. Try: make PYTHON=python3.11")
if sys.platform != "linux":
    sys.exit("Roadstead runs on Linux; on other systems use a container or a virtual machine.")

from deploy import keystone
from deploy.named import identity, unnamed
from deploy.state import ROOT, StartError, State
from deploy.venvs import Installer, Venv

COMMANDS = {
    "up": "deploy.up",
    "demo": "deploy.demo",
    "test": "deploy.check",
    "bench": "bench",
    "chaos": "chaos",
    "mutants": "mutants",
    "model": "mutants.model",
}
COMPILED = (
    "requirements",
    "requirements-dev",
    "deploy/requirements-heat",
    "deploy/requirements-keystone",
    "deploy/requirements-clients",
)


def main(command: str, arguments: list[str]) -> None:
    """Install what the command needs and become it.

    :raises StartError: something cannot be installed.
    """
    os.chdir(ROOT)
    installer = Installer(State())
    if command == "compile":
        for name in (*COMPILED, "deploy/requirements-tools"):
            installer.compile(ROOT / f"{name}.in", arguments)
        return
    for venv in _venvs(command):
        installer.ensure(venv)
    if command in COMMANDS:
        python = str(ROOT / ".venv" / "bin" / "python")
        os.execv(python, [python, "-m", COMMANDS[command], *arguments])


def _venvs(command: str) -> list[Venv]:
    pinned = [ROOT / "requirements.txt"]
    # A tree that has the developers' tools keeps them when it only goes `up`.
    if command in {"test", "mutants"} or (ROOT / ".venv" / "bin" / "ruff").exists():
        pinned.append(ROOT / "requirements-dev.txt")
    venvs = [Venv("Roadstead's libraries", ROOT / ".venv", tuple(pinned))]
    if "heat" in unnamed() or command in {"chaos", "test"}:
        venvs.append(
            Venv("Heat's libraries", ROOT / ".venv-heat", (ROOT / "deploy" / "requirements-heat.txt",))
        )
    if command == "test" or (command == "up" and identity() == "keystone"):
        venvs.append(keystone.VENV)
        clients = (ROOT / "deploy" / "requirements-clients.txt",)
        venvs.append(Venv("OpenStack's command line", ROOT / ".venv-clients", clients))
    return venvs


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except StartError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit("\nstopped")
