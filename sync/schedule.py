"""How often each job ticks, on every node. Seeded once; from then on operators edit it in the admin."""

from __future__ import annotations

from dataclasses import dataclass

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from sync import pools
from sync.models import Cursor
from sync.orphans import ORPHANS, OWNERS_ORPHANS
from sync.progress import PROGRESS
from sync.stacks import DRIFT, MISSING
from sync.trusts import TRUSTS


@dataclass(frozen=True, slots=True)
class Job:
    task: str
    every: int  # seconds
    why: str


SCHEDULE = (
    Job("sync.sweep", 1, "Ring the bell for due rows that nobody holds."),
    Job("sync.watch_stacks", 1, "Ask Heat in bulk about bays in progress and wake those that moved."),
    Job(
        "sync.find_missing_stacks", 10, "Ask Heat how many of the stacks of bays in progress it still knows."
    ),
    Job(
        "sync.observe_progress",
        2,
        "Ask Heat how many nodes are done of bays that take their time, a few a tick.",
    ),
    Job("sync.observe_drift", 30, "Ask Heat in bulk about settled bays and record their health."),
    Job("sync.remove_orphans", 10, "Find stacks of ours that no bay owns and delete them."),
    Job("sync.remove_trusts", 60, "Find delegations to us that no bay keeps and remove them."),
    Job("sync.report_pools", 1, "Ask back-ends that are due for their capacity and capabilities."),
    Job(
        "sync.compare_storage", 60, "Compare what is stored with the rows, both ways, and tell what differs."
    ),
    Job("sync.forget_nodes", 3600, "Forget nodes that are long gone and hold nothing."),
    Job(
        "sync.forget_history", 600, "Forget operations, events and idempotency keys older than the retention."
    ),
)


def seed(**_: object) -> None:
    """Add the jobs that are not there yet; what operators have changed stays as they left it.

    A tick does not expire: by the clock of a worker that is ahead, every one would have.
    """
    for job in SCHEDULE:
        interval, _ = IntervalSchedule.objects.get_or_create(every=job.every, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.get_or_create(
            name=job.task,
            defaults={
                "task": job.task,
                "interval": interval,
                "queue": "ticks",
                "description": job.why,
            },
        )
        PeriodicTask.objects.filter(name=job.task, expire_seconds=max(2 * job.every, 10)).update(
            expire_seconds=None  # as an earlier release seeded it
        )
    for name in (DRIFT, MISSING, ORPHANS, OWNERS_ORPHANS, PROGRESS, TRUSTS):
        Cursor.objects.get_or_create(job=name)
    pools.seed()
