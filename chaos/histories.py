"""From calls to operations, and from all of them to one history for each resource, each checked by itself.

Calls under one Idempotency-Key are one operation, which takes effect at most once: between the first sending and the
first acceptance, or, if nobody heard of one, at any time after the first sending that may have arrived, or never.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chaos.history import Call
from chaos.linearizable import Answer, Model, Op, Result, check
from chaos.models import VolumeModel
from chaos.refusals import NOT_FOUND, OVER_QUOTA, is_pending
from chaos.registers import BayModel, NameModel, QuotaModel

Ops = list[Op[Call]]
SILENT = {401, 403, 422, 429}  # refused before anything was looked at; or told by `doubly_answered`
WITH_WAIT = {"attachment.create", "transfer.create"}  # whose answer shows what is there when it is given


@dataclass(frozen=True, slots=True)
class Checked:
    """One resource's history and the answer to it."""

    kind: str
    resource: str
    ops: Ops
    result: Result[Any, Call]


def operations(calls: Iterable[Call]) -> Ops:
    """Return the operations that the calls are about, in the order of their first sending."""
    keyed: dict[tuple[str, str], list[Call]] = defaultdict(list)
    found: Ops = []
    for call in calls:
        if call.key is not None:
            keyed[str(call.args.get("tenant")), call.key].append(call)
        elif (op := _single(call)) is not None:
            found.append(op)
    for sent in keyed.values():
        found += _keyed(sorted(sent, key=lambda call: call.begun))
    return sorted(found, key=lambda op: op.begun)


def _single(call: Call) -> Op[Call] | None:
    if call.unknown or call.ended is None:
        return None if is_look(call) else Op(call, call.begun, None, certain=False, kind=kind_of(call))
    return None if call.status in SILENT or is_pending(call) else Op(call, call.begun, call.ended)


def _keyed(sent: Sequence[Call]) -> Iterator[Op[Call]]:
    accepted = [call for call in sent if call.accepted]
    for call in sent:
        op = None if call.unknown or call.accepted else _single(call)
        if op is not None:
            yield op
    if accepted:
        first = min(accepted, key=lambda call: call.ended or 0)
        # A replay's answer is of an effect that any earlier sending may have had.
        yield Op(first, sent[0].begun, first.ended)
    elif unknown := [call for call in sent if call.unknown]:
        yield Op(unknown[0], unknown[0].begun, None, certain=False, kind=kind_of(unknown[0]))


def is_look(call: Call) -> bool:
    return call.action.endswith((".show", ".list"))


def kind_of(call: Call) -> str:
    """Return what operations of the same effect have in common."""
    args = {name: value for name, value in call.args.items() if name not in {"request_id", "if_match"}}
    made = call.key if call.resource is None else ""  # what makes something makes another thing each time
    return f"{call.action} {call.resource} {made} {sorted(args.items(), key=str)}"


def check_all(
    calls: Sequence[Call],
    limits: Mapping[str, int],
    *,
    failed: Collection[str] | None = None,
    seconds: float = 30.0,
) -> Iterator[Checked]:
    """Yield each resource's answer. `limits` are those of the volumes of the projects to be checked for them.

    `failed` are the volumes, snapshots and bays whose work has failed, on record: no other may have failed. None: any
    may. `seconds` are for each resource.
    """

    def fails(*ids: str) -> bool:
        return failed is None or any(ident in failed for ident in ids)

    every = operations(_named(calls))
    of_volume: dict[str, Ops] = defaultdict(list)
    of_bay: dict[str, Ops] = defaultdict(list)
    for op in every:
        for volume, part in _by_volume(op):
            of_volume[volume].append(part)
        if op.call.action.startswith("bay.") and op.call.resource:
            of_bay[op.call.resource].append(op)
    _add_lists(every, of_volume, "volume")
    _add_lists(every, of_bay, "bay")
    for volume, ops in of_volume.items():
        if any(op.call.action == "volume.create" for op in ops):
            family = {volume, *(str(op.call.resource) for op in ops if op.call.action == "snapshot.create")}
            yield _checked("volume", volume, VolumeModel(fails=fails(*family)), ops, seconds)
            yield _checked("name", volume, NameModel(), [op for op in ops if _has_name(op)], seconds)
    for bay, ops in of_bay.items():
        if any(op.call.action == "bay.create" for op in ops):
            yield _checked("bay", bay, BayModel(fails=fails(bay)), ops, seconds)
    for tenant, limit in limits.items():
        counted = [op for op in every if op.call.args.get("tenant") == tenant and _is_counted(op)]
        yield _checked("quota", tenant, QuotaModel(limit), counted, seconds)


def _checked(kind: str, resource: str, model: Model[Any, Call], ops: Ops, seconds: float) -> Checked:
    return Checked(kind, resource, ops, check(model, ops, seconds=seconds))


