"""Lists by keyset: a page begins after its marker, and costs the same wherever it lies.

A page is two statements, the marker's row and the rows after it; it neither skips nor repeats a row. Magnum's
clients and Cinder's ask for it by different words: each has a function.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import F, Model, Q, QuerySet

from api.problems import BadRequest, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rest_framework.request import Request

M = TypeVar("M", bound=Model)
R = TypeVar("R")
Order = list[tuple[str, bool]]  # column, descending
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_MAX_OFFSET: Final = 2**31 - 1
_DIRECTIONS: Final = ("asc", "desc")


@dataclass(frozen=True)
class Page(Generic[R]):
    """The rows of one page, and the absolute URL of the next one if there is one."""

    rows: list[R]
    next: str | None

    @property
    def links(self) -> list[dict[str, str]]:
        """Return Cinder's `<collection>_links`; empty on the last page."""
        return [{"rel": "next", "href": self.next}] if self.next else []


@dataclass(frozen=True)
class _Wanted:
    """What a request asks for. `peeks` if a next page is named only where it is not empty."""

    limit: int
    order: Order
    offset: int = 0
    peeks: bool = True


def paginate(
    request: Request,
    queryset: QuerySet[M],
    *,
    sort_keys: Mapping[str, str],
    default: str,
    marker: str = "pk",
    markers: QuerySet[M] | None = None,
) -> Page[M]:
    """Return the page that Magnum's `limit`, `marker`, `sort_key` and `sort_dir` ask for.

    `sort_keys` maps the words that clients may sort by to columns of the model, `default` is one of them;
    `marker` is the column whose value clients give. A marker's row is looked up in `markers`: give what the
    caller may see before it was filtered, so that a row which a filter has lost since still marks its place.
    Ties are broken by primary key. Rows without a value come last.

    :raises BadRequest: a parameter is none of the allowed ones.
    :raises NotFound: the marker is none of these rows.
    """
    limit, by = _asked(request, sort_keys, default)
    wanted = _Wanted(limit, _total([by], [("pk", by[1])]))
    return _page(request, queryset, wanted, marker, markers)


def page_of(
    request: Request, rows: Sequence[R], *, sort_keys: Mapping[str, str], default: str, marker: str
) -> Page[R]:
    """Return the page, as `paginate` does, of a few rows that are here already; ties stay in their order.

    :raises BadRequest: a parameter is none of the allowed ones.
    :raises NotFound: the marker is none of these rows.
    """
    limit, (column, descending) = _asked(request, sort_keys, default)
    told = [row for row in rows if getattr(row, column) is not None]
    untold = [row for row in rows if getattr(row, column) is None]
    rows = [*sorted(told, key=lambda row: getattr(row, column), reverse=descending), *untold]
    after = request.query_params.get("marker")
    if after:
        places = [place for place, row in enumerate(rows) if str(getattr(row, marker)) == after]
        if not places:
            raise NotFound(f"The marker {after[:64]} could not be found.")
        rows = rows[places[0] + 1 :]
    if len(rows) <= limit:
        return Page(list(rows), None)
    query = request.query_params.copy()
    query["marker"] = str(getattr(rows[limit - 1], marker))
    query["limit"] = str(limit)
    return Page(list(rows[:limit]), request.build_absolute_uri(f"{request.path}?{query.urlencode()}"))


def paginate_by_sort(
    request: Request,
    queryset: QuerySet[M],
    *,
    sort_keys: Mapping[str, str],
    marker: str = "pk",
    markers: QuerySet[M] | None = None,
) -> Page[M]:
    """Return the page that Cinder's `limit`, `offset`, `marker` and `sort` ask for.

    `sort=name:asc,size` names several keys, each descending where it does not say; the older `sort_key` and
    `sort_dir` name one. Ties, and lists without `sort`, are in the order of their creation, the direction being
    the first key's. A limit of 0 asks for nothing and gets it. Every full page names a next one, be it empty:
    Cinder's clients rely on it. The rest is as for `paginate`; the model has a `created_at`.

    :raises BadRequest: a parameter is none of the allowed ones.
    :raises NotFound: the marker is none of these rows.
    """
    asked = _sort(request, sort_keys)
    descending = asked[0][1] if asked else True
    order = _total(asked, [("created_at", descending), ("pk", descending)])
    wanted = _Wanted(_limit(request), order, _offset(request), peeks=False)
    return _page(request, queryset, wanted, marker, markers)


