"""Make a directory a pool of a directory back-end, once, while its file system is mounted."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from volumes.backends.directory.pool import prepare


class Command(BaseCommand):
    help = "Mark a directory as a pool. A mount point that is not mounted is never mistaken for a pool after that."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path)

    def handle(self, *args: object, **options: Any) -> None:
        path: Path = options["path"]
        if not path.is_absolute():
            raise CommandError(f"{path} is not absolute.")
        try:
            prepare(str(path))
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{path} is a pool.")
