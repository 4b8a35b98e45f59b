"""Quotas of bays as the API knows them, and what projects have.

A project has a quota of its own, in the API's words, where its row has a limit; elsewhere the setting holds. What a
project uses is counted in the same row by the transactions that accept and end bays, and is left alone here.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Now

from api.preconditions import ANY, Expected
from api.problems import Conflict, Forbidden, NotFound
from bays.models import Bay, Quota
from identity import policy
from identity.callers import Caller

_SET = """
    INSERT INTO bays_quota (project_id, hard_limit, created_at) VALUES (%s, %s, STATEMENT_TIMESTAMP())
    ON CONFLICT (project_id) DO UPDATE SET hard_limit = EXCLUDED.hard_limit, created_at = EXCLUDED.created_at
    WHERE bays_quota.hard_limit IS NULL
"""


@dataclass(frozen=True, slots=True)
class Stats:
    """How many bays there are, and how many nodes they have, masters among them."""

    clusters: int
    nodes: int


def quotas(project_id: str | None) -> QuerySet[Quota]:
    """Return the quotas of all projects, or of one."""
    found = Quota.objects.filter(hard_limit__isnull=False)
    return found if project_id is None else found.filter(project_id=project_id)


def quota_of(by: Caller, project_id: str) -> Quota:
    """Return a project's quota; one that is not stored where only the setting holds.

    :raises Forbidden: it is another project's; whether there is such a project is not told.
    """
    ident = _allowed(by, project_id, "bay_quota:all_projects")
    return quotas(ident).first() or Quota(project_id=ident, number=0, hard_limit=None)


def set_quota(project_id: str, hard_limit: int) -> Quota:
    """Give a project a quota of its own.

    :raises Conflict: it has one already: of any number of requests one gives it.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_SET, [project_id, hard_limit])
            if not cursor.rowcount:
                raise Conflict(f"The project {project_id} has a quota of clusters already.")
        return Quota.objects.get(pk=project_id)


def change_quota(project_id: str, hard_limit: int, *, expected: Expected = ANY) -> Quota:
    """Change a project's quota. What it has above the new limit it keeps.

    :raises NotFound: it has none of its own.
    :raises PreconditionFailed: the quota is not as expected.
    """
    with transaction.atomic():
        quota = _locked(project_id, expected)
        Quota.objects.filter(pk=quota.pk).update(hard_limit=hard_limit, updated_at=Now())
        return Quota.objects.get(pk=quota.pk)


def remove_quota(project_id: str, *, expected: Expected = ANY) -> None:
    """Have the setting hold for a project again.

    :raises NotFound: it has no quota of its own.
    :raises PreconditionFailed: the quota is not as expected.
    """
    with transaction.atomic():
        quota = _locked(project_id, expected)
        Quota.objects.filter(pk=quota.pk).update(hard_limit=None, created_at=None, updated_at=None)


def default_limit() -> int:
    """Return the limit of a project without a quota of its own."""
    return int(settings.BAY_QUOTA)


def stats(by: Caller, project_id: str | None) -> Stats:
    """Return what a project has, the caller's own without one; to an admin what all have.

    :raises Forbidden: it is another project's.
    """
    if project_id is None and not policy.allows(by, "stats:all_projects"):
        project_id = by.project
    bays = Bay.objects.all()
    if project_id is not None:
        bays = bays.of_project(_allowed(by, project_id, "stats:all_projects"))
    every = F("node_count") + F("master_count") + F("further_nodes")
    found = bays.counted().aggregate(clusters=Count("pk"), nodes=Sum(every, default=0))
    return Stats(found["clusters"], found["nodes"])


def _locked(project_id: str, expected: Expected) -> Quota:
    quota = quotas(project_id).select_for_update().first()
    if quota is None:
        raise NotFound(f"The project {project_id[:64]} has no quota of clusters of its own.")
    expected.check(quota)
    return quota


def _allowed(by: Caller, project_id: str, rule: str) -> str:
    """Return the id of the caller's project, which may be spelt with dashes, or of one that the rule lets it see."""
    if by.project_id is not None and by.project_id.replace("-", "") == project_id.replace("-", ""):
        return by.project_id
    if not policy.allows(by, rule):
        raise Forbidden("You are not authorized to see what another project has.")
    return project_id
