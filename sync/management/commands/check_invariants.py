"""Check what must hold whatever has died; print each violation and fail if there is any."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clouds.errors import CloudError
from sync.invariants import violations


class Command(BaseCommand):
    help = "Check the invariants on the database and on Heat. Safe at any time; exit code 1 on a violation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-heat", action="store_true", help="check the rows only, ask nothing of Heat")

    def handle(self, *args: object, **options: Any) -> None:
        found = 0
        try:
            for violation in violations(with_heat=not options["no_heat"]):
                found += 1
                self.stdout.write(f"VIOLATED  {violation}")
        except CloudError as error:
            raise CommandError(
                f"Heat could not be asked: {error.reason} (--no-heat checks the rows only)"
            ) from error
        if found:
            raise CommandError(f"{found} violations")
        self.stdout.write("All invariants hold.")
