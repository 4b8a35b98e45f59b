"""Where RabbitMQ's programs are, and how they come there: Debian's package, installed by root or unpacked.

Root has apt install it, without its service being started. An ordinary user has apt download the packages that this
machine lacks and unpacks them below the state directory; nothing outside that is touched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.progress import stage
from deploy.state import StartError, State

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "rabbitmq-server"
INSTALLED = Path("/usr/lib/rabbitmq/bin")
ERLANG = Path("usr/lib/erlang")
POLICY = Path("/usr/sbin/policy-rc.d")
NOTHING_STARTS = "#!/bin/sh\nexit 101\n"  # "action forbidden by policy", to all of Debian's service tools
APT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


@dataclass(frozen=True)
class Programs:
    """What can be run, and the variables that it needs for that."""

    server: Path
    ctl: Path
    epmd: Path
    env: dict[str, str | None] = field(default_factory=dict)


def programs(state: State) -> Programs:
    """Return RabbitMQ's programs, after having them installed where they are missing.

    :raises StartError: they cannot be had here; the message says what to install.
    """
    if found := _installed():
        return found
    below = state.path / "rabbitmq-programs"
    if below.exists():
        return _unpacked(below)
    if shutil.which("apt-get") is None:
        raise StartError(f"RabbitMQ is not installed: install it ({PACKAGE}), or set BROKER_URL.")
    if os.geteuid() == 0:
        with stage("RabbitMQ's package"):
            _install()
    else:
        with stage("RabbitMQ's packages, unpacked"):
            _unpack(below)
        return _unpacked(below)
    if (found := _installed()) is None:
        raise StartError(f"{PACKAGE} was installed, but {INSTALLED} is not there: set BROKER_URL instead.")
    return found


def _installed() -> Programs | None:
    server, epmd = INSTALLED / "rabbitmq-server", shutil.which("epmd")
    if not server.exists() or epmd is None:
        return None
    scripts = server.resolve().parent  # past Debian's wrapper, which wants to be root or its own user
    return Programs(scripts / "rabbitmq-server", scripts / "rabbitmqctl", Path(epmd))


def _install() -> None:
    with _no_service_starts():
        done = _apt("install", "--yes", "--no-install-recommends", PACKAGE)
        if done.returncode != 0:  # the lists may be missing or old
            _apt("update")
            done = _apt("install", "--yes", "--no-install-recommends", PACKAGE)
    if done.returncode != 0:
        raise StartError(
            f"apt could not install {PACKAGE}; install it by hand, or set BROKER_URL:\n{done.stderr}"
        )


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """Have packages that are installed in this block not start their services."""
    if POLICY.exists():  # somebody's own, with its own reasons
        yield
        return
    POLICY.write_text(NOTHING_STARTS)
    try:
        POLICY.chmod(0o755)
        yield
    finally:
        POLICY.unlink()


def _unpack(target: Path) -> None:
    simulated = _apt("--simulate", "--no-install-recommends", "install", PACKAGE)
    missing = [line.split()[1] for line in simulated.stdout.splitlines() if line.startswith("Inst ")]
    if simulated.returncode != 0 or not missing:
        raise StartError(
            f"apt knows no way to RabbitMQ; ask for `apt-get install {PACKAGE}`, or set BROKER_URL:\n"
            f"{simulated.stderr}"
        )
    draft = target.with_name(f"{target.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    archives = draft / "archives"
    archives.mkdir(parents=True)
    done = _apt("download", *missing, cwd=archives)
    if done.returncode != 0:
        raise StartError(
            f"apt could not download {PACKAGE}; ask for `apt-get install {PACKAGE}`, or set BROKER_URL:\n"
            f"{done.stderr}"
        )
    for archive in sorted(archives.glob("*.deb")):
        subprocess.run(["dpkg", "--extract", str(archive), str(draft)], check=True, capture_output=True)
    shutil.rmtree(archives)
    starter = draft / ERLANG / "bin" / "erl"
    starter.write_text(re.sub(rf'ROOTDIR="?/{ERLANG}"?', f'ROOTDIR="{target / ERLANG}"', starter.read_text()))
    draft.rename(target)  # whole or not at all


def _unpacked(root: Path) -> Programs:
    scripts = next((root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
    (epmd,) = (root / ERLANG).glob("erts-*/bin/epmd")
    libraries = ":".join(
        str(path) for path in (*(root / "usr/lib").glob("*-linux-gnu*"), *(root / "lib").glob("*-linux-gnu*"))
    )
    path = f"{root / ERLANG / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    return Programs(
        scripts / "rabbitmq-server",
        scripts / "rabbitmqctl",
        epmd,
        {"PATH": path, "LD_LIBRARY_PATH": libraries or None},
    )


def _apt(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "--quiet", *arguments],
        env={**os.environ, **APT},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
