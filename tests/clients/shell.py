"""A client that stays open and is typed into: what users get who run `openstack` without a command.

It starts and logs in once, so that a command costs what its requests cost. Its exit status is not seen, and it takes
no words with spaces in them.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Self


class Shell:
    """One process, from the first line to the end of the block."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], patience: float) -> None:
        self._argv = argv
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}
        self._patience = patience
        self._ends = (f"end-of-answer-{number}" for number in itertools.count())

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._argv,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError), self._process:
            pass  # its standard input is closed, which ends it, unless it has ended

    def type(self, line: str) -> str:
        """Type the line and return what is printed, complaints included.

        :raises EOFError: the process has ended, or was ended because it did not answer in time.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        end = next(self._ends)
        self._process.stdin.write(f"{line}\n!echo {end}\n")
        self._process.stdin.flush()
        said: list[str] = []
        late = threading.Timer(self._patience, self._process.kill)
        late.start()
        try:
            while (read := self._process.stdout.readline()) != f"{end}\n":
                if not read:
                    raise EOFError(f"no answer to {line!r}; so far:\n{''.join(said)}")
                said.append(read)
        finally:
            late.cancel()
        return "".join(said).strip()
