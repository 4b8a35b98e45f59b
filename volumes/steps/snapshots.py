"""The steps of a snapshot."""

from __future__ import annotations

from lifecycle.leases import Held
from lifecycle.outcome import Again, Done, StepOutcome
from volumes import storage
from volumes.backends.base import Underway
from volumes.models import Snapshot, Volume
from volumes.states import CREATING, DELETING
from volumes.steps.asking import Step, a_while, step


def _create(held: Held[Snapshot]) -> StepOutcome:
    snapshot = held.row
    volume = Volume.objects.get(pk=snapshot.volume_id)
    copied = storage.backend(snapshot.backend).snapshot(
        volume.ref, snapshot.ref, epoch=held.epoch, go_on=a_while()
    )
    if isinstance(copied, Underway):
        part = f"{100 * copied.copied // max(copied.total, 1)}%"
        return Again(fields={"progress": part, "copied": copied.copied, "to_copy": copied.total})
    return Done("created", {"progress": "100%"})


def _delete(held: Held[Snapshot]) -> StepOutcome:
    snapshot = held.row
    storage.backend(snapshot.backend).delete(snapshot.ref, epoch=held.epoch)
    return Done("deleted")


STEPS: dict[str, Step[Snapshot]] = {CREATING: step(_create), DELETING: step(_delete)}
