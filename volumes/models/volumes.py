"""Volumes and snapshots: columns, constraints, and who reads whom.

Readers and writers: a clone or a snapshot under way, and a volume under revert, read their source; its row says so in
`reads_volume` or `reads_snapshot` until that work ends, however it ends. Whoever adds a reader, and whoever would write
to the source (delete, extend, revert, attach), locks the source's row first. Foreign keys with PROTECT stand behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, TypeVar

from django.db import models
from django.db.models import F, Q

from lifecycle.durations import sized
from lifecycle.models import Leased, guards, indexes
from volumes.backends.base import Ref
from volumes.models.pools import ServiceState
from volumes.models.types import VolumeType
from volumes.states import ATTACHED, SNAPSHOT, VOLUME

M = TypeVar("M", bound=models.Model)


def queue_of(backend: str) -> str:
    """Return the Celery queue of a back-end's work."""
    return f"store.{backend}"


class Owned(models.QuerySet[M]):
    def of_project(self, project_id: str) -> Self:
        return self.filter(project_id=project_id)


class InPool(Leased):
    """A leased resource that is stored in a pool: its work is done by the nodes that serve the back-end."""

    backend = models.CharField(max_length=63)
    pool = models.CharField(max_length=63)

    class Meta:
        abstract = True

    @property
    def queue(self) -> str:
        return queue_of(self.backend)

    def alike(self, event: str, values: Mapping[str, object], size: int | None) -> str:
        """By back-end and size; what is made empty has no size worth the name."""
        return f"{self.backend}, GiB {sized(self.gigabytes(event, values) if size is None else size)}"

    def gigabytes(self, event: str, values: Mapping[str, object]) -> int:
        """Return how much the work is about that the event asks for."""
        raise NotImplementedError

    @property
    def pool_id(self) -> str:
        return f"{self.backend}#{self.pool}"

    @classmethod
    def within_reach(cls) -> dict[str, object]:
        return {"backend__in": ServiceState.serving()}


class Volume(InPool):
    """A block device of `size` GiB."""

    machine = VOLUME
    resting = {
        "reads_volume": None,
        "reads_snapshot": None,
        "new_size": None,
        "was": "",
        "copied": 0,
        "to_copy": None,
    }

    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255, blank=True, default="")
    description = models.CharField(max_length=255, blank=True, default="")
    size = models.IntegerField()
    type = models.ForeignKey(VolumeType, on_delete=models.PROTECT, related_name="volumes")
    availability_zone = models.CharField(max_length=255)
    metadata = models.JSONField(default=dict, blank=True)
    hints = models.JSONField(default=dict, blank=True)
    bootable = models.BooleanField(default=False)
    readonly = models.BooleanField(null=True, blank=True)  # null: never told
    multiattach = models.BooleanField(default=False)
    # What it was made from. The ids stay when those are gone.
    snapshot_id = models.UUIDField(null=True, blank=True)
    source_volid = models.UUIDField(null=True, blank=True)
    # The work under way.
    reads_volume = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="clones", db_index=False
    )
    reads_snapshot = models.ForeignKey(
        "Snapshot", null=True, blank=True, on_delete=models.PROTECT, related_name="readers", db_index=False
    )
    new_size = models.IntegerField(null=True, blank=True)  # of an extend
    # To what an extend may still bring the file that was given up without word from the storage; stays at rest.
    may_grow_to = models.IntegerField(null=True, blank=True)
    was = models.CharField(max_length=32, blank=True, default="")  # the status before the work, to return to
    copied = models.BigIntegerField(db_default=0)  # bytes, of the copy under way
    to_copy = models.BigIntegerField(null=True, blank=True)  # of how many
    tried = models.JSONField(default=list, blank=True)  # the pools in which it could not be made

    objects = Owned.as_manager()

    class Meta:
        constraints = [
            *guards(VOLUME),
            models.CheckConstraint(name="volume_size_is_positive", condition=Q(size__gt=0)),
            models.CheckConstraint(
                name="volume_reads_only_while_it_works",
                condition=Q(reads_volume=None, reads_snapshot=None) | Q(status__in=list(VOLUME.busy)),
            ),
        ]
        indexes = [
            *indexes(VOLUME),
            models.Index(fields=["project_id", "-created_at", "-id"], name="volume_by_project"),
            models.Index(F("created_at").desc(), F("id").desc(), name="volume_by_age"),
            models.Index(fields=["name"], name="volume_by_name"),
            models.Index(fields=["backend", "id"], name="volume_by_backend"),
            models.Index(
                fields=["reads_volume"], name="volume_reads_volume", condition=Q(reads_volume__isnull=False)
            ),
            models.Index(
                fields=["reads_snapshot"],
                name="volume_reads_snapshot",
                condition=Q(reads_snapshot__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.pk)

    @property
    def ref(self) -> Ref:
        return Ref(self.pool, self.pk)

    def gigabytes(self, event: str, values: Mapping[str, object]) -> int:
        """Return what is to be copied of a new one, else how large it is or shall be."""
        if event == "create" and self.reads_volume_id is None and self.reads_snapshot_id is None:
            return 0
        wanted = values.get("new_size")
        return wanted if isinstance(wanted, int) else self.size

    @property
    def in_use(self) -> bool:
        return self.status in ATTACHED


class Snapshot(InPool):
    """A volume's bytes at one moment, `size` GiB of them. Stored in its volume's pool."""

    machine = SNAPSHOT
    resting = {"copied": 0, "to_copy": None}

    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255, blank=True, default="")
    description = models.CharField(max_length=255, blank=True, default="")
    volume = models.ForeignKey(Volume, on_delete=models.PROTECT, related_name="snapshots")
    type = models.ForeignKey(
        VolumeType, on_delete=models.PROTECT, related_name="+"
    )  # its volume's: for the quota
    size = models.IntegerField()
    metadata = models.JSONField(default=dict, blank=True)
    progress = models.CharField(max_length=255, blank=True, default="0%")
    copied = models.BigIntegerField(db_default=0)  # bytes, of the copy under way
    to_copy = models.BigIntegerField(null=True, blank=True)

    objects = Owned.as_manager()

    class Meta:
        constraints = [
            *guards(SNAPSHOT),
            models.CheckConstraint(name="snapshot_size_is_positive", condition=Q(size__gt=0)),
        ]
        indexes = [
            *indexes(SNAPSHOT),
            models.Index(fields=["project_id", "-created_at", "-id"], name="snapshot_by_project"),
            models.Index(fields=["backend", "id"], name="snapshot_by_backend"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.pk)

    @property
    def ref(self) -> Ref:
        return Ref(self.pool, self.pk)

    def gigabytes(self, event: str, values: Mapping[str, object]) -> int:  # noqa: ARG002 - the volumes' asks for them
        """Return how large it is."""
        return self.size
