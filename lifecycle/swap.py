"""The one guarded write: UPDATE ... WHERE <own columns> RETURNING the row.

A filtered UPDATE is a compare-and-swap only if every condition is a column of the very row it writes. After
waiting for a lock PostgreSQL checks the row's own columns again, but not a subquery's or a join's result, so
such a write lets two sessions win. This module refuses them.

To turn expressions into SQL costs more than to run it: a swap that is made again and again is a `Swap`, whose SQL is
made once and whose values are `Given` each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.expressions import BaseExpression, Expression, Subquery
from django.db.models.sql import Query, UpdateQuery

from lifecycle.errors import UnsafeSwap
from lifecycle.prepared import fetched

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Part:
    """A statement, or a part of one, with its parameters."""

    sql: str
    params: Sequence[Any] = ()


class Given(Expression):
    """A value that is named when a Swap is made, and given when it is run."""

    def __init__(self, name: str, output_field: models.Field[Any, Any] | None = None) -> None:
        super().__init__(output_field=output_field)
        self.name = name
        self._told = output_field

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:  # noqa: ARG002 - Django's signature
        """Return its place; with its type, where it is told, which the server cannot always tell from around it."""
        return "%s" if self._told is None else f"%s::{self._told.cast_db_type(connection)}", [self]


class Swap(Generic[M]):
    """A guarded write of one kind, for rows of one model."""

    def __init__(
        self, model: type[M], *conditions: models.Q, values: Mapping[str, object], **filters: object
    ) -> None:
        """Take what the write asks for and what it writes; nothing is compiled or run yet."""
        self.model = model
        self._asked = (conditions, values, filters)
        self._compiled: Part | None = None

    def part(self, **given: object) -> Part:
        """Return the statement with these values. It returns the rows as written, all columns of them.

        :raises UnsafeSwap: a condition or a value reaches beyond the row's own columns.
        """
        if self._compiled is None:
            self._compiled = self._compile()
        sql, params = self._compiled.sql, self._compiled.params
        return Part(sql, [given[one.name] if isinstance(one, Given) else one for one in params])

    def rows(self, **given: object) -> list[M]:
        """Run it, and return the rows as written."""
        return rows_of(self.model, self.part(**given))

    def row(self, **given: object) -> M | None:
        """Run it for one row, and return that as written; None if it does not meet the conditions."""
        rows = self.rows(**given)
        return rows[0] if rows else None

    def _compile(self) -> Part:
        model, (conditions, values, filters) = self.model, self._asked
        if model._meta.parents:  # noqa: SLF001
            raise UnsafeSwap(f"{model.__name__} has columns in its parent's table; use an abstract base.")
        query = model._default_manager.filter(*conditions, **filters).query  # noqa: SLF001
        _refuse_foreign_conditions(query)
        update = query.chain(UpdateQuery)
        assert isinstance(update, UpdateQuery)  # noqa: S101 - chain() returns what it was given
        update.clear_ordering(force=True)
        update.add_update_values(dict(values))
        _refuse_subqueries(value for value in values.values() if isinstance(value, BaseExpression))
        sql, params = update.get_compiler(connection=connection).as_sql()
        return _constant(Part(f"{sql} RETURNING {columns(model)}", params))


def swap(
    model: type[M], *conditions: models.Q, pk: object, values: Mapping[str, object], **filters: object
) -> M | None:
    """Update the row `pk` if it meets the conditions and return it as written, or None.

    :raises UnsafeSwap: a condition or a value reaches beyond the row's own columns.
    """
    rows = swap_many(model, *conditions, pk=pk, values=values, **filters)
    return rows[0] if rows else None


def swap_many(
    model: type[M], *conditions: models.Q, values: Mapping[str, object], **filters: object
) -> list[M]:
    """Update every row that meets the conditions, in one statement, and return them as written.

    :raises UnsafeSwap: a condition or a value reaches beyond the row's own columns.
    """
    try:
        return Swap(model, *conditions, values=values, **filters).rows()
    except EmptyResultSet:  # a condition that no row can meet, such as pk__in=[]
        return []


def _constant(statement: Part) -> Part:
    """Return the statement with what is always the same written out, if it is to be given anything at all.

    Prepared, it is planned without knowing its parameters: a partial index serves only what is seen to be within it.
    """
    if not any(isinstance(one, Given) for one in statement.params):
        return statement
    with connection.cursor() as cursor:
        places = [
            "%s" if isinstance(one, Given) else cursor.mogrify("%s", [one]).decode().replace("%", "%%")
            for one in statement.params
        ]
    return Part(statement.sql % tuple(places), [one for one in statement.params if isinstance(one, Given)])


def columns(model: type[models.Model]) -> str:
    """Return all columns of a model's table, in the order in which `rows_of` reads them."""
    quote = connection.ops.quote_name
    return ", ".join(quote(str(field.column)) for field in model._meta.concrete_fields)  # noqa: SLF001


def rows_of(model: type[M], statement: Part) -> list[M]:
    """Run a statement that returns all columns of a model's rows, and return the rows."""
    found = fetched(statement.sql, statement.params)
    names, converters = _reader(model)
    return [model.from_db(DEFAULT_DB_ALIAS, names, _converted(row, converters)) for row in found]


@cache
def _reader(model: type[models.Model]) -> tuple[list[str], dict[int, Any]]:
    """Return a model's attributes, and how the database's values become theirs."""
    fields = model._meta.concrete_fields  # noqa: SLF001
    compiler = model._default_manager.all().query.get_compiler(connection=connection)  # noqa: SLF001
    converters = compiler.get_converters([field.get_col(model._meta.db_table) for field in fields])  # noqa: SLF001
    return [field.attname for field in fields], converters


def _converted(row: Sequence[Any], converters: Mapping[int, Any]) -> list[Any]:
    values = list(row)
    for index, (each, expression) in converters.items():
        for convert in each:
            values[index] = convert(values[index], expression, connection)
    return values


def _refuse_foreign_conditions(query: Query) -> None:
    query.get_initial_alias()
    if query.count_active_tables() != 1:
        raise UnsafeSwap("The swap filters across a relation; it may only name its own row's columns.")
    _refuse_subqueries(_children(query.where))


def _children(node: Any) -> Iterable[Any]:
    for child in node.children:
        if hasattr(child, "children"):
            yield from _children(child)
        else:
            yield child


def _refuse_subqueries(expressions: Iterable[Any]) -> None:
    for expression in expressions:
        for part in [*expression.flatten(), getattr(expression, "rhs", None)]:
            if isinstance(part, Query | Subquery):
                raise UnsafeSwap("The swap names a subquery; it may only name its own row's columns.")
