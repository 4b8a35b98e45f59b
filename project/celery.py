"""The Celery application: a doorbell.

PostgreSQL holds the truth; a message says "look at this row" and may be lost, doubled or forged. Hence no
results, no ETA, no chains, JSON only, and acks late, so that a worker's death rings the bell again at once.
"""

from __future__ import annotations

import atexit
import os
import sys

import billiard.pool
from celery import Celery, signals
from django.db import close_old_connections

from workers import acks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
acks.install()

app = Celery("roadstead", amqp="workers.queues:AMQP")
app.config_from_object("django.conf:settings", namespace="CELERY")
# By name: models load after the settings.
app.steps["worker"].add("workers.bootsteps:LeaseKeeper")
app.steps["consumer"].add("volumes.serving:QueueKeeper")
app.Task.Strategy = "workers.strategy:careful"
app.autodiscover_tasks()
# Celery would open a new database connection for each task, which costs more than all else in a step. Kept ones are
# looked after as Django does it between requests: one that is broken or old is replaced before it is used.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
# A child that ends waits until its parent has read its last result, and a parent that ends now and then has not: both
# would stand for 30 s, which is longer than a node is given to stop. The result of a bell is of no use to anybody.
billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 20  # times 0.1 s


@signals.task_prerun.connect
def _look_after_connections(**_: object) -> None:
    close_old_connections()


@signals.beat_init.connect
def _register_beat(**_: object) -> None:
    """Show this beat among the nodes; it holds nothing, and others tick if it dies."""
    from lifecycle.models import Node  # noqa: PLC0415 - models load after the settings
    from workers.heartbeat import Heartbeat  # noqa: PLC0415

    heartbeat = Heartbeat(Node.Kind.BEAT)
    heartbeat.start()
    atexit.register(heartbeat.end)
