"""The guards that span rows, and the lookups that never show another project's rows.

Who writes to a volume or snapshot, and who begins to read it, locks its row first; then looks; then swaps. Readers
share with readers, up to a limit. A writer waits for nobody: it is refused at once, and told for whom it would wait.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from django.conf import settings
from django.db import connection, models
from django.db.models import Q

from api.problems import BadRequest, Busy, NotFound, WrongState
from identity.callers import Caller
from lifecycle.machine import Machine
from lifecycle.models import Event
from lifecycle.requests import Asked
from volumes.models import Attachment, Connection, Pool, Snapshot, Transfer, Volume
from volumes.states import ATTACHED, CALM, CREATING, ERROR_EXTENDING, shown

R = TypeVar("R", Volume, Snapshot)
USABLE = frozenset(CALM)
SHOWN = 5  # readers named in a refusal


def asked(by: Caller, request_id: str, row: Volume | Snapshot | None = None, /, **params: object) -> Asked:
    """Return who asks; the operation belongs to the project of the row, whoever asks."""
    return Asked(by.user_id, row.project_id if row is not None else by.project, request_id, params)


def find_volume(by: Caller, ident: str) -> Volume:
    """Return the volume with this id, of the caller's project or, for admins, of any.

    :raises NotFound: there is none that the caller may see.
    """
    return _find(Volume, by, ident)


def find_snapshot(by: Caller, ident: str) -> Snapshot:
    """Return the snapshot with this id, of the caller's project or, for admins, of any.

    :raises NotFound: there is none that the caller may see.
    """
    return _find(Snapshot, by, ident)


def _find(model: type[R], by: Caller, ident: str) -> R:
    pk = as_id(ident)
    rows = model._default_manager.select_related("type")  # noqa: SLF001
    row = rows.filter(pk=pk).first() if pk is not None else None
    if row is None or not (by.is_admin or row.project_id == by.project):
        raise NotFound(f"{model.__name__} {ident[:255]} could not be found.")
    return row


def as_id(text: str) -> uuid.UUID | None:
    """Return the id that the text spells, or None."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def locked(row: R) -> R:
    """Return the row as it is now, locked until the transaction ends.

    :raises NotFound: it is gone.
    """
    found = type(row)._default_manager.select_for_update(of=("self",)).select_related("type")  # noqa: SLF001
    there = found.filter(pk=row.pk).first()
    given_away = there is not None and there.project_id != row.project_id
    if there is None or given_away:
        raise NotFound(f"{type(row).__name__} {row.pk} could not be found.")
    return there


def same_owner(row: R) -> Callable[[R], None]:
    """Return the guard of a swap: the row must still be of the project in which it was found.

    :raises NotFound: (when called) it was given to another meanwhile.
    """

    def guard(found: R) -> None:
        if found.project_id != row.project_id:
            raise NotFound(f"{type(row).__name__} {row.pk} could not be found.")

    return guard


def reset_to(machine: Machine, by: Caller, status: str, reason: str) -> tuple[str, str]:
    """Return what an operator's reset sets, and what is noted of it.

    :raises BadRequest: no such status can be set.
    """
    settable = {shown(target): target for target in machine.changes["reset"].targets}
    if status not in settable:
        allowed = ", ".join(sorted(settable))
        raise BadRequest(f"Invalid status {status[:64]}: it must be one of {allowed}.")
    return settable[status], f"Set to {status} by an operator ({by.user_name}). {reason}".rstrip()


def refuse_unfinished(row: Volume | Snapshot, to: str) -> None:
    """Refuse to call usable what was never made, or may still grow: its worker may only be frozen.

    Of a creation our own records tell; what is gone from them is as long over as history is kept.

    :raises WrongState: the row's work did not come to an end that allows `to`.
    """
    if to not in USABLE:
        return
    events = Event.objects.filter(resource_id=row.pk).order_by("-pk")
    called_off = Q(event="reset", from_status=CREATING) | Q(event="create_failed")
    begun = row.status == CREATING or events.filter(called_off).exists()
    if begun and not events.filter(event="created").exists():
        raise WrongState(
            f"Cannot reset {row.machine.name} {row.pk} to {to}: its creation has not come to an end. Delete it."
        )
    if isinstance(row, Volume) and row.may_grow_to is not None:
        raise WrongState(
            f"Cannot reset {row.machine.name} {row.pk} to {to}: its extend has not come to an end and may still take "
            f"effect. Reset it to {ERROR_EXTENDING} and extend it again."
        )


