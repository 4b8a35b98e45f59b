"""The filters of lists: each turns the text of a query parameter into a condition on the row's own columns.

What is no possible value matches nothing, as in Cinder; a parameter that is no filter, or not yet one in the request's
version, is passed over.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_date, parse_datetime

from api.openapi.methods import Parameter
from api.parsing import loads
from api.problems import BadRequest
from lifecycle.machine import Machine
from volumes.actions.guarding import as_id
from volumes.states import shown
from volumes.views.base import FALSE, TRUE, VolumeView

M = TypeVar("M", bound=Model)
Condition = Callable[[str], Q]
NOTHING: Final = Q(pk__in=[])
LONGEST: Final = 2048  # characters of metadata in a query
INT32: Final = range(-(2**31), 2**31)
COMPARE: Final = {
    "gt": lambda column, at: Q(**{f"{column}__gt": at}),
    "gte": lambda column, at: Q(**{f"{column}__gte": at}),
    "lt": lambda column, at: Q(**{f"{column}__lt": at}),
    "lte": lambda column, at: Q(**{f"{column}__lte": at}),
    "eq": lambda column, at: Q(**{column: at}),
    "neq": lambda column, at: ~Q(**{column: at}),
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A query parameter that narrows a list, since this minor version."""

    condition: Condition
    since: int = 0


def parameters(filters: Mapping[str, Filter]) -> tuple[Parameter, ...]:
    """Return how the filters of a list are described."""
    return tuple(
        Parameter(name, since=f"3.{each.since}" if each.since else "") for name, each in filters.items()
    )


def narrow(view: VolumeView, rows: QuerySet[M], filters: Mapping[str, Filter]) -> QuerySet[M]:
    """Return the rows that meet all filters of the view's request.

    :raises BadRequest: one cannot be read.
    """
    query = view.request.query_params
    for name, wanted in filters.items():
        if name in query and view.at_least(wanted.since):
            rows = rows.filter(wanted.condition(query[name]))
    return rows


def equal(column: str) -> Condition:
    return lambda text: Q(**{column: text})


def contains(column: str) -> Condition:
    return lambda text: Q(**{f"{column}__contains": text})


def identity(column: str) -> Condition:
    """Compare an id."""
    return lambda text: NOTHING if (ident := as_id(text)) is None else Q(**{column: ident})


def number(column: str) -> Condition:
    def condition(text: str) -> Q:
        fits = text.isascii() and text.isdecimal() and len(text) < len(str(INT32.stop)) + 1
        return Q(**{column: int(text)}) if fits and int(text) in INT32 else NOTHING

    return condition


def flag(column: str) -> Condition:
    """Compare a truth value.

    The condition raises BadRequest: the text is none.
    """
    return lambda text: Q(**{column: truth_of(text)})


def status(machine: Machine) -> Condition:
    """Compare the status as clients know it."""
    return lambda text: Q(status__in=[known for known in machine.statuses if shown(known) == text])


def always(truth: bool) -> Condition:
    """Compare what is the same for all rows."""
    return lambda text: Q() if truth_of(text) is truth else NOTHING


def truth_of(text: str) -> bool:
    """Return the truth value that the text spells.

    :raises BadRequest: it spells none.
    """
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise BadRequest(f"{text[:64]} is neither true nor false.")
    return word in TRUE


def metadata(text: str) -> Q:
    """Return the condition that a row has all these metadata: an object, as JSON or as Python writes it.

    :raises BadRequest: the text is no object of what can be stored.
    """
    items = {str(key): str(value) for key, value in _object(text).items()}
    return Q(metadata__contains=loads(json.dumps(items).encode()))


def _object(text: str) -> dict[Any, Any]:
    if len(text) <= LONGEST:
        for read in (json.loads, ast.literal_eval):  # Cinder's own client sends its dict as it prints it
            try:
                found = read(text)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    raise BadRequest("Invalid filter: metadata must be an object of text by text.")


def moments(column: str) -> Condition:
    """Compare times: `gt:2026-11-20T06:54:26,lt:...`, or one to be equal.

    The condition raises BadRequest: a time or a comparison cannot be read.
    """

    def condition(text: str) -> Q:
        met = Q()
        for term in text.split(","):
            sign, colon, time = term.strip().partition(":")
            if not colon or sign not in COMPARE:
                sign, time = "eq", term.strip()
            met &= COMPARE[sign](column, _time(time))
        return met

    return condition


def _time(text: str) -> datetime:
    try:
        time = parse_datetime(text.strip())
        day = None if time else parse_date(text.strip())
    except ValueError:
        time, day = None, None
    if time is None and day is not None:
        time = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if time is None:
        raise BadRequest(f"{text[:64]} is no time: write 2026-11-20T06:54:26.")
    return time if time.tzinfo else time.replace(tzinfo=UTC)
