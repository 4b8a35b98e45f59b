"""Two directory back-ends in a temporary directory, and workers that are called instead of rung for."""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path
from typing import Any

from django.db.models.functions import Now
from django.test import override_settings

from lifecycle.models import Leased
from sync import invariants, pools
from tests import make
from volumes import storage
from volumes.actions import snapshots, volumes
from volumes.actions.volumes import Wish
from volumes.backends.base import GIB
from volumes.models import Connection, Pool, Snapshot, Volume
from volumes.tasks import advance_connection, advance_snapshot, advance_volume

TASKS: dict[type[Leased], Any] = {
    Volume: advance_volume,
    Snapshot: advance_snapshot,
    Connection: advance_connection,
}
FILE = """
[backends.fast]
over_provisioning = 1.0
{options}
[[backends.fast.pools]]
name = "one"
path = "{root}/fast"
create = true
[backends.slow]
[[backends.slow.pools]]
name = "one"
path = "{root}/slow"
create = true
"""


class Stored:
    """A mixin for test cases: back-ends `fast` and `slow`, both served by this node and reported."""

    options = ""

    def set_up_storage(self, case: Any) -> None:
        self.root = Path(case.enterContext(tempfile.TemporaryDirectory()))
        path = self.root / "backends.toml"
        path.write_text(FILE.format(root=self.root, options=self.options))
        case.enterContext(override_settings(BACKENDS_FILE=str(path), SERVES=["fast", "slow"]))
        make.node()
        make.volume_type()
        pools.seed()
        pools.report()
        Pool.objects.filter(backend="slow").update(
            disabled=True
        )  # placement knows but one, unless a test says so
        self.by = make.caller()

    def file(self, thing: Volume | Snapshot) -> Path:
        return self.root / thing.backend / "volumes" / str(thing.pk)

    def files(self) -> list[str]:
        """Return the names of all that is stored, unfinished writes too."""
        return sorted(each.name for name in ("fast", "slow") for each in storage.backend(name).inventory())

    def parts(self) -> list[str]:
        """Return the names of unfinished writes."""
        found = (each for name in ("fast", "slow") for each in storage.backend(name).inventory())
        return [each.name for each in found if each.partial]

    def work(self, row: Any, *, times: int = 50) -> Any:
        """Take the row's steps until it is at rest or gone; return it as it is then, or None."""
        model = type(row)
        for _ in range(times):
            found = model.objects.filter(pk=row.pk).first()
            if found is None or found.status not in model.machine.busy:
                return found
            model.objects.filter(pk=row.pk, holder=None).update(not_before=Now())
            TASKS[model](pk=str(row.pk))
        return model.objects.filter(pk=row.pk).first()

    def create(self, size: int | None = 1, **wish: Any) -> Any:
        return self.work(volumes.create(self.by, "", Wish(size=size, **wish)))

    def snap(self, volume: Volume, **how: Any) -> Any:
        return self.work(snapshots.create(self.by, "", volume, **how))

    def write(self, volume: Volume, data: bytes, at: int = 0) -> None:
        with self.file(volume).open("r+b") as file:
            file.seek(at)
            file.write(data)

    def read(self, thing: Volume | Snapshot, count: int, at: int = 0) -> bytes:
        with self.file(thing).open("rb") as file:
            file.seek(at)
            return file.read(count)

    def violations(self) -> list[str]:
        return list(invariants.violations(with_heat=False))


def an_id() -> str:
    return str(uuid.uuid4())


def gib(count: int) -> int:
    return count * GIB
