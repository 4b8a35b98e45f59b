"""What came of a run, told once all is quiet: what was lost, doubled, stuck, left over, or cannot be explained.

It asks three witnesses, each of whom would be enough to condemn: the rows, stacks and files as they are (the operators'
`check_invariants`), the Operations against the history's requests, and the histories themselves.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from chaos.histories import Checked, check_all, doubly_answered
from chaos.history import Call, Fault
from chaos.linearizable import Answer
from chaos.tenants import ADMIN, TIGHT

FOUND, MISSING = 200, 404
SECONDS = 20.0  # for the search in one resource's history
_OF_ONE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
)  # what tells one failure from others
GAVE_UP = "Gave up after"  # how the core says that attempts ran out


class Harm(StrEnum):
    """What must not be."""

    LOST = "lost"
    DOUBLED = "doubled"
    STUCK = "stuck"
    ORPHAN = "orphans"
    WRONG = "contradictions"
    UNEXPLAINED = "unlinearizable"
    UNDECIDED = "undecided"


# What each check of the invariants tells of; the first word of these that is in a sentence, else the last.
_MEANING: dict[str, tuple[tuple[str, Harm], ...]] = {
    "no_row_is_stuck": (("", Harm.STUCK),),
    "no_lease_without_a_living_holder": (("", Harm.STUCK),),
    "every_request_has_one_outcome": (("times", Harm.DOUBLED), ("", Harm.LOST)),
    "one_stack_per_bay": (
        ("belongs to no bay", Harm.ORPHAN),
        ("stacks", Harm.DOUBLED),
        ("not in Heat", Harm.LOST),
        ("", Harm.WRONG),
    ),
    "one_file_per_row": (("should be stored", Harm.LOST), ("", Harm.ORPHAN)),
}

# The Operation that each accepted call must have made: the kind of its resource, and the word for it there.
RECORDED: dict[str, tuple[str, str]] = {
    "volume.create": ("volume", "create"),
    "volume.extend": ("volume", "extend"),
    "volume.revert": ("volume", "revert"),
    "volume.delete": ("volume", "delete"),
    "volume.reset": ("volume", "reset"),
    "snapshot.create": ("snapshot", "create"),
    "snapshot.delete": ("snapshot", "delete"),
    "attachment.create": ("volume", "reserve_attachment"),
    "transfer.create": ("volume", "transfer"),
    "transfer.accept": ("volume", "accept_transfer"),
    "bay.create": ("bay", "create"),
    "bay.resize": ("bay", "update"),
    "bay.delete": ("bay", "delete"),
}


class Ground(Protocol):
    """Where the run was."""

    def look(self) -> None:
        """Have Django set up in this process, past all that was in the nodes' way."""


@dataclass
class Verdict:
    """What was found."""

    harms: dict[Harm, list[str]] = field(default_factory=lambda: {harm: [] for harm in Harm})
    checked: Counter[tuple[str, Answer]] = field(default_factory=Counter)  # histories
    failed: Counter[str] = field(default_factory=Counter)  # operations that ended badly, by what and why
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)  # operations, by action and state
    stale_refused: int = 0
    replayed: int = 0  # answers that were given again instead of a second effect
    sent_again: int = 0  # requests that were sent more than once because nobody knew what had come of them
    take_overs: list[int] = field(default_factory=list)  # moments, monotonic, in nanoseconds

    @property
    def ok(self) -> bool:
        return not any(self.harms.values())

    def count(self, harm: Harm) -> int:
        return len(self.harms[harm])

    def add(self, harm: Harm, what: str) -> None:
        self.harms[harm].append(what)


