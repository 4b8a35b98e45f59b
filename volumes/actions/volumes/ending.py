"""Delete a volume, or, as an operator, set its status by hand."""

from __future__ import annotations

from django.db import transaction

from api.preconditions import ANY, Expected
from api.problems import WrongState
from identity.callers import Caller
from lifecycle import requests
from volumes.actions import snapshots
from volumes.actions.guarding import (
    asked,
    is_alone,
    locked,
    refuse_frozen,
    refuse_readers,
    refuse_unfinished,
    refuse_users,
    require_for,
    reset_to,
)
from volumes.ends import give_back
from volumes.models import Transfer, Volume
from volumes.states import AWAITING_TRANSFER, VOLUME
from volumes.tasks import advance_volume
from workers import bell


def delete(
    by: Caller,
    request_id: str,
    volume: Volume,
    *,
    cascade: bool = False,
    force: bool = False,
    expected: Expected = ANY,
) -> Volume:
    """Accept the volume's end, and with `cascade` that of its snapshots. `force` (for admins) from nearly any status.

    :raises WrongState: its status does not allow it, it is in use, or it has snapshots.
    :raises Busy: it is being read.
    :raises PreconditionFailed: it is not as expected.
    """
    event = "force_delete" if force else "delete"
    with transaction.atomic():
        volume = locked(volume)
        expected.check(volume)
        require_for(volume, event)
        if not is_alone(volume):
            _free(by, request_id, volume, event, cascade=cascade, force=force)
        _call_off_extend(volume)
        params = {"cascade": cascade, "force": force}
        won = requests.request(
            volume, event, asked(by, request_id, volume, **params), name=volume.name, values=Volume.resting
        )
        bell.gather_on_commit(advance_volume, won)
    return won


def _free(by: Caller, request_id: str, volume: Volume, event: str, *, cascade: bool, force: bool) -> None:
    """Refuse what hangs on the locked volume and may not be left or taken away, and end what goes with it."""
    refuse_frozen(volume)
    refuse_readers(volume, event)
    children = list(volume.snapshots.select_for_update().order_by("pk"))
    if children and not cascade:
        raise WrongState(f"Cannot {event} volume {volume.pk}: its snapshots would be left: {len(children)}.")
    for child in children:
        if child.project_id != volume.project_id and not by.is_admin:
            raise WrongState(f"Cannot {event} volume {volume.pk}: another project has a snapshot of it.")
        if child.status not in VOLUME.busy:
            snapshots.delete(by, request_id, child, force=force)
    refuse_users(volume, event)
    Transfer.objects.filter(volume=volume).delete()


def _call_off_extend(volume: Volume) -> None:
    """Give back what an extend that is overtaken by force had reserved."""
    if volume.new_size is not None:
        give_back(volume, volume.new_size - volume.size)


def reset(by: Caller, request_id: str, volume: Volume, status: str, reason: str) -> Volume:
    """Set a volume's status by hand, an operator's last resort. Work under way is called off; nobody goes on with it.

    :raises BadRequest: no such status can be set.
    """
    to, told = reset_to(VOLUME, by, status, reason)
    with transaction.atomic():
        volume = locked(volume)
        refuse_unfinished(volume, to)
        _call_off_extend(volume)
        if to != AWAITING_TRANSFER:
            Transfer.objects.filter(volume=volume).delete()
        params = asked(by, request_id, volume, status=status, was=volume.status, reason=reason)
        return requests.change(volume, "reset", params, name=volume.name, to=to, reason=told)
