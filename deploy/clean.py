"""`make clean`: remove the state directory, with the data of the embedded servers. Standard library only."""

from __future__ import annotations

import shutil
import sys

from deploy.account import remove_home
from deploy.state import DEFAULT, StartError, State


def main() -> None:
    """Remove it, unless something runs from it.

    :raises StartError: something does.
    """
    for path in (DEFAULT / "test", DEFAULT):
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