def judge(
    ground: Ground,
    calls: Sequence[Call],
    faults: Sequence[Fault],
    stuck: Sequence[str] = (),
    *,
    with_heat: bool = True,
) -> Verdict:
    """Return the verdict on a run that has come to rest; `stuck` is what the harness saw not come to rest.

    :raises CloudError: Heat cannot be asked.
    :raises BackendError: a back-end cannot be listed.
    """
    del faults  # what was done is no excuse
    ground.look()
    verdict = Verdict()
    for what in (*stuck, *_still_busy()):
        verdict.add(Harm.STUCK, what)
    _ask_invariants(verdict, with_heat=with_heat)
    _ask_operations(verdict, calls)
    _ask_histories(verdict, calls)
    _count(verdict, calls)
    return verdict


def _still_busy() -> Iterator[str]:
    from sync.registry import RESOURCES  # noqa: PLC0415 - Django is set up by now

    for resource in RESOURCES:
        model = resource.model
        for row in model._default_manager.filter(operation__isnull=False):  # noqa: SLF001
            yield f"{model.machine.name} {row.pk} is still {row.status}: {row.status_reason}"


def _ask_invariants(verdict: Verdict, *, with_heat: bool) -> None:
    from sync import invariants  # noqa: PLC0415
    from volumes.models import Connection  # noqa: PLC0415

    for check, sentence in invariants.findings(with_heat=with_heat):
        meanings = _MEANING.get(check, (("", Harm.WRONG),))
        verdict.add(next(harm for word, harm in meanings if word in sentence), sentence)
    for way in Connection.objects.filter(attachments=None):
        verdict.add(Harm.ORPHAN, f"host {way.host} is {way.status} to volume {way.volume_id} for nobody")


def _ask_operations(verdict: Verdict, calls: Sequence[Call]) -> None:
    """Hold each request against the Operations that name it: one if it was accepted, else one at the most."""
    from lifecycle.models import Operation  # noqa: PLC0415

    rows = Operation.objects.values_list("request_id", "resource_type", "action")
    made = Counter((request_id, kind, action) for request_id, kind, action in rows.iterator())
    requests: dict[tuple[str, str], list[Call]] = {}
    for call in calls:
        if call.action in RECORDED:
            one = call.key or str(call.args["request_id"])
            requests.setdefault((str(call.args.get("tenant")), one), []).append(call)
    for sent in requests.values():
        found = sum(made[str(call.args["request_id"]), *RECORDED[call.action]] for call in sent)
        what = f"{sent[0].action} of {sent[0].resource or sent[0].args.get('name')} ({sent[0].args['request_id']})"
        if found > 1:
            verdict.add(Harm.DOUBLED, f"{what} was carried out {found} times")
        elif not found and any(call.accepted for call in sent):
            verdict.add(Harm.LOST, f"{what} was accepted, and no operation knows of it")
        elif found and all(not call.accepted and not call.unknown for call in sent):
            verdict.add(Harm.WRONG, f"{what} was refused and carried out: {sent[0].status} {sent[0].error}")
        verdict.sent_again += len(sent) > 1 and any(call.unknown for call in sent)
    for sentence in doubly_answered(calls):
        verdict.add(Harm.DOUBLED, sentence)


def _ask_histories(verdict: Verdict, calls: Sequence[Call]) -> None:
    from identity.models import Project  # noqa: PLC0415
    from lifecycle.models import Operation  # noqa: PLC0415
    from volumes.models import Quota  # noqa: PLC0415

    names = {project.pk: project.name for project in Project.objects.all()}
    tight = Quota.objects.filter(volumes_limit__range=(0, TIGHT))
    limits = {names[row.project_id]: row.volumes_limit or 0 for row in tight if row.project_id in names}
    failed = Operation.objects.filter(state=Operation.State.FAILED).values_list("resource_id", flat=True)
    every = [*calls, *_last_look(calls)]
    for checked in check_all(every, limits, failed={str(pk) for pk in failed}, seconds=SECONDS):
        answer = checked.result.answer
        verdict.checked[checked.kind, answer] += 1
        if answer is not Answer.YES:
            harm = Harm.UNEXPLAINED if answer is Answer.NO else Harm.UNDECIDED
            verdict.add(harm, told(checked))


