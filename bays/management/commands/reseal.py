"""Seal the keys of all bays' authorities, and their delegations, under the first of ROADSTEAD_CERTIFICATE_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bays import authorities, delegations


class Command(BaseCommand):
    """Run it once every node has the new secret first; after it the old one can go."""

    help = (
        "Seal the keys of bays' certificate authorities, and their delegations, under the first secret of "
        "ROADSTEAD_CERTIFICATE_KEYS."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal them, and name the bays of which something cannot be read.

        :raises CommandError: there are any.
        """
        done, unreadable = authorities.reseal()
        lent, lost = delegations.reseal()
        self.stdout.write(f"{done + lent} sealed anew.")
        if lost:
            self.stderr.write(
                f"No secret given unseals the delegations of {len(lost)} bays: {', '.join(lost)}. Give the one "
                "that sealed them as well, or ask for a change of each: then a new one is made."
            )
        if unreadable:
            raise CommandError(
                f"No secret given unseals the keys of {len(unreadable)} bays: {', '.join(unreadable)}. "
                "Give the one that sealed them as well, or rotate their authorities."
            )
        if lost:
            raise CommandError("Some delegations were not sealed anew.")
