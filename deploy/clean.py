"""`make clean`: remove the state directory, with the data of the embedded servers. Standard library only."""

from __future__ import annotations

import shutil
import sys

from deploy.account import remove_home
from deploy.state import DEFAULT, VALUES, StartError, State


def main() -> None:
    """Remove it with all that lie below it, those of `make test`, `make chaos` and others, unless something runs.

    :raises StartError: something does.
    """
    below = [file.parent for file in DEFAULT.rglob(VALUES)]
    for path in sorted({DEFAULT, *below}, key=lambda path: len(path.parts), reverse=True):
        if path.exists():
            state = State(path)
            with state.lock("make clean"):
                remove_home(state)
                shutil.rmtree(path)


if __name__ == "__main__":
    try:
        main()
    except StartError as error:
        sys.exit(str(error))
