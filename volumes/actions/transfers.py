"""Transfers: a project offers a volume, and whoever shows the key takes it over, with what is counted for it.

Of an acceptance, a withdrawal and a forced delete one wins: each locks the volume's row and looks for the offer then.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from api.problems import BadRequest, NotFound, OverQuota
from identity.callers import Caller
from lifecycle import requests
from lifecycle.requests import Asked
from volumes.actions.guarding import as_id, asked, locked, refuse_readers, refuse_users, require
from volumes.models import Quota, Snapshot, Transfer, Volume
from volumes.models.quotas import Amounts, OverLimit
from volumes.states import AVAILABLE, AWAITING_TRANSFER

KEY_BYTES = 16  # of a random key: too many to try, so a fast hash will do


def visible(by: Caller, *, everybodys: bool = False) -> QuerySet[Transfer]:
    """Return the offers that the caller may see: the project's own, or all that there are."""
    return Transfer.objects.all() if everybodys else Transfer.objects.filter(project_id=by.project)


def find_transfer(by: Caller, ident: str) -> Transfer:
    """Return the offer with this id, of the caller's project or, for admins, of any.

    :raises NotFound: there is none that the caller may see.
    """
    return _found(visible(by, everybodys=by.is_admin), ident)


def _found(offers: QuerySet[Transfer], ident: str) -> Transfer:
    pk = as_id(ident)
    offer = offers.select_related("volume").filter(pk=pk).first() if pk else None
    if offer is None:
        raise _gone(ident)
    return offer


def _gone(ident: object) -> NotFound:
    return NotFound(f"Transfer {str(ident)[:255]} could not be found.")


def create(
    by: Caller, request_id: str, volume: Volume, *, name: str = "", no_snapshots: bool = False
) -> Transfer:
    """Offer the volume to whoever shows the offer's key.

    :raises StateConflict: the volume's status does not allow it.
    :raises WrongState: it is in use, or a snapshot that goes along is not available.
    :raises Busy: it is being read.
    """
    ident, salt = uuid.uuid4(), secrets.token_hex(KEY_BYTES)
    with transaction.atomic():
        there = locked(volume)
        require(there, "transfer", AVAILABLE)
        refuse_users(there, "transfer")
        _children(there, no_snapshots=no_snapshots)
        refuse_readers(there, "transfer")
        offer = Transfer(
            id=ident,
            volume=there,
            name=name,
            project_id=there.project_id,
            salt=salt,
            key_hash=_hashed(salt, _key(ident, salt)),
            no_snapshots=no_snapshots,
        )
        offer.save(force_insert=True)
        params = asked(by, request_id, there, transfer_id=str(offer.pk))
        requests.change(there, "transfer", params, name=there.name, to=AWAITING_TRANSFER)
    return offer


def key_of(offer: Transfer) -> str:
    """Return the key of an offer, for who has made it. It is made anew from our secret and stored nowhere."""
    return _key(offer.pk, offer.salt)


def accept(by: Caller, request_id: str, ident: str, key: str) -> Transfer:
    """Take the offered volume over, into the caller's project, and return the offer as it was.

    :raises NotFound: there is no such offer, or no longer.
    :raises BadRequest: the key is not the offer's.
    :raises WrongState: the volume is in use, or a snapshot that goes along is not available.
    :raises Busy: it is being read, or a snapshot that goes along is.
    :raises OverQuota: the caller's project has no room for it.
    """
    offer = _found(Transfer.objects.all(), ident)
    if not hmac.compare_digest(offer.key_hash, _hashed(offer.salt, key)):
        raise BadRequest(f"Invalid auth key: attempt to transfer {offer.pk} with an invalid auth key.")
    with transaction.atomic():
        there = locked(offer.volume)
        if not Transfer.objects.filter(pk=offer.pk).delete()[0]:
            raise _gone(ident)
        refuse_users(there, "transfer")
        children = _children(there, no_snapshots=offer.no_snapshots)
        reads: list[Volume | Snapshot] = [there, *children]
        for row in reads:
            refuse_readers(row, "transfer")
        _count(there, children, by.project)
        owner = {"project_id": by.project, "user_id": by.user_id}
        params = Asked(by.user_id, by.project, request_id, {"transfer_id": str(offer.pk)})
        for child in children:
            requests.change(child, "accept_transfer", params, name=child.name, values=owner)
        requests.change(there, "accept_transfer", params, name=there.name, to=AVAILABLE, values=owner)
    return offer


def delete(by: Caller, request_id: str, offer: Transfer) -> None:
    """Withdraw the offer.

    :raises NotFound: it is gone: accepted, or withdrawn by another request.
    """
    with transaction.atomic():
        there = locked(offer.volume)
        if not Transfer.objects.filter(pk=offer.pk).delete()[0]:
            raise _gone(offer.pk)
        if there.status == AWAITING_TRANSFER:  # and not what an operator's reset has made of it
            params = asked(by, request_id, there, transfer_id=str(offer.pk))
            requests.change(there, "cancel_transfer", params, name=there.name, to=AVAILABLE)


def _key(ident: uuid.UUID, salt: str) -> str:
    made = hmac.new(settings.SECRET_KEY.encode(), f"transfer {ident} {salt}".encode(), hashlib.sha256)
    return made.hexdigest()[: 2 * KEY_BYTES]


def _hashed(salt: str, key: str) -> str:
    return hmac.new(salt.encode(), key.encode(), hashlib.sha256).hexdigest()


def _children(volume: Volume, *, no_snapshots: bool) -> Sequence[Snapshot]:
    """Return the locked snapshots that go along with the locked volume: its project's own.

    :raises WrongState: one is not available.
    """
    if no_snapshots:
        return []
    own = volume.snapshots.select_for_update().filter(project_id=volume.project_id)
    children = list(own.order_by("pk"))
    for child in children:
        require(child, "transfer", AVAILABLE)
    return children


def _count(volume: Volume, children: Sequence[Snapshot], project_id: str) -> None:
    """Count for the new project what was counted for the old one: whose id comes first is first, so nobody waits twice.

    :raises OverQuota: the new project's limits do not allow it.
    """
    if volume.project_id == project_id:
        return
    total = Amounts(1, len(children), volume.size + sum(child.size for child in children))
    for each in sorted((volume.project_id, project_id)):
        if each == volume.project_id:
            Quota.release(each, volume.type_id, total)
            continue
        try:
            Quota.reserve(each, volume.type_id, total, largest=volume.size)
        except OverLimit as over:
            raise OverQuota(str(over)) from over