def _page(
    request: Request, queryset: QuerySet[M], wanted: _Wanted, marker: str, markers: QuerySet[M] | None
) -> Page[M]:
    after = request.query_params.get("marker")
    if after:
        row = _marked(queryset if markers is None else markers, marker, after)
        queryset = queryset.filter(_beyond(row, wanted.order))
    end = wanted.offset + wanted.limit
    rows = list(_ordered(queryset, wanted.order)[wanted.offset : end + wanted.peeks])
    if not rows or len(rows) < wanted.limit + wanted.peeks:
        return Page(rows, None)
    query = request.query_params.copy()
    query.pop("offset", None)  # the marker says it
    query["marker"] = str(getattr(rows[wanted.limit - 1], marker))
    query["limit"] = str(wanted.limit)
    return Page(rows[: wanted.limit], request.build_absolute_uri(f"{request.path}?{query.urlencode()}"))


def _limit(request: Request) -> int:
    text = request.query_params.get("limit")
    if text is None:
        return int(settings.API_PAGE_LIMIT)
    if not _NUMBER.fullmatch(text):
        raise BadRequest("limit must be a whole number, zero or greater.")
    return min(int(text), settings.API_PAGE_LIMIT)


def _offset(request: Request) -> int:
    text = request.query_params.get("offset", "0")
    if not _NUMBER.fullmatch(text) or int(text) > _MAX_OFFSET:
        raise BadRequest(f"offset must be a whole number from zero to {_MAX_OFFSET}.")
    return int(text)


def _asked(request: Request, sort_keys: Mapping[str, str], default: str) -> tuple[int, tuple[str, bool]]:
    """Return how many rows are asked for, and the column to sort by with whether it descends."""
    limit = _limit(request)
    if limit == 0:
        raise BadRequest("limit must be a whole number greater than zero.")
    query = request.query_params
    return limit, _column(sort_keys, query.get("sort_key", default), query.get("sort_dir", "asc"))


def _column(sort_keys: Mapping[str, str], key: str, direction: str) -> tuple[str, bool]:
    if key not in sort_keys:
        raise BadRequest(f"sort_key must be one of: {', '.join(sorted(sort_keys))}.")
    if direction not in _DIRECTIONS:
        raise BadRequest("sort_dir must be asc or desc.")
    return sort_keys[key], direction == "desc"


def _sort(request: Request, sort_keys: Mapping[str, str]) -> Order:
    """Return what the request asks to sort by; nothing if it does not say."""
    query = request.query_params
    older = "sort_key" in query or "sort_dir" in query
    if "sort" not in query:
        if not older:
            return []
        key = query.get("sort_key", "created_at").strip()
        return [_column(sort_keys, key, query.get("sort_dir", "desc").strip())]
    if older:
        raise BadRequest("sort_key and sort_dir cannot be used together with sort.")
    keys = [item.partition(":")[::2] for item in query["sort"].split(",")]
    return [_column(sort_keys, key.strip(), direction.strip() or "desc") for key, direction in keys]


def _total(asked: Order, ties: Order) -> Order:
    """Return an order in which no two rows are equal; what comes after the primary key decides nothing."""
    columns = dict(reversed([*asked, *ties]))  # the first mention counts
    order = [(column, columns[column]) for column in dict.fromkeys(column for column, _ in [*asked, *ties])]
    return order[: [column for column, _ in order].index("pk") + 1]


def _ordered(queryset: QuerySet[M], order: Order) -> QuerySet[M]:
    """Return the rows in order, said so that an index can serve it: NULLS LAST only where there may be any."""
    terms: list[Any] = []
    for column, descending in order:
        if column == "pk":
            terms.append("-pk" if descending else "pk")
            continue
        last = _nullable(queryset.model, column) or None
        terms.append(F(column).desc(nulls_last=last) if descending else F(column).asc(nulls_last=last))
    return queryset.order_by(*terms)


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


def _beyond(row: Model, order: Order) -> Q:
    """Return the condition that holds for the rows after this one, in an order that ends with the primary key."""
    (column, descending), *ties = order
    compare = "lt" if descending else "gt"
    if column == "pk":
        return Q(**{f"pk__{compare}": row.pk})
    value: Any = getattr(row, column)
    if value is None:
        return Q(**{f"{column}__isnull": True}) & _beyond(row, ties)
    here_or_beyond, beyond = Q(**{f"{column}__{compare}e": value}), Q(**{f"{column}__{compare}": value})
    after = here_or_beyond & (beyond | _beyond(row, ties))  # the first term is what an index can begin at
    return after | Q(**{f"{column}__isnull": True}) if _nullable(row, column) else after