def _by_volume(op: Op[Call]) -> Iterator[tuple[str, Op[Call]]]:
    """Yield the volumes whose families an operation concerns, and what it is to each: a clone reads its source."""
    call = op.call
    kind = call.action.partition(".")[0]
    if kind == "volume":
        if call.resource:
            yield call.resource, op
        if call.accepted and "source_volid" in call.args:
            volume = str(call.args["source_volid"])
            yield volume, replace(op, call=replace(call, action="volume.read", resource=volume))
        if call.accepted and "source" in call.args:
            read = replace(call, action="snapshot.read", resource=str(call.args["snapshot_id"]))
            yield str(call.args["source"]), replace(op, call=read)
    elif kind in {"snapshot", "attachment", "transfer"}:
        yield str(call.args["volume"]), op


def _add_lists(every: Ops, histories: Mapping[str, Ops], kind: str) -> None:
    """Add what each list showed of each resource, as if it had been asked for, and what it did not show.

    What is not in a list of its project was not there: told to those that it may concern, in their time.
    """
    lists = [op for op in every if op.call.action == f"{kind}.list" and op.call.accepted]
    for resource, ops in histories.items():
        made = next((op for op in ops if op.call.action == f"{kind}.create"), None)
        over = max((op.ended for op in ops if op.ended), default=0)
        for op in lists:
            call = op.call
            seen = (call.answer or {}).get(f"{kind}s", {}).get(resource)
            if seen is not None:
                shown = replace(call, action=f"{kind}.show", resource=resource, answer=seen)
            elif (
                made is None
                or made.ended is None
                or call.args.get("tenant") != made.call.args.get("tenant")
                or not made.ended < op.begun < over
            ):
                continue
            else:
                shown = replace(call, action=f"{kind}.show", resource=resource, answer=None, status=NOT_FOUND)
            ops.append(replace(op, call=shown))


def _named(calls: Sequence[Call]) -> list[Call]:
    """Return the calls, those that made something unheard of with the id under which a list or show told of it.

    Names are used once, so a name says which request it was.
    """
    ids: dict[str, str] = {}
    sources: dict[str, str] = {}
    for call in calls:
        answer = call.answer or {}
        if call.action == "volume.show" and call.accepted:
            ids.setdefault(str(answer["name"]), str(call.resource))
        for ident, seen in answer.get("volumes", {}).items():
            ids.setdefault(str(seen["name"]), ident)
        if call.action == "snapshot.create" and call.resource:
            sources[call.resource] = str(call.args["volume"])
    found = []
    for call in calls:
        named = call
        if call.action == "volume.create" and call.resource is None and call.unknown:
            named = replace(call, resource=ids.get(str(call.args["name"])))
        snapshot = call.args.get("snapshot_id")
        if snapshot in sources:
            named = replace(named, args={**named.args, "source": sources[str(snapshot)]})
        found.append(named)
    return found


def _has_name(op: Op[Call]) -> bool:
    call = op.call
    told = call.accepted or call.unknown
    return told and call.action in {"volume.create", "volume.update", "volume.show"}


def _is_counted(op: Op[Call]) -> bool:
    call = op.call
    if call.action == "volume.delete":
        return call.accepted or call.unknown
    full = call.status == OVER_QUOTA and "for volumes" in call.error
    return call.action == "volume.create" and (call.accepted or call.unknown or full)


def doubly_answered(calls: Iterable[Call]) -> Iterator[str]:
    """Yield each key that was answered in two ways, and each revision from which two changes were accepted."""
    keyed: dict[tuple[str, str], list[Call]] = defaultdict(list)
    revised: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in calls:
        if call.key is not None:
            keyed[str(call.args.get("tenant")), call.key].append(call)
        if call.accepted and (tag := call.args.get("if_match")):
            revised[str(call.resource), str(tag).strip('"').partition("-")[0]].append(call)
    for (_, key), sent in keyed.items():
        yield from _answers_of(key, sorted(sent, key=lambda call: call.begun))
    for (resource, tag), won in revised.items():
        if len(won) > 1:
            yield f"{resource}: {len(won)} changes were accepted of revision {tag}: {[c.action for c in won]}"


def _answers_of(key: str, sent: Sequence[Call]) -> Iterator[str]:
    same: Callable[[Call], object] = lambda call: (  # noqa: E731 - one expression
        call.resource if call.action in WITH_WAIT else (call.status, (call.answer or {}).get("digest"))
    )
    accepted = [call for call in sent if call.accepted]
    if len({same(call) for call in accepted}) > 1:
        yield f"key {key} ({sent[0].action}) was answered in {len({same(c) for c in accepted})} ways"
    first = min((call.ended or 0 for call in accepted), default=None)
    for call in sent:
        refused = not call.accepted and not call.unknown and call.status not in {401, 429}
        if first is not None and call.begun > first and refused and not is_pending(call):
            yield f"key {key} ({call.action}) was accepted and later refused: {call.status} {call.error}"


def unlinearizable(checked: Iterable[Checked]) -> list[Checked]:
    return [each for each in checked if each.result.answer is Answer.NO]
