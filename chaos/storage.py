"""The storage of a run: two back-ends in plain directories, which faults take away and fill up.

`fast` has two pools, `slow` one, with a rate so low that copies last. As root the second pool of `fast` is a small file
system of its own in memory, which can be full; for others nothing is ever full.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
SMALL = 256 * MIB  # of the file system that can be full
FILE = """\
[backends.fast]
over_provisioning = 100000.0
chunk_size = 1048576
copy_rate = 16777216

[[backends.fast.pools]]
name = "one"
path = "{root}/fast-one"

[[backends.fast.pools]]
name = "two"
path = "{root}/small/fast-two"

[backends.slow]
over_provisioning = 100000.0
chunk_size = 131072
copy_rate = 4194304

[[backends.slow.pools]]
name = "one"
path = "{root}/slow-one"
"""
POOLS = ("fast-one", "small/fast-two", "slow-one")


@dataclass(frozen=True)
class Storage:
    """Where the pools are."""

    root: Path
    can_be_full: bool  # the file system at root/small is one of its own

    @property
    def file(self) -> Path:
        return self.root / "backends.toml"

    @property
    def pools(self) -> list[Path]:
        return [self.root / name for name in POOLS]

    def away(self, pool: Path) -> Path:
        return pool.with_name(f"{pool.name}.away")

    def take(self, pool: Path) -> None:
        """Have the directory gone."""
        pool.rename(self.away(pool))

    def give_back(self, pool: Path) -> None:
        if self.away(pool).exists():
            self.away(pool).rename(pool)

    def fill(self) -> None:
        """Leave no room in the small file system."""
        with (self.root / "small" / "ballast").open("wb") as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(MIB))
                ballast.flush()

    def drain(self) -> None:
        (self.root / "small" / "ballast").unlink(missing_ok=True)

    def scribble(self, volume: object, rng: random.Random, size: int) -> bool:
        """Write random bytes into a volume, as the server does that has it; False where there is none."""
        for pool in self.pools:
            with suppress(FileNotFoundError), (pool / "volumes" / str(volume)).open("r+b") as file:
                end = os.fstat(file.fileno()).st_size
                with suppress(OSError):  # full
                    file.seek(rng.randrange(max(1, end - size)) // 4096 * 4096)
                    file.write(rng.randbytes(size))
                return True
        return False


@contextmanager
def storage(root: Path) -> Iterator[Storage]:
    """Lend empty back-ends below a directory."""
    small = root / "small"
    if small.is_mount():  # left by a run that was killed
        subprocess.run(["umount", "--lazy", str(small)], check=True, capture_output=True)
    shutil.rmtree(root, ignore_errors=True)
    small.mkdir(parents=True)
    mounted = _mount(small)
    try:
        found = Storage(root, mounted)
        for pool in found.pools:
            for name in ("volumes", "fences"):
                (pool / name).mkdir(parents=True)
            (pool / ".roadstead-pool").touch()
        found.file.write_text(FILE.format(root=root))
        yield found
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(small)], check=True, capture_output=True)


def _mount(path: Path) -> bool:
    """Mount a small file system in memory there; tell whether that could be done."""
    if os.geteuid() != 0:
        return False
    options = f"size={SMALL},mode=700"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "chaos", str(path)], check=False, capture_output=True
    )
    return done.returncode == 0
