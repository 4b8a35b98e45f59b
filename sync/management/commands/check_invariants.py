"""Check what must hold whatever has died; print each violation and fail if there is any."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from clouds.errors import CloudError
from sync.invariants import violations
from volumes.backends.base import BackendError


class Command(BaseCommand):
    help = "Check the invariants on the rows, in Heat and on the storage. Safe at any time; exit code 1 on a violation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-heat", action="store_true", help="ask nothing of Heat")
        parser.add_argument("--no-storage", action="store_true", help="list no back-end")

    def handle(self, *args: object, **options: Any) -> None:
        found = 0
        try:
            told = {"with_heat": not options["no_heat"], "with_storage": not options["no_storage"]}
            for violation in violations(**told):
                found += 1
                self.stdout.write(f"VIOLATED  {violation}")
        except CloudError as error:
            raise CommandError(
                f"Heat could not be asked: {error.reason} (--no-heat leaves it out)"
            ) from error
        except BackendError as error:
            raise CommandError(
                f"A back-end could not be listed: {error.reason} (--no-storage leaves them out)"
            ) from error
        if found:
            raise CommandError(f"{found} violations")
        self.stdout.write("All invariants hold.")
