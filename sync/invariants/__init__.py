"""What must hold at every moment, whatever has died: checked on the rows, on the stacks in Heat and on what is stored.

Operators run it as `manage.py check_invariants`; the fault tests end with it. Each check yields a sentence per
violation. What needs a moment by design (a take-over, a bell) is given GRACE before it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from django.conf import settings
from django.db import connection, transaction

from sync.invariants import bays, core, volumes


class Check(Protocol):
    """Yields a sentence per violation."""

    @property
    def __name__(self) -> str: ...

    def __call__(self) -> Iterator[str]: ...


ROW_CHECKS: tuple[Check, ...] = (
    core.no_row_is_stuck,
    core.no_lease_without_a_living_holder,
    core.every_request_has_one_outcome,
    core.events_form_a_legal_path,
    bays.quotas_equal_what_is_there,
    volumes.quotas_equal_what_is_there,
    volumes.promises_equal_what_is_stored,
    volumes.nothing_written_is_read,
    volumes.attachments_agree_with_volumes,
)
HEAT_CHECKS: tuple[Check, ...] = (bays.one_stack_per_bay,)
STORAGE_CHECKS: tuple[Check, ...] = (volumes.one_file_per_row,)


def violations(*, with_heat: bool = True, with_storage: bool = True) -> Iterator[str]:
    """Yield every violation found, in words.

    :raises CloudError: Heat was to be asked and could not be.
    :raises BackendError: a back-end was to be listed and could not be.
    """
    for _, violation in findings(with_heat=with_heat, with_storage=with_storage):
        yield violation


def findings(*, with_heat: bool = True, with_storage: bool = True) -> Iterator[tuple[str, str]]:
    """Yield every violation found, with the name of the check that found it.

    :raises CloudError: Heat was to be asked and could not be.
    :raises BackendError: a back-end was to be listed and could not be.
    """
    yield from _in_one_snapshot(ROW_CHECKS)
    for check in (*(HEAT_CHECKS if with_heat else ()), *(STORAGE_CHECKS if with_storage else ())):
        yield from ((check.__name__, violation) for violation in check())


def _in_one_snapshot(checks: Iterable[Check]) -> list[tuple[str, str]]:
    """Run checks on one state of the database: what two statements see apart may never have been together."""
    with transaction.atomic():
        if not settings.TESTING:  # a test's own transaction has begun already
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return [(check.__name__, violation) for check in checks for violation in check()]
