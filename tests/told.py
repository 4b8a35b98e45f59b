"""When an event can be told: nothing that might still write an older one is under way."""

from __future__ import annotations

from django.db import connection

from lifecycle.models import Event


def is_told(event: Event) -> bool:
    """Tell whether no transaction, of whichever database of the server, delays the event."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint > %s", [event.turn])
        return bool(cursor.fetchone()[0])
