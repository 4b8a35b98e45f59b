"""All that the processes of a node import, for the forkserver that they are copies of: see `deploy/forkserver.py`.

Nothing here may connect, start a thread or read what differs between the processes.
"""

from __future__ import annotations

import os
from importlib import import_module

import django
from django.conf import settings
from django.urls import get_resolver
from kombu import Connection

PROGRAMS = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.worker.consumer",
    "django_celery_beat.schedulers",
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.gthread",
    "project.gunicorn",
    "project.postgresql.base",
    "project.worker",
    "project.wsgi",
    "sync.beat",
    "workers.bootsteps",
    "workers.consumer",
)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
django.setup()
for name in PROGRAMS:
    import_module(name)

from lifecycle import local  # noqa: E402 -- models load after the settings
from project import celery_app  # noqa: E402

celery_app.loader.import_default_modules()
celery_app.finalize()
Connection(settings.CELERY_BROKER_URL).get_transport_cls()
get_resolver().url_patterns  # noqa: B018 -- looked up once, it is there: with it come all views


def after_fork() -> None:
    """Be a process of its own: those that are forked here share nothing that is written to."""
    local.begin()
