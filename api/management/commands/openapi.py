"""manage.py openapi SERVICE: print the description of a service, to make a client or a page of."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from api.openapi.document import describe
from api.versions import SERVICES


class Command(BaseCommand):
    help = "Print the OpenAPI description of a service."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the service's type, as the catalog has it."""
        parser.add_argument("service", choices=[service.type for service in SERVICES])

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        (service,) = (each for each in SERVICES if each.type == options["service"])
        self.stdout.write(json.dumps(describe(service), indent=1, ensure_ascii=False))
