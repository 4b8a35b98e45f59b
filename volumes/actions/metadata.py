"""Change the metadata of a volume or a snapshot, item by item: two that change different ones both count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from django.db import transaction
from django.db.models.functions import Now

from api.preconditions import ANY, Expected
from api.problems import BadRequest, NotFound
from lifecycle.swap import swap
from volumes.actions.guarding import locked, require
from volumes.models import Snapshot, Volume
from volumes.states import MAINTENANCE

R = TypeVar("R", Volume, Snapshot)
Items = dict[str, str]
MOST: Final = 128


def change(row: R, how: Callable[[Items], Items], *, expected: Expected = ANY) -> R:
    """Give the row the metadata that `how` makes of those it has, and return it as written.

    :raises WrongState: it is under maintenance.
    :raises NotFound: it is gone.
    :raises BadRequest: it would have too many.
    :raises PreconditionFailed: it is not as expected.
    """
    with transaction.atomic():
        row = locked(row)
        expected.check(row)
        require(row, "change the metadata of", *(s for s in row.machine.statuses if s != MAINTENANCE))
        items = how(dict(row.metadata))
        if len(items) > MOST:
            raise BadRequest(f"There would be {len(items)} items of metadata, and {MOST} are allowed.")
        won = swap(type(row), pk=row.pk, values={"metadata": items, "updated_at": Now()})
    assert won is not None  # noqa: S101 - the row is locked
    return won


def without(key: str) -> Callable[[Items], Items]:
    """Return how to take one item away.

    The function that is returned raises NotFound: there is no such item.
    """

    def take(items: Items) -> Items:
        if items.pop(key, None) is None:
            raise NotFound(f"There is no metadata item {key[:255]}.")
        return items

    return take
