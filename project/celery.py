"""The Celery application: a doorbell.

PostgreSQL holds the truth; a message says "look at this row" and may be lost, doubled or forged. Hence no
results, no ETA, no chains, JSON only, and acks late, so that a worker's death rings the bell again at once.
"""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = Celery("roadstead")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.on_after_configure.connect
def _take_part(sender: Celery, **_: object) -> None:
    from workers.bootsteps import LeaseKeeper  # noqa: PLC0415 - models load after the settings

    sender.steps["worker"].add(LeaseKeeper)


app.autodiscover_tasks()
