"""What makes and deletes application credentials, each in one transaction. Nothing changes one."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models.functions import Now

from api.problems import BadRequest, Forbidden
from identity.actions import done, missing, unlike_others
from identity.models import ApplicationCredential, Assignment, Role, User
from identity.tokens import with_implied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from identity.callers import Caller

MOST: Final = 500  # of one user


def create(by: Caller, values: Mapping[str, Any]) -> tuple[ApplicationCredential, str]:
    """Make a credential of the caller's for the token's project; return it with its secret, which is not kept.

    :raises Forbidden: the caller came by a restricted credential, has no project, or has very many already.
    :raises BadRequest: it would have a role that the token has not, or be over already.
    :raises Conflict: there is one of that name.
    """
    check_may_manage(by)
    secret = values.get("secret") or secrets.token_urlsafe(48)
    given = values.get("roles") or [Role(name) for name in by.roles]
    roles = {implied.value for role in given for implied in role.implied}
    row = ApplicationCredential(
        user_id=by.user_id,
        project_id=by.project,
        name=values["name"],
        description=values.get("description", ""),
        secret=make_password(secret),  # before anything is locked: it is work
        roles=sorted(roles),
        unrestricted=values.get("unrestricted", False),
        expires_at=values.get("expires_at"),
    )
    with unlike_others("application credential", values), transaction.atomic():
        _lock_owner(by)
        held = Assignment.objects.filter(user_id=by.user_id, project_id=by.project).values_list(
            "role", flat=True
        )
        if not roles <= by.roles & with_implied(held):
            raise BadRequest("Invalid application credential: it cannot have a role that the token has not.")
        if ApplicationCredential.objects.filter(user_id=by.user_id).count() >= MOST:
            raise Forbidden(f"Nobody may have more than {MOST} application credentials.")
        row.save(force_insert=True)
        if ApplicationCredential.objects.filter(pk=row.pk, expires_at__lte=Now()).exists():
            raise BadRequest("Invalid application credential: expires_at has passed.")
    done("application credential created", by, row.pk, name=row.name, project=row.project_id, roles=row.roles)
    return row, secret


def delete(by: Caller, owner: str, ident: str) -> None:
    """Delete a credential, and with it its tokens.

    :raises NotFound: the owner has none of that id.
    :raises Forbidden: the caller came by a restricted credential.
    """
    check_may_manage(by)
    taken, _ = ApplicationCredential.objects.filter(user_id=owner, pk=ident).delete()
    if not taken:
        missing("application credential", ident)
    done("application credential deleted", by, ident)


def check_may_manage(by: Caller) -> None:
    """Look whether the caller may make and delete application credentials at all.

    :raises Forbidden: a restricted one must not make itself permanent.
    """
    if by.through is not None and by.through.restricted:
        raise Forbidden("A restricted application credential cannot make or delete application credentials.")


def _lock_owner(by: Caller) -> None:
    """Lock the user: a role that is taken meanwhile finds the credential, or is seen to be taken.

    :raises NotFound: the user is gone.
    """
    if not User.objects.select_for_update(no_key=True).filter(pk=by.user_id).values_list("pk"):
        missing("user", by.user_id)
