"""The one guarded write: UPDATE ... WHERE <own columns> RETURNING the row.

A filtered UPDATE is a compare-and-swap only if every condition is a column of the very row it writes. After
waiting for a lock PostgreSQL checks the row's own columns again, but not a subquery's or a join's result, so
such a write lets two sessions win. This module refuses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections, models, router
from django.db.models.expressions import BaseExpression, Subquery
from django.db.models.sql import Query, UpdateQuery

from lifecycle.errors import UnsafeSwap

M = TypeVar("M", bound=models.Model)


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
    if model._meta.parents:  # noqa: SLF001
        raise UnsafeSwap(f"{model.__name__} has columns in its parent's table; use an abstract base.")
    query = model._default_manager.filter(*conditions, **filters).query  # noqa: SLF001
    _refuse_foreign_conditions(query)
    update = query.chain(UpdateQuery)
    assert isinstance(update, UpdateQuery)  # noqa: S101 - chain() returns what it was given
    update.clear_ordering(force=True)
    update.add_update_values(dict(values))
    _refuse_subqueries(value for value in values.values() if isinstance(value, BaseExpression))
    return _returning(model, update)


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


def _returning(model: type[M], update: UpdateQuery) -> list[M]:
    using = router.db_for_write(model)
    compiler = update.get_compiler(using)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:  # a condition that no row can meet, such as pk__in=[]
        return []
    fields = model._meta.concrete_fields  # noqa: SLF001
    connection = connections[using]
    quoted = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} RETURNING {quoted}", params)
        rows: Iterable[Any] = cursor.fetchall()
    converters = compiler.get_converters([field.get_col(model._meta.db_table) for field in fields])  # noqa: SLF001
    if converters:
        rows = compiler.apply_converters(rows, converters)
    names = [field.attname for field in fields]
    return [model.from_db(using, names, tuple(row)) for row in rows]
