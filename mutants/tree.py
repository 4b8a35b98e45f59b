"""A copy of the working tree, in which a bug is planted and taken out again. The tree itself is never written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mutants.catalogue import Mutant, Rotten

LINKED = (".venv", ".venv-heat", ".venv-keystone", ".venv-clients")
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__")


class Tree:
    """A copy below `path`, made of what git knows, uncommitted changes and new files included."""

    def __init__(self, path: Path, source: Path) -> None:
        self.path = path
        _copy(source, path)
        for name in LINKED:
            if (source / name).exists():
                (path / name).symlink_to(source / name)
        # By content: a planted text may have the size and the second of the one that it replaces.
        compiled = [
            sys.executable,
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "checked-hash",
            "-x",
            r"/\.venv",
            ".",
        ]
        subprocess.run(compiled, cwd=path, check=True)

    @contextmanager
    def planted(self, mutant: Mutant) -> Iterator[None]:
        """Have the bug in the copy for the length of the block.

        :raises Rotten: a text is not there exactly once.
        """
        before = {
            edit.file: (self.path / edit.file).read_text() for edit in mutant.edits if self._has(edit.file)
        }
        try:
            for name, text in changed(mutant, before).items():
                (self.path / name).write_text(text)
            yield
        finally:
            for name, text in before.items():
                (self.path / name).write_text(text)

    def _has(self, name: str) -> bool:
        return (self.path / name).is_file()


def changed(mutant: Mutant, before: dict[str, str]) -> dict[str, str]:
    """Return the texts of the files with the bug in them.

    :raises Rotten: a file is missing, or a text is not in it exactly once.
    """
    after = dict(before)
    for edit in mutant.edits:
        if edit.file not in after:
            raise Rotten(f"{mutant.name}: there is no {edit.file}.")
        found = after[edit.file].count(edit.old)
        if found != 1:
            raise Rotten(f"{mutant.name}: this text is {found} times in {edit.file}, not once:\n{edit.old}")
        after[edit.file] = after[edit.file].replace(edit.old, edit.new)
    if after == before:
        raise Rotten(f"{mutant.name} changes nothing.")
    return after


def _copy(source: Path, path: Path) -> None:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=source, capture_output=True, text=True, check=False)
    if listed.returncode != 0:  # a tree that was unpacked, not cloned
        shutil.copytree(source, path, ignore=LEFT_OUT, dirs_exist_ok=True)
        return
    for name in listed.stdout.split("\0"):
        if name and (source / name).is_file():
            target = path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target)
