"""Compare what is stored with the rows, both ways; on request remove what is over, or adopt what is unknown."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from api.problems import Problem
from identity import projects
from sync.storage import Finding, Kind, look, remove
from volumes import storage
from volumes.actions.adopting import adopt
from volumes.backends.base import BackendError


class Command(BaseCommand):
    help = (
        "List files without rows and rows without files; remove or adopt them if told to. Safe at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--backend", action="append", help="only this one (may be repeated)")
        parser.add_argument("--remove", action="store_true", help="remove what is provably ours and over")
        parser.add_argument(
            "--adopt", metavar="PROJECT", help="make volumes of this project from unknown files"
        )
        parser.add_argument("--id", action="append", help="adopt only this one (may be repeated)")

    def handle(self, *args: object, **options: Any) -> None:
        project = options["adopt"]
        if project is not None and not projects.exists(project):
            raise CommandError(f"There is no project {project}; give its id.")
        names = options["backend"] or sorted(settings.SERVES)
        for name in set(names) - set(storage.configured()):
            raise CommandError(f"There is no back-end {name}; there are {', '.join(storage.configured())}.")
        try:
            for name in names:
                for finding in look(name):
                    self.stdout.write(f"{finding.kind:8} {self._act(finding, options)}")
        except BackendError as error:
            raise CommandError(f"{name} cannot be reached: {error.reason}") from error

    def _act(self, finding: Finding, options: dict[str, Any]) -> str:
        if finding.kind is Kind.OVER and options["remove"]:
            remove(finding)
            return f"{finding}: removed"
        wanted = not options["id"] or str(finding.id) in options["id"]
        if finding.kind is Kind.UNKNOWN and options["adopt"] and wanted:
            if not finding.whole:
                return f"{finding}: not adopted: it is unfinished, or a row elsewhere has its id"
            try:
                volume = adopt(finding.backend, finding.pool, finding.id, finding.size, options["adopt"])
            except Problem as refused:
                return f"{finding}: not adopted: {refused}"
            return f"{finding}: adopted as a volume of {volume.size} GiB"
        return str(finding)