def readers_of(row: Volume | Snapshot) -> list[str]:
    """Return who reads the locked row now: clones and snapshots under way, a revert."""
    if isinstance(row, Snapshot):
        return [f"volume {pk}" for pk in row.readers.values_list("pk", flat=True)]
    clones = [f"volume {pk}" for pk in row.clones.values_list("pk", flat=True)]
    copies = row.snapshots.filter(status=CREATING)
    return clones + [f"snapshot {pk}" for pk in copies.values_list("pk", flat=True)]


def refuse_readers(row: Volume | Snapshot, event: str) -> None:
    """Refuse to write to what is being read.

    :raises Busy: naming the readers.
    """
    readers = readers_of(row)
    if readers:
        raise Busy(f"Cannot {event} {row.machine.name} {row.pk}: it is being read by {_named(readers)}.")


def admit_reader(row: Volume | Snapshot) -> None:
    """Let one more read the locked row.

    :raises Busy: there are as many as may be.
    """
    readers = readers_of(row)
    if len(readers) >= settings.READERS:
        raise Busy(
            f"{row.machine.name.capitalize()} {row.pk} is being read by {_named(readers)}, and no more than "
            f"{settings.READERS} may read at once."
        )


def refuse_users(volume: Volume, event: str) -> None:
    """Refuse what would take a volume away from those that use it.

    :raises WrongState: it has attachments or connections.
    """
    used = [
        f"attachment {pk}" for pk in Attachment.objects.filter(volume=volume).values_list("pk", flat=True)
    ] or [f"host {host}" for host in Connection.objects.filter(volume=volume).values_list("host", flat=True)]
    if used:
        raise WrongState(f"Cannot {event} volume {volume.pk}: it is in use by {_named(used)}.")


def is_used(volume: Volume) -> bool:
    """Tell whether any host may be writing to the locked volume, whatever an operator has set its status to."""
    ways = Connection.objects.filter(volume=volume).values_list("pk")
    uses = Attachment.objects.filter(volume=volume).values_list("pk")
    return volume.status in ATTACHED or ways.union(uses).exists()


def require(row: Volume | Snapshot, event: str, *statuses: str) -> None:
    """Refuse what needs the row to be in one of the statuses.

    :raises WrongState: naming the status that was found and those that would do.
    """
    if row.status not in statuses:
        allowed = ", ".join(dict.fromkeys(map(shown, statuses)))
        raise WrongState(
            f"Cannot {event} {row.machine.name} {row.pk}, whose status is {shown(row.status)}: "
            f"the status must be one of {allowed}."
        )


def require_for(row: Volume | Snapshot, event: str) -> None:
    """Refuse an event that the row's status does not allow, before anything else is looked at.

    :raises WrongState: naming the status that was found and those that would do.
    """
    sources = row.machine.sources(event)
    require(row, event, *(status for status in row.machine.statuses if status in sources))


def require_instant(volume: Volume, event: str) -> None:
    """Refuse to copy bytes that change meanwhile, unless the pool copies them in one moment.

    :raises WrongState: it does not.
    """
    pool = Pool.objects.get(pk=volume.pool_id)
    if not pool.capabilities.get("instant_copies"):
        raise WrongState(
            f"Cannot {event} volume {volume.pk} while it is in use: back-end {volume.backend} cannot copy it in one "
            f"moment."
        )


def is_alone(volume: Volume) -> bool:
    """Tell in one look that nothing hangs on the locked volume and its back-end is not frozen: most are so.

    Where something does, or is, the looks below say what.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HANGS_ON, {"id": volume.pk, "pool": volume.pool_id})
        return not any(cursor.fetchone())


def _table(model: type[models.Model]) -> str:
    return model._meta.db_table  # noqa: SLF001


_HANGS_ON: Final = f"""
    SELECT EXISTS (SELECT FROM {_table(Pool)} WHERE id = %(pool)s AND frozen),
    EXISTS (SELECT FROM {_table(Volume)} WHERE reads_volume_id = %(id)s),
    EXISTS (SELECT FROM {_table(Snapshot)} WHERE volume_id = %(id)s),
    EXISTS (SELECT FROM {_table(Attachment)} WHERE volume_id = %(id)s),
    EXISTS (SELECT FROM {_table(Connection)} WHERE volume_id = %(id)s),
    EXISTS (SELECT FROM {_table(Transfer)} WHERE volume_id = %(id)s)
"""  # noqa: S608 - our own tables


def refuse_frozen(volume: Volume | Snapshot) -> None:
    """Refuse deletes and snapshots in a frozen back-end.

    :raises WrongState: it is frozen.
    """
    if Pool.objects.filter(pk=volume.pool_id, frozen=True).exists():
        raise WrongState(f"Back-end {volume.backend} is frozen: nothing in it may be made or deleted now.")


def _named(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
