"""Two small storage back-ends on this machine's own disk, for who has named none (ROADSTEAD_BACKENDS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.state import State

NAME = "backends.toml"
BACKENDS = """\
# Written once; edit it as you like and start again. docs/backends.md says what may be in it.
[backends.fast]
over_provisioning = 20.0

[[backends.fast.pools]]
name = "one"
path = "{root}/fast-one"
create = true

[[backends.fast.pools]]
name = "two"
path = "{root}/fast-two"
create = true

[backends.slow]
over_provisioning = 20.0
copy_rate = 33554432 # bytes per second, so that a copy leaves the disk to others
chunk_size = 1048576

[[backends.slow.pools]]
name = "one"
path = "{root}/slow-one"
create = true
"""


def backends_file(state: State) -> str:
    """Return the path of the file, which is written if it is not there."""
    path = state.path / NAME
    if not path.exists():
        root = state.directory("volumes")
        state.write(NAME, BACKENDS.format(root=root))
    return str(path)
