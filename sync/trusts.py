"""Delegations to us that no bay keeps: found in a slow round, one call for all of them, and removed on proof only.

A request that dies between its delegation and its acceptance leaves one; so does one that was replaced because it did
not work, and a bay whose end Keystone did not hear of. That we made it, and for which bay, is signed on it. That it is
unneeded is proven by the bay's row, which keeps another; by our record of the bay's finished delete; or by the lack of
any record of the bay, which no accepted one is without. It must have been so for AGE, by the database's clock: a
request may be just about to write it down.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.db.models.functions import Now

from bays import delegations
from bays.delegations import made_for, trust_of, trustee
from bays.models import Bay
from bays.states import BAY
from clouds.errors import CloudError, Undelegated
from clouds.trusts import Trust
from lifecycle.models import Operation
from sync.models import Cursor, Stray

log = structlog.get_logger(__name__)

TRUSTS = "trusts"
PAUSE = timedelta(minutes=10)
AGE = timedelta(hours=1)  # no request lives for so long
BRAKE = 50  # so many of bays that there never were are something else: a database that is half restored


class Why(enum.Enum):
    """What proves that a delegation is unneeded."""

    REPLACED = "its bay keeps another"
    DELETED = "its bay was deleted"
    REFUSED = "its bay was never accepted"


def strays(trusts: Iterable[Trust]) -> dict[str, Why]:
    """Return those of the trusts that we made and that no bay keeps, by id, each with the proof."""
    ours = {trust.id: bay_id for trust in trusts if (bay_id := made_for(trust)) is not None}
    bays = {bay.pk: bay for bay in Bay.objects.filter(pk__in=set(ours.values()))}
    gone = set(ours.values()) - bays.keys()
    record = Operation.objects.filter(resource_type=BAY.name, resource_id__in=gone)
    known = set(record.values_list("resource_id", flat=True))
    over = record.filter(action="delete", state=Operation.State.COMPLETE)
    deleted = set(over.values_list("resource_id", flat=True))
    found: dict[str, Why] = {}
    for trust_id, bay_id in ours.items():
        if bay_id in deleted:
            found[trust_id] = Why.DELETED
        elif bay_id in bays:
            if _keeps_another(bays[bay_id], trust_id):
                found[trust_id] = Why.REPLACED
        elif bay_id not in known:
            found[trust_id] = Why.REFUSED
    return found


def _keeps_another(bay: Bay, trust_id: str) -> bool:
    try:
        return trust_of(bay) != trust_id
    except Undelegated:
        return False  # what cannot be read proves nothing


def remove_trusts() -> int:
    """Remove the delegations that have been unneeded for long enough; return how many."""
    if not delegations.needed() or not Cursor.take_turn_of(TRUSTS, pause=PAUSE):
        return 0
    try:
        found = strays(trustee().trusts())
    except CloudError as error:
        log.warning("Keystone could not be asked for delegations", reason=error.reason)
        return 0
    old = _long_so(found)
    unborn = [trust_id for trust_id in old if found[trust_id] is Why.REFUSED]
    if len(unborn) >= BRAKE:
        log.error("too many delegations without a bay to believe it: none was removed", trusts=len(unborn))
        return 0
    return sum(_remove(trust_id, found[trust_id]) for trust_id in old)


def _long_so(found: Iterable[str]) -> list[str]:
    """Remember since when each has been found unneeded, and return those that have been for AGE."""
    names = {_name(trust_id): trust_id for trust_id in found}
    remembered = set(Stray.objects.values_list("pk", flat=True))
    if fresh := names.keys() - remembered:
        Stray.objects.bulk_create([Stray(name=name) for name in fresh], ignore_conflicts=True)
    if past := remembered - names.keys():
        Stray.objects.filter(pk__in=past).delete()
    old = Stray.objects.filter(pk__in=names, found_at__lt=Now() - AGE)
    return [names[name] for name in old.values_list("pk", flat=True)]


def _remove(trust_id: str, why: Why) -> bool:
    name = _name(trust_id)
    try:
        removed = trustee().remove(trust_id)
    except CloudError as error:
        log.warning("an unneeded delegation cannot be removed", name=name, why=why.value, reason=error.reason)
        return False
    log.info("an unneeded delegation was removed", name=name, why=why.value)
    return removed


def _name(trust_id: str) -> str:
    """Return what a trust is called where its id must not be shown."""
    return hashlib.sha256(trust_id.encode()).hexdigest()
