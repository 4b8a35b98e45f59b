"""How much a project may have, and how much it has, kept in the transactions that change it.

One row per project; one more per project and type where a limit of that type was set, or holds by default. Each
reservation is one guarded UPDATE of the project's row, so its last unit goes to one of any number of requests.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Q, Sum, Value
from django.db.models.functions import Coalesce

from lifecycle.swap import Part, swap_many
from volumes.models import counting
from volumes.models.counting import COUNTED, UNLIMITED, Amounts, OverLimit, TooLarge, of_type
from volumes.models.types import VolumeType
from volumes.models.volumes import Snapshot, Volume

__all__ = [
    "COUNTED",
    "UNLIMITED",
    "Amounts",
    "OverLimit",
    "Quota",
    "QuotaClass",
    "TooLarge",
    "TypeQuota",
    "of_type",
]

_defaults: tuple[float, dict[str, int]] = (0.0, {})  # until when (monotonic), what


class QuotaClass(models.Model):
    """The limits of every project that has none of its own; the class `default` is the one that counts.

    `limits` is by resource, and by resource and type (see `of_type`).
    """

    DEFAULT: ClassVar[str] = "default"

    name = models.CharField(max_length=255, primary_key=True)
    limits = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = "quota classes"

    def __str__(self) -> str:
        return self.name

    @classmethod
    def defaults(cls) -> dict[str, int]:
        """Return the limits of a project without limits of its own."""
        return {**settings.VOLUME_QUOTAS, **cls.limits_of(cls.DEFAULT)}

    @classmethod
    def lately(cls) -> dict[str, int]:
        """Return the same as of CATALOG_CACHE seconds ago at most: each request that is accepted asks for it."""
        global _defaults  # noqa: PLW0603 - one for the process
        until, limits = _defaults
        if time.monotonic() >= until:
            limits = cls.defaults()
            _defaults = (time.monotonic() + settings.CATALOG_CACHE, limits)
        return limits

    @classmethod
    def limits_of(cls, name: str) -> dict[str, int]:
        """Return the limits that were set for a class."""
        return cls.objects.filter(pk=name).values_list("limits", flat=True).first() or {}


class Quota(models.Model):
    """A project's limits (null: the default's) and its use."""

    project_id = models.CharField(max_length=64, primary_key=True)
    volumes_limit = models.BigIntegerField(null=True, blank=True)
    snapshots_limit = models.BigIntegerField(null=True, blank=True)
    gigabytes_limit = models.BigIntegerField(null=True, blank=True)
    other_limits = models.JSONField(
        default=dict, blank=True
    )  # per_volume_gigabytes, and what is not counted here
    volumes = models.BigIntegerField(db_default=0)
    snapshots = models.BigIntegerField(db_default=0)
    gigabytes = models.BigIntegerField(db_default=0)
    typed = models.JSONField(default=list, blank=True)  # the types that have a TypeQuota

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="volume_quota_is_not_negative",
                condition=Q(volumes__gte=0, snapshots__gte=0, gigabytes__gte=0),
            )
        ]

    def __str__(self) -> str:
        return self.project_id

    @classmethod
    def reserve(
        cls, project_id: str, type_id: uuid.UUID | None, amounts: Amounts, *, largest: int = 0
    ) -> None:
        """Count what is asked for, inside the accepting transaction.

        `largest` is the size of the largest single volume among it, GiB.

        :raises OverLimit: naming the limit that does not allow it.
        """
        defaults = QuotaClass.lately()
        count = counting.counted(cls, amounts, defaults)
        given = {"pk": project_id, **counting.given(amounts, defaults)}
        row = count.row(**given)
        if row is None:
            Quota.objects.bulk_create([Quota(project_id=project_id)], ignore_conflicts=True)
            row = count.row(**given)
        found = row or cls.objects.get(pk=project_id)
        per_volume = found.limit(counting.PER_VOLUME, defaults)
        if 0 <= per_volume < largest:
            raise TooLarge(largest, per_volume)
        if row is None:
            raise found.over(amounts, defaults)
        if type_id is not None and row.counts_apart(type_id, defaults, amounts):
            TypeQuota.reserve(project_id, type_id, amounts, defaults)

    @classmethod
    def reservation(
        cls, project_id: str, type_id: uuid.UUID, amounts: Amounts, *, largest: int
    ) -> Part | None:
        """Return the guarded write that counts what is asked for, where that is all that counts it.

        It writes nothing where a limit does not allow it, and where the project has limits of its own of a type or of
        a single volume. None where the defaults have such limits: `reserve` sees to those, and says which was met.
        """
        defaults = QuotaClass.lately()
        if any(of_type(name, type_id) in defaults for name in COUNTED):
            return None
        if 0 <= defaults.get(counting.PER_VOLUME, UNLIMITED) < largest:
            return None
        return counting.counted(cls, amounts, defaults, alone=True).part(
            pk=project_id, type=json.dumps(str(type_id)), **counting.given(amounts, defaults)
        )

    @classmethod
    def release(cls, project_id: str, type_id: uuid.UUID | None, amounts: Amounts) -> None:
        """Give back what was counted, inside the transaction that ends it."""
        values = {name: F(name) - amount for name, amount in amounts.items()}
        rows = counting.uncounted(cls, amounts).rows(pk=project_id, **counting.given(amounts))
        if rows and type_id is not None and str(type_id) in rows[0].typed:
            swap_many(TypeQuota, project_id=project_id, type=type_id, values=values)

    @classmethod
    def retype(cls, project_id: str, old: uuid.UUID, new: uuid.UUID, amounts: Amounts) -> None:
        """Count under another type what the project has already.

        :raises OverLimit: the new type's limits do not allow it.
        """
        row = cls.locked(project_id)
        defaults = QuotaClass.defaults()
        if row.counts_apart(new, defaults):
            TypeQuota.reserve(project_id, new, amounts, defaults)
        if str(old) in row.typed:
            values = {name: F(name) - amount for name, amount in amounts.items()}
            swap_many(TypeQuota, project_id=project_id, type=old, values=values)

    @classmethod
    def locked(cls, project_id: str) -> Quota:
        """Return the project's row, locked until the transaction ends; made where there is none."""
        found = cls.objects.select_for_update().filter(pk=project_id).first()
        if found is None:
            Quota.objects.bulk_create([Quota(project_id=project_id)], ignore_conflicts=True)
            found = cls.objects.select_for_update().get(pk=project_id)
        return found

    def counts_apart(
        self, type_id: uuid.UUID, defaults: Mapping[str, int], asked: Amounts | None = None
    ) -> bool:
        """Tell whether the type is counted apart in this locked row's project; begin to, if the defaults limit it.

        `asked` is what was counted in this row just now, and is still to be counted by type.
        """
        if str(type_id) not in self.typed:
            if not any(of_type(name, type_id) in defaults for name in COUNTED):
                return False
            self.count_apart(type_id, asked)
        return True

    def count_apart(self, type_id: uuid.UUID, asked: Amounts | None = None) -> TypeQuota:
        """Begin to count a type in this locked row's project: all that it has and that is of no other type.

        Whatever makes, moves or ends a volume or a snapshot writes the project's row before it commits, so nothing of
        that is under way while the row is locked, and what comes after sees `typed`. Taken from the row's own counts,
        it does not matter whether what is asked for has been written already.
        """
        volumes = Volume.objects.filter(project_id=self.pk).exclude(type=type_id)
        snapshots = Snapshot.objects.filter(project_id=self.pk).exclude(type=type_id)
        size = Coalesce(F("new_size"), F("size"))  # an extend under way has reserved the new one
        others = volumes.aggregate(count=Count("pk"), size=Coalesce(Sum(size), 0))
        copies = snapshots.aggregate(count=Count("pk"), size=Coalesce(Sum("size"), 0))
        asked = asked or Amounts()
        row = TypeQuota.objects.create(
            project_id=self.pk,
            type_id=type_id,
            volumes=self.volumes - others["count"] - asked.volumes,
            snapshots=self.snapshots - copies["count"] - asked.snapshots,
            gigabytes=self.gigabytes - others["size"] - copies["size"] - asked.gigabytes,
        )
        self.typed = [*self.typed, str(type_id)]
        swap_many(type(self), pk=self.pk, values={"typed": self.typed})
        return row

    def limit(self, name: str, defaults: Mapping[str, int]) -> int:
        """Return the limit of a resource; -1 is none."""
        own = getattr(self, f"{name}_limit") if name in COUNTED else self.other_limits.get(name)
        return defaults.get(name, UNLIMITED) if own is None else int(own)

    def set_limit(self, name: str, limit: int) -> None:
        """Give the project a limit of its own; the row is still to be saved."""
        if name in COUNTED:
            setattr(self, f"{name}_limit", limit)
        else:
            self.other_limits = {**self.other_limits, name: limit}

    def over(self, amounts: Amounts, defaults: Mapping[str, int]) -> OverLimit:
        """Return which limit does not allow the amounts."""
        for name, amount in amounts.items():
            used, limit = getattr(self, name), self.limit(name, defaults)
            if limit != UNLIMITED and used + amount > limit:
                return OverLimit(name, used, limit, amount)
        name, amount = amounts.items()[0]
        return OverLimit(name, getattr(self, name), self.limit(name, defaults), amount)  # freed meanwhile