def told(checked: Checked) -> str:
    """Return where a history ceases to make sense."""
    result = checked.result
    first, *more = [
        f"{call.action} by {call.args.get('tenant')} -> {call.status} {call.error or call.answer}"
        for call in result.stuck
    ] or ["nothing"]
    others = f" (nor {len(more)} others at that time)" if more else ""
    return (
        f"{checked.kind} {checked.resource}: {result.explained} of {result.of} calls make sense, then not "
        f"{first}{others}; it could be {result.state}"
    )


def _last_look(calls: Sequence[Call]) -> Iterator[Call]:
    """Yield what an operator would be shown last of everything that the history knows."""
    from bays.models import Bay  # noqa: PLC0415
    from volumes.models import Snapshot, Volume  # noqa: PLC0415
    from volumes.states import shown  # noqa: PLC0415

    volumes: dict[str, dict[str, Any]] = {
        str(row.pk): {
            "status": shown(row.status),
            "size": row.size,
            "name": row.name,
            "metadata": row.metadata,
        }
        for row in Volume.objects.all()
    }
    snapshots: dict[str, dict[str, Any]] = {
        str(row.pk): {"status": shown(row.status)} for row in Snapshot.objects.all()
    }
    bays: dict[str, dict[str, Any]] = {
        str(row.pk): {"status": row.status, "node_count": row.node_count} for row in Bay.objects.all()
    }
    there = {"volume": volumes, "snapshot": snapshots, "bay": bays}
    known: set[str] = set()
    for call in calls:
        kind, _, verb = call.action.partition(".")
        if verb == "create" and kind in there and call.resource and call.resource not in known:
            known.add(call.resource)
            answer = there[kind].get(call.resource)
            now = time.monotonic_ns()
            status = FOUND if answer else MISSING
            args = {"tenant": ADMIN, "volume": call.args.get("volume")}
            yield Call(-1, 0, f"{kind}.show", call.resource, args, None, now, now + 1, status, answer)


def _count(verdict: Verdict, calls: Sequence[Call]) -> None:
    """Count what the run has come to; the state may hold what came of earlier ones."""
    from django.db.models import Count, Sum  # noqa: PLC0415

    from identity.models import Project  # noqa: PLC0415
    from lifecycle.models import Event, Node, Operation  # noqa: PLC0415

    skew = time.monotonic_ns() - time.time_ns()
    began = min((call.begun for call in calls), default=0)
    since = datetime.fromtimestamp((began - skew) / 1e9, tz=UTC)
    projects = Project.objects.filter(name__in={str(call.args.get("tenant")) for call in calls} - {ADMIN})
    ours = Operation.objects.filter(project_id__in=list(projects.values_list("pk", flat=True)))
    states = ours.values_list("resource_type", "action", "state").annotate(count=Count("pk"))
    for kind, action, state, count in states:
        verdict.outcomes[f"{kind} {action}", state] = count
    for operation in ours.filter(state=Operation.State.FAILED):
        what = f"{operation.resource_type} {operation.action}"
        verdict.failed[f"{what}: {_OF_ONE.sub('...', operation.reason)[:160]}"] += 1
        if operation.reason.startswith(GAVE_UP):  # the plan strikes no row so often
            verdict.add(Harm.STUCK, f"{what} {operation.pk}: {operation.reason[:300]}")
    nodes = Node.objects.filter(seen_at__gte=since)
    verdict.stale_refused = nodes.aggregate(total=Sum("stale_refused"))["total"] or 0
    verdict.replayed = sum(1 for call in calls if (call.answer or {}).get("replayed"))
    moments = Event.objects.filter(event="take_over", at__gte=since).order_by("pk")
    verdict.take_overs = [int(at.timestamp() * 1e9) + skew for at in moments.values_list("at", flat=True)]
