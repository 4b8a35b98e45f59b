"""Listen to Heat's notifications: a process of a node that `runnode` starts where HEAT_NOTIFICATIONS_URL is set."""

from __future__ import annotations

import signal
import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from sync.notifications import Listener


class Command(BaseCommand):
    help = "Look at bays as soon as Heat says that their stack has moved (HEAT_NOTIFICATIONS_URL)."

    def handle(self, *args: object, **options: object) -> None:
        if not settings.HEAT_NOTIFICATIONS_URL:
            raise CommandError("HEAT_NOTIFICATIONS_URL is not set.")
        listener = Listener(settings.HEAT_NOTIFICATIONS_URL)
        # Wherever it is, in a wait for a broker too; what it has not acknowledged is delivered to another node.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            listener.run()
        finally:
            listener.tell()
