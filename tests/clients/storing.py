"""What the tests of the volume clients share: they wait for storage, and forget what they have stored."""

from __future__ import annotations

from typing import ClassVar

from lifecycle.models import Event, Operation
from tests.clients.base import ClientCase
from volumes.actions.typing import DEFAULT
from volumes.models import Attachment, Connection, Message, Pool, Quota, Snapshot, Volume, VolumeType

MODELS: tuple[type[Volume | Snapshot], ...] = (Snapshot, Volume)


class StoringCase(ClientCase):
    """Three pools have reported; every test begins without volumes."""

    pools: ClassVar[tuple[str, ...]] = ("roadstead@fast#one", "roadstead@fast#two", "roadstead@slow#one")

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

    def stored(self) -> list[str]:
        """Return the names of all files of volumes and snapshots."""
        return sorted(path.name for path in self.home.glob("*/volumes/*"))
