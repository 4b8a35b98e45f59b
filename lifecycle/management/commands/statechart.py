"""Draw each resource's transition table as the state diagram in docs/states, or check that it is up to date."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from lifecycle.chart import draw
from lifecycle.models import Leased


class Command(BaseCommand):
    help = "Write docs/states/<resource>.md from the transition tables."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; fail if a diagram is out of date"
        )

    def handle(self, *args: object, **options: Any) -> None:
        folder = Path(settings.BASE_DIR) / "docs" / "states"
        for model in apps.get_models():
            if not issubclass(model, Leased):
                continue
            path, drawn = folder / f"{model.machine.name}.md", draw(model.machine)
            if options["check"]:
                if not path.exists() or path.read_text() != drawn:
                    raise CommandError(f"{path} does not show the table any more: run manage.py statechart.")
            else:
                folder.mkdir(parents=True, exist_ok=True)
                path.write_text(drawn)
                self.stdout.write(f"wrote {path}")
