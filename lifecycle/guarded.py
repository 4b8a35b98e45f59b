"""The guarded writes of a lease, as the UPDATEs that they are: claim, renew, rest, move. Each is compiled once.

What they write with them (Events, Operations) and who may call them: see `lifecycle.leases`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Case, DurationField, F, Model, Q, TextField, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Now

from lifecycle.models import Leased
from lifecycle.swap import Given, Swap

L = TypeVar("L", bound=Leased)
Fields = Mapping[str, object]

RELEASED: Mapping[str, object] = {"holder": None, "holder_pid": None, "lease_until": None}
FENCE: Mapping[str, object] = {"pk": Given("pk"), "holder": Given("holder"), "epoch": Given("epoch")}


def due() -> Q:
    """Rows that are owed work now: not watched, their time has come, and nobody's lease on them holds."""
    return Q(watched=False, not_before__lte=Now()) & (Q(holder=None) | Q(lease_until__lt=Now()))


def claimable(model: type[Leased]) -> Q:
    """Rows that this node may claim: those within its reach, and, to fail them, those past their deadline."""
    reach = model.within_reach()
    return Q(**reach) | Q(deadline_at__lt=Now()) if reach else Q()


def at_rest(model: type[Leased], status: str, reason: object) -> dict[str, object]:
    """Return what a row's columns are when it comes to rest in `status`."""
    return {
        **model.resting,
        **RELEASED,
        "status": status,
        "status_reason": reason,
        "operation": None,
        "deadline_at": None,
        "watched": False,
        "rung_at": None,
        "attempts": 0,
        "retries": 0,
        "taken_from": None,
        "updated_at": Now(),
    }


def claiming(model: type[L]) -> Swap[L]:
    """Return the claim. There are as many as an operator has changed which work this node may do."""
    return _claiming(model, repr(model.within_reach()))


def claiming_next(model: type[L]) -> Swap[L]:
    """Return the claim of the row that has been due for longest and that nobody else is just claiming."""
    return _claiming_next(model, repr(model.within_reach()))


@cache
def _claiming(model: type[L], reach: str) -> Swap[L]:
    del reach
    return _a_claim(model, Given("pk"))


@cache
def _claiming_next(model: type[L], reach: str) -> Swap[L]:
    """It names the row by a subquery, as no other swap may: the subquery has locked that very row."""
    del reach
    due_now = model._default_manager.filter(due(), claimable(model), status__in=list(model.machine.busy))  # noqa: SLF001
    first = due_now.order_by("not_before").values("pk")[:1]
    sql, params = first.query.sql_with_params()
    return _a_claim(model, RawSQL(f"{sql} FOR UPDATE SKIP LOCKED", params))  # noqa: S611 - our own SQL


def _a_claim(model: type[L], pk: object) -> Swap[L]:
    return Swap(
        model,
        due(),
        claimable(model),
        pk=pk,
        status__in=list(model.machine.busy),
        values={
            "holder": Given("holder"),
            "holder_pid": Given("pid"),
            "epoch": F("epoch") + 1,
            "lease_until": Now() + Given("lease", DurationField()),
            "claimed_at": Now(),
            "attempts": F("attempts") + 1,
            "taken_from": Coalesce(F("holder_id"), F("taken_from")),
        },
    )


@cache
def renewing(model: type[L]) -> Swap[L]:
    """Return the renewal of all that a node holds, if it was claimed within the `limit`."""
    return Swap(
        model,
        holder=Given("holder"),
        claimed_at__gt=Now() - Given("limit", DurationField()),
        lease_until__gt=Now(),  # a lease that has run out is not brought back: another may be claiming
        values={"lease_until": Now() + Given("lease", DurationField())},
    )


def moving(model: type[L], target: str, fields: Fields) -> Swap[L]:
    """Return the move to `target`, if the row is still in the status and owes the operation that it was claimed for."""
    return _moving(model, target, tuple(fields)) if _is_plain(fields) else _a_move(model, target, fields)


@cache
def _moving(model: type[L], target: str, names: tuple[str, ...]) -> Swap[L]:
    return _a_move(model, target, _named(names))


def _a_move(model: type[L], target: str, fields: Fields) -> Swap[L]:
    values = {**at_rest(model, target, Given("reason", TextField())), **fields}
    claimed = {"status": Given("status"), "operation": Given("operation")}
    return Swap(model, **claimed, **FENCE, values=values)


def resting(model: type[L], fields: Fields, *, watch: bool, clean: bool, retry: bool) -> Swap[L]:
    """Return the rest. What says when and why to go on is left as it is where a request has moved the row."""
    if _is_plain(fields):
        return _resting(model, tuple(fields), watch=watch, clean=clean, retry=retry)
    return _a_rest(model, fields, watch=watch, clean=clean, retry=retry)


@cache
def _resting(model: type[L], names: tuple[str, ...], *, watch: bool, clean: bool, retry: bool) -> Swap[L]:
    return _a_rest(model, _named(names), watch=watch, clean=clean, retry=retry)


def _a_rest(model: type[L], fields: Fields, *, watch: bool, clean: bool, retry: bool) -> Swap[L]:
    same = Q(operation=Given("operation"))
    values: dict[str, object] = {
        **RELEASED,
        "not_before": _if(same, Now() + Given("after", DurationField()), F("not_before")),
        "watched": _if(same, Value(watch), F("watched")),
        "rung_at": None,  # the bell was answered: the sweep may ring as soon as the row is due
        "retries": F("retries") + 1 if retry else 0,
        "status_reason": _if(same, Given("reason", TextField()), F("status_reason")),
        "updated_at": Now(),
        **fields,
    }
    if "deadline_at" in fields:
        values["deadline_at"] = _if(same, fields["deadline_at"], F("deadline_at"))
    if clean:
        values |= {"attempts": 0, "taken_from": None}
    return Swap(model, **FENCE, values=values)


def given(model: type[Leased], fields: Fields) -> dict[str, object]:
    """Return the plain values of the fields, as the database takes them, by the names under which they are given."""
    return {
        _as(name): _stored(model, name, value) for name, value in fields.items() if not _is_computed(value)
    }


def _stored(model: type[Leased], name: str, value: Any) -> object:
    field: Any = model._meta.get_field(name)  # noqa: SLF001
    stored: object = field.get_db_prep_save(value.pk if isinstance(value, Model) else value, connection)
    return stored


def _is_plain(fields: Fields) -> bool:
    return not any(map(_is_computed, fields.values()))


def _is_computed(value: object) -> bool:
    return hasattr(value, "resolve_expression")


def _named(names: tuple[str, ...]) -> Fields:
    return {name: Given(_as(name)) for name in names}


def _as(name: str) -> str:
    return f"field {name}"


def _if(condition: Q, then: object, otherwise: F) -> Case:
    return Case(When(condition, then=then), default=otherwise)
