"""Seal the keys of all bays' authorities under the first secret of ROADSTEAD_CERTIFICATE_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bays import authorities


class Command(BaseCommand):
    """Run it once every node has the new secret first; after it the old one can go."""

    help = (
        "Seal the keys of bays' certificate authorities under the first secret of ROADSTEAD_CERTIFICATE_KEYS."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal them, and name the bays whose keys cannot be read.

        :raises CommandError: there are any.
        """
        done, unreadable = authorities.reseal()
        self.stdout.write(f"{done} sealed anew.")
        if unreadable:
            raise CommandError(
                f"No secret given unseals the keys of {len(unreadable)} bays: {', '.join(unreadable)}. "
                "Give the one that sealed them as well, or rotate their authorities."
            )
