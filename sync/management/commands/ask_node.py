"""Ask one node how it sees the back-ends that it serves: it reports them now, and what it found is shown."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.db.models.functions import Now

from lifecycle.models import Node
from sync.tasks import node_queue, report_pools
from volumes.models import Pool

LOOK = 0.1


class Command(BaseCommand):
    help = "Have one node report its storage back-ends now, and show what it sees."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("node", help="the node's name")
        parser.add_argument("--wait", type=float, default=15, help="seconds to wait for its answer")

    def handle(self, *args: object, **options: Any) -> None:
        name = options["node"]
        node = Node.objects.alive().filter(kind=Node.Kind.WORKER, name=name).order_by("-started_at").first()
        if node is None:
            raise CommandError(f"No worker of a node {name} is alive.")
        asked = Node.objects.values_list(Now(), flat=True)[0]
        report_pools.apply_async(kwargs={"now": True}, queue=node_queue(name), expires=options["wait"])
        pools = Pool.objects.filter(backend__in=node.serves)
        told = pools.filter(Q(reported_by=name, reported_at__gte=asked) | Q(down_since__isnull=False))
        end = time.monotonic() + options["wait"]
        while told.count() < pools.count() and time.monotonic() < end:
            time.sleep(LOOK)
        for pool in pools.order_by("pk"):
            fresh = pool.reported_by == name and pool.reported_at is not None and pool.reported_at >= asked
            state = f"down: {pool.down_reason}" if pool.down_since else "up" if fresh else "no answer"
            self.stdout.write(f"{pool.pk:40} {state:12} {pool.free_gb:.1f} of {pool.total_gb:.1f} GiB free")
