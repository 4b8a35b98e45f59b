"""What holds for every leased resource."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Now

from lifecycle.advance import LONGEST_WAIT
from lifecycle.machine import Machine
from lifecycle.models import Event, Operation
from sync.registry import RESOURCES

GRACE = timedelta(seconds=30)
TAKE_OVER = "take_over"
ON_THE_WAY = {TAKE_OVER, "give_up", "retry"}  # events that are no moves


def no_row_is_stuck() -> Iterator[str]:
    """Busy rows meet their deadline, and a lease that has run out is taken over."""
    for resource in RESOURCES:
        model, name = resource.model, resource.model.machine.name
        rows = model._default_manager.filter(status__in=list(model.machine.busy))  # noqa: SLF001
        for row in rows.filter(deadline_at__lt=Now() - GRACE - LONGEST_WAIT):
            yield f"{name} {row.pk} is {row.status} past its deadline {row.deadline_at}"
        for row in rows.filter(holder__isnull=False, lease_until__lt=Now() - GRACE):
            yield f"{name} {row.pk} is held by {row.holder_id} under a lease that ran out at {row.lease_until}"
        for row in rows.filter(holder=None, watched=False, not_before__lt=Now() - GRACE):
            yield f"{name} {row.pk} is {row.status} and due since {row.not_before}, and nobody takes it up"
        for row in rows.filter(watched=True, not_before__lt=Now() - GRACE):
            yield f"{name} {row.pk} is watched, but was not looked at since {row.not_before}"


def no_lease_without_a_living_holder() -> Iterator[str]:
    """Who holds a row under a lease that still runs is alive: nobody renews what belongs to the dead."""
    dead = Q(holder__stopped_at__lt=Now() - GRACE) | Q(holder__seen_at__lt=Now() - F("holder__ttl") - GRACE)
    for resource in RESOURCES:
        rows = resource.model._default_manager.filter(dead, lease_until__gt=Now())  # noqa: SLF001
        for row in rows.select_related("holder"):
            yield (
                f"{row.machine.name} {row.pk} is held until {row.lease_until} by {row.holder}, which is dead"
            )


def every_request_has_one_outcome() -> Iterator[str]:
    """An open operation is its resource's current one; a finished one ended by exactly one outcome, of its kind."""
    for resource in RESOURCES:
        model, machine = resource.model, resource.model.machine
        current = set(
            model._default_manager.filter(operation__isnull=False).values_list("operation_id", "pk")  # noqa: SLF001
        )
        open_ones = Operation.objects.filter(resource_type=machine.name, finished_at=None)
        found = set(open_ones.values_list("pk", "resource_id"))
        for operation_id, pk in found - current:
            yield f"operation {operation_id} is open, but {machine.name} {pk} does not work on it"
        for operation_id, pk in current - found:
            yield f"{machine.name} {pk} works on operation {operation_id}, which is not open or not its own"
        yield from _ends(machine)


def _ends(machine: Machine) -> Iterator[str]:
    ended = (
        Event.objects.filter(resource_type=machine.name, event__in=list(machine.outcomes))
        .values("operation_id")
        .annotate(events_seen=Count("pk"))
    )
    for row in ended.filter(events_seen__gt=1):
        yield f"operation {row['operation_id']} ended {row['events_seen']} times"
    ours = Operation.objects.filter(resource_type=machine.name)
    over = ours.filter(state__in=[Operation.State.COMPLETE, Operation.State.FAILED])
    told = Event.objects.filter(operation_id=OuterRef("pk"), event__in=[*machine.outcomes, *machine.changes])
    recent = timedelta(days=settings.HISTORY_DAYS) / 2
    for operation in over.filter(~Exists(told), created_at__gt=Now() - recent):
        yield f"operation {operation.pk} is {operation.state}, but no event tells how it ended"
    well = [event for event, outcome in machine.outcomes.items() if outcome.succeeded]
    badly = machine.outcomes.keys() - set(well)
    # What was overtaken has no outcome at all, and none is of another kind than what it is said to have come to.
    for state, others in (
        (Operation.State.COMPLETE, badly),
        (Operation.State.FAILED, well),
        (Operation.State.SUPERSEDED, machine.outcomes),
    ):
        other = Event.objects.filter(operation_id=OuterRef("pk"), event__in=list(others))
        for operation in ours.filter(Exists(other), state=state):
            yield f"operation {operation.pk} is {state}, but its event tells of another outcome"


def events_form_a_legal_path() -> Iterator[str]:
    """Each resource's events lead from its birth along the table to its status; whoever takes over raises the epoch."""
    for resource in RESOURCES:
        machine = resource.model.machine
        now = dict(resource.model._default_manager.values_list("pk", "status"))  # noqa: SLF001
        events = Event.objects.filter(resource_type=machine.name).order_by("resource_id", "pk")
        for pk, path in groupby(events.iterator(), key=lambda event: event.resource_id):
            yield from _walk(machine, list(path), now.get(pk))


def _walk(machine: Machine, path: list[Event], status: str | None) -> Iterator[str]:
    who = f"{machine.name} {path[0].resource_id}"
    moves = set(machine.moves())
    claims = {
        TAKE_OVER,
        *machine.outcomes,
        *machine.changes,
    }  # that raise the epoch, or come after a claim that did
    epoch, moved, at = -1, -1, None  # the last epoch of all, and that of the last move
    for event in path:
        if event.epoch < epoch:
            yield f"{who}: epoch fell from {epoch} to {event.epoch} at event {event.pk} ({event.event})"
        elif event.epoch <= (epoch if event.event == TAKE_OVER else moved) and event.event in claims:
            yield f"{who}: {event.event} (event {event.pk}) was made without a claim: the epoch was {event.epoch}"
        epoch = max(epoch, event.epoch)
        if event.event in ON_THE_WAY:
            continue
        if at is not None and event.from_status != at:
            yield f"{who}: was {at}, but event {event.pk} ({event.event}) moved it from {event.from_status}"
        if (event.event, event.from_status, event.to_status) not in moves:
            yield f"{who}: {event.event} does not lead from {event.from_status} to {event.to_status}"
        at, moved = event.to_status, event.epoch
    if status is not None and at is not None and status != at:
        yield f"{who}: its status is {status}, but its events lead to {at}"
