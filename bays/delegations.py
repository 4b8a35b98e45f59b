"""The delegation of a bay: the trust by which its stack is made, changed and deleted in its owner's project.

The trust's id is kept in the bay's row alone, sealed together with the bay's id: a row that was given another bay's
acts for nobody. What is written on the trust in Keystone says which bay it was made for, signed, so that no other
installation's is taken for ours. A bay without one has its stack in the service project: all bays have where identity
is our own, and those that were accepted while it was.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import cache

from django.conf import settings

from bays import sealing
from bays.calling import outside
from bays.models import Bay
from bays.sealing import Unreadable
from clouds.errors import Undelegated
from clouds.heat import Heat
from clouds.trusts import Trust, Trustee

SEPARATOR = ":"


def needed() -> bool:
    """Tell whether a new bay's stack shall live in its owner's project."""
    return bool(settings.IDENTITY == "keystone")


def forget() -> None:
    """Forget all that this process keeps of delegations, its tokens included."""
    _trustee.cache_clear()


def trustee() -> Trustee:
    """Return our service user in the configured Keystone; it sends nothing from inside a transaction."""
    return _trustee(tuple(sorted(settings.CLOUD_VARIABLES.items())), settings.CLOUD_TIMEOUT)


@cache
def _trustee(variables: tuple[tuple[str, str], ...], seconds: float) -> Trustee:
    return Trustee(dict(variables), guard=outside, timeout=seconds)


def sealed(bay_id: uuid.UUID, trust_id: str) -> bytes:
    """Return a trust's id as the bay's row keeps it."""
    return sealing.seal(f"{bay_id}{SEPARATOR}{trust_id}".encode())


def trust_of(bay: Bay) -> str | None:
    """Return the id of the bay's trust; None if its stack is in the service project.

    :raises Undelegated: this node cannot read it, or it is another bay's.
    """
    if bay.delegation is None:
        return None
    try:
        made_for, _, trust_id = sealing.unseal(bytes(bay.delegation)).decode().partition(SEPARATOR)
    except Unreadable as why:
        raise Undelegated(f"It cannot be read on this node: {why}.") from None
    if made_for != str(bay.pk):
        raise Undelegated("What the bay's row holds was made for another bay.")
    return trust_id


def heat_by(trust_id: str, guard: Callable[[], None]) -> Heat:
    """Return Heat as the trustor meets it."""
    return trustee().heat(trust_id, guard)


def give_back(bay: Bay) -> None:
    """Have Keystone forget the bay's trust, and with it what Heat has made from it.

    :raises Undelegated: this node cannot read which it is.
    :raises Rejected: we may not: it does not work any more, and we are no admin.
    :raises Unavailable: Keystone does not answer.
    """
    trust_id = trust_of(bay)
    if trust_id is not None:
        trustee().remove(trust_id)


def reseal() -> tuple[int, list[str]]:
    """Seal every delegation under the first of CERTIFICATE_KEYS; return how many were not, and whose are unreadable."""
    return sealing.reseal(Bay.objects.filter(delegation__isnull=False), "delegation")


def mark(bay_id: uuid.UUID) -> str:
    """Return what is written on the trust that is made for a bay."""
    return f"{bay_id}{SEPARATOR}{sealing.signature(str(bay_id))}"


def made_for(trust: Trust) -> uuid.UUID | None:
    """Return the bay that a trust was made for, by us; None if we did not make it."""
    bay_id, _, signature = (trust.mark or "").partition(SEPARATOR)
    return uuid.UUID(bay_id) if sealing.is_signed(bay_id, signature) else None
