"""Where a round over settled rows has come to: one row per job, shared by all nodes."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TypeVar

from django.db import models, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

M = TypeVar("M", bound=models.Model)
FIRST = uuid.UUID(int=0)


class Cursor(models.Model):
    """A job's place in a round over many rows.

    Taking a slice costs one write to this row instead of one to each row looked at, so that rows in which
    nothing changes are never written.
    """

    job = models.CharField(max_length=64, primary_key=True)
    after = models.UUIDField(default=FIRST)
    not_before = models.DateTimeField(db_default=Now())  # when the next round may begin

    def __str__(self) -> str:
        return f"{self.job} after {self.after}"

    @classmethod
    def take(cls, job: str, rows: QuerySet[M], *, limit: int, pause: timedelta) -> list[M]:
        """Take the next slice of a round, in the order of the primary key; empty if there is none to take now.

        A round that has come to its end rests for `pause`. A tick on another node that is just taking a slice
        is not waited for.
        """
        with transaction.atomic():
            cursor = (
                cls.objects.select_for_update(skip_locked=True).filter(pk=job, not_before__lte=Now()).first()
            )
            if cursor is None:
                return []
            taken = list(rows.filter(pk__gt=cursor.after).order_by("pk")[:limit])
            if len(taken) < limit:
                cls.objects.filter(pk=job).update(after=FIRST, not_before=Now() + pause)
            else:
                cls.objects.filter(pk=job).update(after=taken[-1].pk)
        return taken
