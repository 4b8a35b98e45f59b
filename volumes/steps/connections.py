"""The steps of a connection."""

from __future__ import annotations

from contextlib import suppress

from lifecycle.leases import Held
from lifecycle.outcome import Done, StepOutcome
from volumes import storage
from volumes.backends.base import Fenced
from volumes.models import Connection, Volume
from volumes.states import CONNECTING, DISCONNECTING
from volumes.steps.asking import Step, step


def _connect(held: Held[Connection]) -> StepOutcome:
    """Let the host have the volume, and nobody else who may still believe to have work to do on it."""
    row = held.row
    volume = Volume.objects.get(pk=row.volume_id)
    backend = storage.backend(row.backend)
    # A verb that was called off (an operator's reset, a deadline) has had no successor yet that would keep it out: what
    # it still publishes would come over what the host writes. One of a newer epoch is wanted, and keeps the others out.
    with suppress(Fenced):
        backend.fence(volume.ref, epoch=volume.epoch)
    info = backend.connect(volume.ref, row.connector, epoch=held.epoch, read_only=row.read_only)
    return Done("connected", {"info": info})


def _disconnect(held: Held[Connection]) -> StepOutcome:
    row = held.row
    volume = Volume.objects.get(pk=row.volume_id)
    storage.backend(row.backend).disconnect(volume.ref, row.connector, epoch=held.epoch)
    return Done("disconnected")


STEPS: dict[str, Step[Connection]] = {CONNECTING: step(_connect), DISCONNECTING: step(_disconnect)}
