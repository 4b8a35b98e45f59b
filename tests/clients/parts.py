"""What the parts of the client tests share: one node, and storage that each test finds empty.

A part is no test case: all of them together are one, `tests.clients.test_clients`, because the node takes longer to
start than most of them to run. `-k cinder` runs some.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from lifecycle.models import Event, Operation
from tests.clients.base import ClientCase
from volumes.actions.typing import DEFAULT
from volumes.models import Attachment, Connection, Message, Pool, Quota, Snapshot, Volume, VolumeType

MODELS: tuple[type[Volume | Snapshot], ...] = (Snapshot, Volume)


class StoringCase(ClientCase):
    """Three pools have reported; every test begins without volumes."""

    pools: ClassVar[tuple[str, ...]] = ("roadstead@fast#one", "roadstead@fast#two", "roadstead@slow#one")

    def __init_subclass__(cls, **kwargs):
        """Refuse two tests of one name: one of them would not run."""
        super().__init_subclass__(**kwargs)
        names = Counter(name for base in cls.__mro__ for name in vars(base) if name.startswith("test_"))
        assert not (twice := [name for name, count in names.items() if count > 1]), twice

    def setUp(self):
        self.until(lambda: Pool.objects.open().count() == len(self.pools), "all pools have reported")

    def _fixture_teardown(self):
        """Forget the volumes, not the node: that lives on."""
        Attachment.objects.all().delete()
        Connection.objects.all().delete()
        Volume.objects.update(reads_volume=None, reads_snapshot=None)
        for model in (Snapshot, Volume, Quota, Message, Operation, Event):
            model._default_manager.all().delete()
        VolumeType.objects.exclude(name=DEFAULT).delete()
        Pool.objects.update(allocated_gb=0)
        for path in self.stored():
            path.unlink(missing_ok=True)

    def is_in(self, status: str, *names: str) -> None:
        """Return once the volumes and snapshots of these names are in the status; fail if one rests in another."""
        waiting = set(names)

        def there() -> bool:
            rows = [row for model in MODELS for row in model._default_manager.filter(name__in=waiting)]
            for row in rows:
                if row.status == status:
                    waiting.discard(row.name)
                elif row.status not in row.machine.busy:
                    self.fail(f"{row.name} is {row.status}, not {status}: {row.status_reason}\n{self.tail()}")
            return not waiting

        self.until(there, f"{names} are {status}")

    def gone(self) -> None:
        """Return once nothing is left, neither rows nor what is stored."""
        self.until(lambda: not any(model._default_manager.exists() for model in MODELS), "all are gone")
        self.assertEqual(self.stored(), [])

    def stored(self) -> list[Path]:
        """Return all files of volumes and snapshots."""
        return list(self.home.glob("*/volumes/*"))


if TYPE_CHECKING:
    Part = StoringCase
else:
    Part = object
