"""Lists by keyset: a page begins after its marker, and costs the same wherever it lies.

A page is two statements, the marker's row and the rows after it; it neither skips nor repeats a row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet

from api.problems import BadRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_framework.request import Request

M = TypeVar("M", bound=Model)
_LIMIT = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class Page(Generic[M]):
    """The rows of one page, and the absolute URL of the next one if there is one."""

    rows: list[M]
    next: str | None


def paginate(
    request: Request,
    queryset: QuerySet[M],
    *,
    sort_keys: Mapping[str, str],
    default: str,
    marker: str = "pk",
) -> Page[M]:
    """Return the page that the query's `limit`, `marker`, `sort_key` and `sort_dir` ask for.

    `sort_keys` maps the words that clients may sort by to columns of the model, `default` is one of them;
    `marker` is the column whose value clients give. Ties are broken by primary key. Rows without a value come
    last.

    :raises BadRequest: a parameter is none of the allowed ones.
    :raises NotFound: no row of this very list has the marker.
    """
    limit = _limit(request)
    column, descending = _order(request, sort_keys, default)
    after = request.query_params.get("marker")
    if after:
        queryset = queryset.filter(_beyond(_marked(queryset, marker, after), column, descending=descending))
    rows = list(_ordered(queryset, column, descending=descending)[: limit + 1])
    if len(rows) <= limit:
        return Page(rows, None)
    query = request.query_params.copy()
    query["marker"] = str(getattr(rows[limit - 1], marker))
    query["limit"] = str(limit)
    return Page(rows[:limit], request.build_absolute_uri(f"{request.path}?{query.urlencode()}"))


def _limit(request: Request) -> int:
    text = request.query_params.get("limit")
    if text is None:
        return int(settings.API_PAGE_LIMIT)
    if not _LIMIT.fullmatch(text) or int(text) == 0:
        raise BadRequest("limit must be a whole number greater than zero.")
    return min(int(text), settings.API_PAGE_LIMIT)


def _order(request: Request, sort_keys: Mapping[str, str], default: str) -> tuple[str, bool]:
    key = request.query_params.get("sort_key", default)
    direction = request.query_params.get("sort_dir", "asc")
    if key not in sort_keys:
        raise BadRequest(f"sort_key must be one of: {', '.join(sorted(sort_keys))}.")
    if direction not in ("asc", "desc"):
        raise BadRequest("sort_dir must be asc or desc.")
    return sort_keys[key], direction == "desc"


def _ordered(queryset: QuerySet[M], column: str, *, descending: bool) -> QuerySet[M]:
    """Return the rows in order, said so that an index can serve it: NULLS LAST only where there may be any."""
    tie = "-pk" if descending else "pk"
    if column == "pk":
        return queryset.order_by(tie)
    nulls_last = _nullable(queryset.model, column) or None
    by = F(column).desc(nulls_last=nulls_last) if descending else F(column).asc(nulls_last=nulls_last)
    return queryset.order_by(by, tie)


def _nullable(model: type[Model] | Model, column: str) -> bool:
    return bool(model._meta.get_field(column).null)  # noqa: SLF001 (Django's own public door to a model's fields)


def _marked(queryset: QuerySet[M], marker: str, value: str) -> M:
    try:
        row = queryset.filter(**{marker: value}).first()
    except (ValueError, ValidationError):
        row = None
    if row is None:
        raise NotFound(f"The marker {value[:64]} could not be found.")
    return row


def _beyond(row: Model, column: str, *, descending: bool) -> Q:
    """Return the condition that holds for the rows after this one."""
    compare = "lt" if descending else "gt"
    tie = Q(**{f"pk__{compare}": row.pk})
    if column == "pk":
        return tie
    value: Any = getattr(row, column)
    if value is None:
        return Q(**{f"{column}__isnull": True}) & tie
    here_or_beyond, beyond = Q(**{f"{column}__{compare}e": value}), Q(**{f"{column}__{compare}": value})
    after = here_or_beyond & (beyond | tie)  # the first term is what an index can begin at
    return after | Q(**{f"{column}__isnull": True}) if _nullable(row, column) else after
