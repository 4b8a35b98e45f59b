"""Where a round over settled rows has come to: one row per job, shared by all nodes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, TypeVar

from django.db import models, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

M = TypeVar("M", bound=models.Model)
S = TypeVar("S", bound="HasId")
T = TypeVar("T")
FIRST = uuid.UUID(int=0)


class HasId(Protocol):
    @property
    def id(self) -> uuid.UUID: ...


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
            cursor = cls._due(job)
            if cursor is None:
                return []
            taken = list(rows.filter(pk__gt=cursor.after).order_by("pk")[:limit])
            cursor.go_on(taken[-1].pk if len(taken) == limit else None, pause)
        return taken

    @classmethod
    def take_page(cls, job: str, read: Callable[[uuid.UUID | None], list[S]], *, pause: timedelta) -> list[S]:
        """Take the next page of a round over something outside; `read` returns the page after an id.

        It is read between two transactions. Whoever dies or hangs in it puts the round off by `pause`.
        """
        with transaction.atomic():
            cursor = cls._due(job)
            if cursor is None:
                return []
            cls.objects.filter(pk=job).update(not_before=Now() + pause)
        page: list[S] = read(None if cursor.after == FIRST else cursor.after)
        cursor.go_on(page[-1].id if page else None, pause)
        return page

    @classmethod
    def take_turn(cls, job: str, look: Callable[[], list[T]], *, pause: timedelta) -> list[T]:
        """Return what `look` finds if it is this job's turn, or nothing; it is nobody's turn again for `pause`."""
        Cursor.objects.bulk_create([Cursor(job=job)], ignore_conflicts=True)
        with transaction.atomic():
            cursor = cls._due(job)
            if cursor is None:
                return []
            cls.objects.filter(pk=job).update(not_before=Now() + pause)
        return look()

    @classmethod
    def take_turn_of(cls, job: str, *, pause: timedelta) -> bool:
        """Tell whether it is the turn of this job, which was seeded; it is nobody's turn again for `pause`."""
        with transaction.atomic():
            if cls._due(job) is None:
                return False
            cls.objects.filter(pk=job).update(not_before=Now() + pause)
        return True

    @classmethod
    def _due(cls, job: str) -> Cursor | None:
        due = cls.objects.select_for_update(skip_locked=True).filter(pk=job, not_before__lte=Now())
        return due.first()

    def go_on(self, after: uuid.UUID | None, pause: timedelta) -> None:
        """Have the round go on after this id at once, or begin anew after a pause."""
        not_before = Now() if after else Now() + pause
        Cursor.objects.filter(pk=self.pk).update(after=after or FIRST, not_before=not_before)


class Stray(models.Model):
    """Since when a delegation has been found to be unneeded: see `sync.trusts`. Its name is a hash of its id."""

    name = models.CharField(max_length=64, primary_key=True)
    found_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.name[:8]} since {self.found_at}"
