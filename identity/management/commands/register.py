"""`manage.py register`: our services in the catalog of the Keystone that the OS_* variables log in at, as an admin."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from clouds.errors import CloudError, Forbidden
from clouds.keystone import Keystone
from clouds.session import InvalidCloud
from identity.registering import INTERFACES, Plan, Stranger, Taken

PASSWORD = "ROADSTEAD_SERVICE_PASSWORD"  # noqa: S105 (a variable's name)


class Command(BaseCommand):
    """Add what is missing and change what is different; safe to run again, and on every node at once."""

    help = (
        "Register container-infra and block-storage in Keystone, as the admin whom the OS_* variables name; with "
        f"--user make sure of our own user's roles too. {PASSWORD} is the password of a user who is not there yet."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--user", help="our own user in Keystone, of the domain Default: give it its roles"
        )
        parser.add_argument("--project", default="service", help="the project of that user (service)")
        parser.add_argument("--region", help="the endpoints' region (OS_REGION_NAME, else REGION)")
        for interface in INTERFACES:
            parser.add_argument(f"--{interface}-url", help=f"where {interface} endpoints are (PUBLIC_URL)")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *args: object, **options: Any) -> None:
        """Do it."""
        if settings.IDENTITY != "keystone":
            raise CommandError(
                "ROADSTEAD_IDENTITY is not keystone: we would refuse the tokens of this catalog."
            )
        urls = {
            interface: (options[f"{interface}_url"] or settings.PUBLIC_URL).rstrip("/")
            for interface in INTERFACES
        }
        plan = Plan(
            region=options["region"] or settings.CLOUD_VARIABLES.get("OS_REGION_NAME") or settings.REGION,
            services={
                kind: {interface: f"{url}{path}" for interface, url in urls.items()}
                for kind, _, path in settings.CATALOG
                if kind != "identity"
            },
            user=options["user"],
            project=options["project"],
            password=os.environ.get(PASSWORD),
        )
        said: list[str] = []
        try:
            there = Keystone(settings.CLOUD_VARIABLES, settings.CLOUD_TIMEOUT)
            plan.carry_out(there, said.append, dry_run=options["dry_run"])
        except (InvalidCloud, Stranger, Taken) as error:
            raise CommandError(str(error)) from error
        except Forbidden as error:
            raise CommandError(f"{error.reason} Run it with the OS_* variables of an admin.") from error
        except CloudError as error:
            raise CommandError(error.reason) from error
        finally:
            self.stdout.writelines(f"{line}\n" for line in said)
        self.stdout.write(
            "Nothing to do." if not said else "Not done: a dry run." if options["dry_run"] else "Done."
        )
