"""The wires of a node: settings, Celery, URLs, system checks, logging. Imported by nothing but entry points."""

from project.celery import app as celery_app

__all__ = ["celery_app"]