class TypeQuota(models.Model):
    """A project's limits of one type's volumes and snapshots (null: none), and its use of them."""

    project_id = models.CharField(max_length=64)
    type = models.ForeignKey(VolumeType, on_delete=models.CASCADE, related_name="+")
    volumes_limit = models.BigIntegerField(null=True, blank=True)
    snapshots_limit = models.BigIntegerField(null=True, blank=True)
    gigabytes_limit = models.BigIntegerField(null=True, blank=True)
    volumes = models.BigIntegerField(db_default=0)
    snapshots = models.BigIntegerField(db_default=0)
    gigabytes = models.BigIntegerField(db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project_id", "type"], name="type_quota_is_kept_once"),
            models.CheckConstraint(
                name="type_quota_is_not_negative",
                condition=Q(volumes__gte=0, snapshots__gte=0, gigabytes__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project_id}: {self.type}"

    @classmethod
    def reserve(
        cls, project_id: str, type_id: uuid.UUID, amounts: Amounts, defaults: Mapping[str, int]
    ) -> None:
        """Count what is asked for of one type, inside the accepting transaction.

        :raises OverLimit: naming the limit that does not allow it.
        """
        room = Q()
        for name, amount in amounts.items():
            default = defaults.get(of_type(name, type_id), UNLIMITED)
            limit = Coalesce(F(f"{name}_limit"), Value(default, output_field=models.BigIntegerField()))
            room &= Q(**{f"{name}__lte": limit - amount}) | counting.unlimited(name, default)
        values = {name: F(name) + amount for name, amount in amounts.items()}
        if swap_many(cls, room, project_id=project_id, type=type_id, values=values):
            return
        row = cls.objects.select_related("type").filter(project_id=project_id, type=type_id).first()
        if row is not None:  # else the type was deleted just now, and the volume's foreign key will say so
            raise row.over(amounts, defaults)

    def limit(self, name: str, defaults: Mapping[str, int]) -> int:
        """Return the limit of a resource of this type; -1 is none."""
        own = getattr(self, f"{name}_limit")
        return defaults.get(of_type(name, self.type_id), UNLIMITED) if own is None else int(own)

    def set_limit(self, name: str, limit: int) -> None:
        """Give the project a limit of its own of this type; the row is still to be saved."""
        setattr(self, f"{name}_limit", limit)

    def over(self, amounts: Amounts, defaults: Mapping[str, int]) -> OverLimit:
        """Return which limit does not allow the amounts; the first that is asked for if room was made meanwhile."""
        asked = [(name, amount, self.limit(name, defaults)) for name, amount in amounts.items()]
        full = (one for one in asked if one[2] != UNLIMITED and getattr(self, one[0]) + one[1] > one[2])
        name, amount, limit = next(full, asked[0])
        return OverLimit(f"{name}_{self.type.name}", getattr(self, name), limit, amount)
