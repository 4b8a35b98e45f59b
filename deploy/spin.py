"""The model checker Spin: found, or installed where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess

from deploy.state import StartError

PACKAGES = ("spin", "gcc", "libc6-dev")


def is_there() -> bool:
    """Tell whether Spin and the compiler that it needs are installed."""
    return all(shutil.which(program) for program in ("spin", "gcc"))


def require_spin() -> None:
    """Install Spin where that is possible and it is missing.

    :raises StartError: it is missing and cannot be installed; says what to do.
    """
    if is_there():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "-y", "-q", *PACKAGES]
        subprocess.run(
            install,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
    if not is_there():
        raise StartError(f"The model checker is missing. Debian, Ubuntu: apt install {' '.join(PACKAGES)}")
