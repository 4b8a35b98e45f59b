"""Whom the embedded PostgreSQL runs as, and a home for its files that this user can reach.

PostgreSQL refuses to run as root. An ordinary user runs it as himself, with everything below the state
directory. Root runs it as `nobody`, who must be able to enter every directory on the way to the data. We
never loosen the mode of a directory that is not ours (a 0700 home stays 0700). Instead `nobody` tries: where
he cannot enter the state directory, the home is `/var/lib/roadstead-<hash of the state directory's path>`,
and `postgres` in the state directory is a link to it, by which `make clean` finds it. /var/lib, unlike /tmp,
is writable for root alone.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from deploy.state import StartError, State

ELSEWHERE = Path("/var/lib")
OWNER = "belongs-to"  # a file in a home elsewhere: the state directory that made it

User = tuple[int, int]


def account() -> User | None:
    """Return the uid and gid to run PostgreSQL as; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise StartError(
            "PostgreSQL cannot run as root, and there is no user `nobody`: run as another user."
        ) from None
    return nobody.pw_uid, nobody.pw_gid


def home(state: State) -> Path:
    """Return the directory for PostgreSQL's files, made when it is missing."""
    user, place = account(), state.path / "postgres"
    if user is not None and not place.is_symlink() and not can_enter(state.path, user):
        if place.exists():
            raise StartError(f"{place} can no longer be entered by `nobody`: give its parents o+x again.")
        place.symlink_to(_elsewhere(state))
    if not place.is_symlink():
        place.mkdir(exist_ok=True)
        place.chmod(0o755 if user else 0o700)
    return place.resolve()


def can_enter(path: Path, user: User) -> bool:
    """Ask the kernel, in that user's name, whether the directory can be entered."""
    command = ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(path)]
    done = subprocess.run(
        command, user=user[0], group=user[1], extra_groups=[], capture_output=True, check=False
    )
    return done.returncode == 0


def can_run(program: Path, user: User) -> bool:
    """Ask the kernel, in that user's name, whether the program and its libraries can be run."""
    try:
        done = subprocess.run(
            [program, "--version"],
            user=user[0],
            group=user[1],
            extra_groups=[],
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def remove_home(state: State) -> None:
    """Remove a home that stands elsewhere; the one in the state directory goes with that."""
    place = state.path / "postgres"
    if place.is_symlink():
        target = place.resolve()
        if (target / OWNER).is_file() and target.parent == ELSEWHERE.resolve():
            shutil.rmtree(target)
        place.unlink()


def _elsewhere(state: State) -> Path:
    path = ELSEWHERE / f"roadstead-{hashlib.sha256(str(state.path).encode()).hexdigest()[:12]}"
    if path.exists():
        # Left over from a state directory that was removed by hand, its password with it.
        if not (path / OWNER).is_file() or (path / OWNER).read_text() != f"{state.path}\n":
            raise StartError(f"{path} is in the way: move it or remove it.")
        shutil.rmtree(path)
    path.mkdir()
    path.chmod(0o755)
    (path / OWNER).write_text(f"{state.path}\n")
    return path
