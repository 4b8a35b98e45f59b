"""What a request lends us of its caller: the delegation under which its bay is made, or goes on.

It is taken with the caller's own token before anything is accepted, outside any transaction, and written by the
accepting statement itself: see `columns`. A request that is refused after all gives it back; where nobody is left to
do so, `sync.trusts` finds it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, fields
from typing import Any, Final

import structlog
from django.conf import settings

from api.problems import Conflict, Forbidden, Unauthorized, Unavailable
from bays.delegations import mark, sealed, trust_of, trustee
from bays.models import Bay
from clouds.errors import CloudError, NotFound, Rejected, Unauthenticated, Undelegated
from identity.callers import Caller

log = structlog.get_logger(__name__)

CODE: Final = "delegation-refused"
HOW: Final = (
    "Ask with a token that was had for a password: one of an application credential, or of another delegation, "
    "may not delegate."
)


@dataclass(frozen=True)
class Lender(Caller):
    """A caller who lets us act for them in their project, for one bay."""

    bay_id: uuid.UUID = field(default_factory=uuid.uuid4)
    trust_id: str = field(default="", repr=False)


def lent_for_new(by: Caller, token: str) -> Lender:
    """Take a delegation for a bay that is about to be made.

    :raises Forbidden: the caller may not delegate, or not with this token, or has none of the roles that are needed.
    :raises Unauthorized: the token is not good any more.
    :raises Unavailable: Keystone does not answer.
    """
    return _lent(by, token, uuid.uuid4())


def lent_for(by: Caller, token: str, bay: Bay) -> Caller:
    """Make sure that the bay's delegation works, and take another one from the caller if it does not.

    Then the old one is removed, if we may. Heat made a trust of its own from it, and lets nobody else change or delete
    the stack while there is that and it does not work.

    :raises Forbidden: it does not, and the caller is none of the project's, or as for `lent_for_new`.
    :raises Unauthorized: the token is not good any more.
    :raises Unavailable: Keystone does not answer.
    """
    if bay.delegation is None:
        return by
    kept = None
    try:
        kept = trust_of(bay)
        assert kept is not None  # noqa: S101 - there is a delegation
        trustee().check(kept)
    except Undelegated as lost:
        if by.project_id != bay.project_id:
            raise Forbidden(
                f"The bay's delegation does not work any more ({lost.reason}), and your token is for another "
                f"project: ask as a member of the project {bay.project_id}.",
                code=CODE,
            ) from None
        log.info("a delegation is replaced", bay=str(bay.pk), why=lost.reason)
        lender = _lent(by, token, bay.pk)
        if kept is not None:
            _remove(kept, bay.pk)
        return lender
    except CloudError as down:
        raise _silent(down) from None
    return by


def give_back(by: Caller) -> None:
    """Remove what was lent for a request that is not carried out; what cannot be removed now is found later."""
    if not isinstance(by, Lender):
        return
    _remove(by.trust_id, by.bay_id)


def columns(by: Caller, bay_id: uuid.UUID) -> dict[str, Any]:
    """Return what the accepting write of this bay must set for what the caller lent, if they did.

    :raises Conflict: they lent it for another bay, which bore the name that the request was found by.
    """
    if not isinstance(by, Lender):
        return {}
    if by.bay_id != bay_id:
        raise Conflict("The bay's name is another bay's by now. Look again.")
    return {"delegation": sealed(by.bay_id, by.trust_id)}


def new_id(by: Caller) -> uuid.UUID:
    """Return the id of a new bay: that for which the caller has lent."""
    return by.bay_id if isinstance(by, Lender) else uuid.uuid4()


def _lent(by: Caller, token: str, bay_id: uuid.UUID) -> Lender:
    try:
        trust_id = trustee().delegate(
            token,
            trustor=by.user_id,
            project_id=by.project,
            roles=settings.DELEGATED_ROLES,
            mark=mark(bay_id),
        )
    except Unauthenticated:
        raise Unauthorized("The request you have made requires authentication.") from None
    except (Rejected, NotFound) as refused:
        why = refused.reason.rstrip(".")
        raise Forbidden(f"We cannot be let act for you: {why}. {HOW}", code=CODE) from None
    except CloudError as down:
        raise _silent(down) from None
    # The fields, not asdict(): roles are a set.
    caller = {one.name: getattr(by, one.name) for one in fields(Caller)}
    return Lender(**caller, bay_id=bay_id, trust_id=trust_id)


def _remove(trust_id: str, bay_id: uuid.UUID) -> None:
    try:
        trustee().remove(trust_id)
    except CloudError as error:
        log.warning("a delegation was left behind", bay=str(bay_id), reason=error.reason)


def _silent(down: CloudError) -> Unavailable:
    log.warning("no delegation can be had", reason=down.reason)
    return Unavailable("Keystone does not answer. Try again in a moment.", code="keystone-unavailable")
