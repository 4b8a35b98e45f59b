"""Rows by the hundred thousand, made in SQL, and claims beside them. Imports Django: import it when the stack runs."""

from __future__ import annotations

import time
from datetime import timedelta

import django

django.setup()

from django.db import connection, transaction  # noqa: E402
from django.test import override_settings  # noqa: E402

from identity.models import Project  # noqa: E402
from lifecycle import leases, local  # noqa: E402
from lifecycle.models import Node, Operation  # noqa: E402
from lifecycle.requests import Asked, birth  # noqa: E402
from volumes.actions.typing import DEFAULT  # noqa: E402
from volumes.models import Volume, VolumeType  # noqa: E402

FILL = """
INSERT INTO volumes_volume (id, status, status_reason, epoch, not_before, watched, attempts, retries, created_at,
    backend, pool, project_id, user_id, name, description, size, type_id, availability_zone, metadata, hints,
    bootable, multiattach, was, copied, tried)
SELECT gen_random_uuid(), 'available', '', 1, now(), false, 0, 0, now() - n * interval '1 second',
    'nowhere', 'one', %s, '', 'filled-' || n, '', 1, %s, 'nova', '{}', '{}', false, false, '', 0, '[]'
FROM generate_series(1, %s) AS n
"""


def fill(many: int) -> str:
    """Have so many volumes at rest in the project demo; return the id of one in the middle."""
    project = Project.objects.get(name="demo").pk
    kind = VolumeType.objects.get(name=DEFAULT).pk
    missing = many - Volume.objects.count()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(FILL, [project, kind, max(missing, 0)])
        cursor.execute("VACUUM ANALYZE volumes_volume")
    middle = Volume.objects.order_by("created_at")[many // 2]
    return str(middle.pk)


def claim_and_rest(count: int) -> list[float]:
    """Claim a row and give it back, so many times; return what each took (seconds)."""
    local.mark_renewed(time.monotonic() + 3600)
    Node.objects.update_or_create(
        pk=local.node_id,
        defaults={"kind": "worker", "name": "bench", "hostname": "", "pid": 0, "ttl": timedelta(minutes=10)},
    )
    row = Volume(
        project_id="bench", user_id="", size=1, backend="nowhere", pool="one", availability_zone="nova"
    )
    row.type = VolumeType.objects.get(name=DEFAULT)
    with transaction.atomic():
        birth(row, "create", Asked("", "bench"), name="")
    found = []
    with override_settings(SERVES=["nowhere"]):
        for _ in range(count):
            began = time.perf_counter()
            held = leases.claim(Volume, row.pk)
            assert held is not None  # nobody else serves this back-end
            leases.rest(held, after=timedelta(0))
            found.append(time.perf_counter() - began)
    return found


def empty() -> None:
    """Remove what was filled in."""
    filled = Volume.objects.filter(backend="nowhere")
    operations = list(filled.exclude(operation=None).values_list("operation_id", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM volumes_volume WHERE backend = 'nowhere'")
    Operation.objects.filter(pk__in=operations).delete()
