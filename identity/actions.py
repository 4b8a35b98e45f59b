"""What changes projects, users and roles: one transaction each; after its commit the log says who did what.

Two guards stand here. Nobody locks everyone out: a change that may take an administrator away is seen one at a
time, and undone where it took the last. And what was changed is felt at once in this process, and elsewhere
within the few seconds that a checked token is remembered.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.db import IntegrityError, transaction
from django.db.models import Q

from api.problems import Conflict, Forbidden, NotFound, Unauthorized
from identity import tokens
from identity.models import Assignment, Project, Role, User

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from identity.callers import Caller

logger = structlog.get_logger(__name__)

# Keystone's word for an attribute of a user, where the column has another.
COLUMNS = {"name": "username", "enabled": "is_active"}


def create_project(by: Caller, values: Mapping[str, Any]) -> Project:
    """Create a project.

    :raises Conflict: there is one of that name.
    """
    with unlike_others("project", values):
        project = Project.objects.create(**values)
    done("project created", by, project.pk, name=project.name)
    return project


def update_project(by: Caller, ident: str, values: Mapping[str, Any]) -> Project:
    """Change what is given; a disabled project's tokens are refused from now on.

    :raises NotFound: there is no such project.
    :raises Conflict: another one has that name, or nobody would be left to administer.
    """
    with unlike_others("project", values), _kept_open(risky=values.get("enabled") is False):
        rows = Project.objects.filter(pk=ident)
        if values:
            rows.update(**values)
        project = rows.first() or missing("project", ident)
    done("project changed", by, project.pk, attributes=sorted(values), enabled=project.enabled)
    return project


def delete_project(by: Caller, ident: str) -> None:
    """Delete a project, its roles and with them its tokens; what it owns stays, for an admin to see.

    :raises NotFound: there is no such project.
    :raises Conflict: nobody would be left to administer.
    """
    with _kept_open():
        # Locked first: a role that is given meanwhile is either seen below or not given.
        project = Project.objects.select_for_update().filter(pk=ident).first() or missing("project", ident)
        project.delete()
    done("project deleted", by, ident, name=project.name)


def create_user(by: Caller, values: Mapping[str, Any]) -> User:
    """Create a user; without a password nobody can log in as them.

    :raises Conflict: there is one of that name.
    """
    columns = {"password": make_password(None), **_columns(values)}
    with unlike_others("user", values):
        user = User.objects.create(**columns)
    done("user created", by, user.pk, name=user.username)
    return user


def update_user(by: Caller, ident: str, values: Mapping[str, Any]) -> User:
    """Change what is given; tokens had under an old password, or before a user was disabled, are refused.

    :raises NotFound: there is no such user.
    :raises Forbidden: an admin disables themselves.
    :raises Conflict: another one has that name, or nobody would be left to administer.
    """
    risky = values.get("enabled") is False
    if risky and ident == by.user_id:
        raise Forbidden("You cannot disable yourself.")
    columns = _columns(values)
    with unlike_others("user", values), _kept_open(risky=risky):
        rows = User.objects.filter(pk=ident)
        if columns:
            rows.update(**columns)
        user = rows.first() or missing("user", ident)
    done("user changed", by, user.pk, attributes=sorted(values), enabled=user.is_active)
    return user


def delete_user(by: Caller, ident: str) -> None:
    """Delete a user, their roles and with them their tokens.

    :raises NotFound: there is no such user.
    :raises Forbidden: an admin deletes themselves.
    :raises Conflict: nobody would be left to administer.
    """
    if ident == by.user_id:
        raise Forbidden("You cannot delete yourself.")
    with _kept_open():
        user = User.objects.select_for_update().filter(pk=ident).first() or missing("user", ident)
        user.delete()
    done("user deleted", by, ident, name=user.username)


def change_password(by: Caller, ident: str, original: str, password: str) -> None:
    """Change one's own password; every token had under the old one is refused from now on.

    :raises Forbidden: it is another user's.
    :raises Unauthorized: the original password is wrong, or was changed meanwhile.
    """
    if ident != by.user_id:
        raise Forbidden("Only one's own password can be changed here.")
    user = User.objects.filter(pk=ident).first()
    if user is None or not user.check_password(original):
        logger.info("change of password refused", reason="wrong password")
        raise Unauthorized("The original password is wrong.")
    changed = User.objects.filter(pk=ident, password=user.password).update(password=make_password(password))
    if not changed:
        raise Unauthorized("The password was changed meanwhile.")
    done("password changed", by, ident)


def grant(by: Caller, user_id: str, role: Role, project_id: str | None) -> None:
    """Give a user a role in a project, or in the system (None); one that is held already stays held.

    :raises NotFound: there is no such user or project.
    """
    check_known(user_id, project_id)
    try:
        _, given = Assignment.objects.get_or_create(user_id=user_id, project_id=project_id, role=role)
    except IntegrityError:  # deleted since we looked
        check_known(user_id, project_id)
        raise
    if given:
        done("role given", by, user_id, role=role.value, project=project_id or "the system")


def revoke(by: Caller, user_id: str, role: Role, project_id: str | None) -> None:
    """Take a role from a user; what their tokens allow shrinks at once.

    :raises NotFound: there is no such user or project, or the role is not held there.
    :raises Conflict: nobody would be left to administer.
    """
    check_known(user_id, project_id)
    with _kept_open(risky=role is Role.ADMIN):
        taken, _ = Assignment.objects.filter(user_id=user_id, project_id=project_id, role=role).delete()
        if not taken:
            raise NotFound(f"Could not find role assignment: {role.value} of this user there.")
    done("role taken", by, user_id, role=role.value, project=project_id or "the system")


def check_known(user_id: str, project_id: str | None) -> None:
    """Look whether there are this user and, unless None, this project.

    :raises NotFound: saying which is missing.
    """
    if not User.objects.filter(pk=user_id).exists():
        missing("user", user_id)
    if project_id is not None and not Project.objects.filter(pk=project_id).exists():
        missing("project", project_id)


def missing(kind: str, ident: str) -> NoReturn:
    """Say that there is no such thing.

    :raises NotFound: always.
    """
    raise NotFound(f"Could not find {kind}: {ident[:64]}.")


def _kept_open(*, risky: bool = True) -> AbstractContextManager[None]:
    """Run a change in one transaction; a risky one may take an administrator away, but not the last.

    :raises Conflict: nobody would be left who can log in as an admin.
    """
    return _guarded() if risky else transaction.atomic()


@contextmanager
def _guarded() -> Iterator[None]:
    with transaction.atomic():
        # Two such changes, harmless each, may not be together: the second waits here for the first.
        admins = Assignment.objects.filter(role=Role.ADMIN)
        list(admins.select_for_update().order_by("pk").values_list("pk"))
        yield
        able = admins.filter(Q(project=None) | Q(project__enabled=True), user__is_active=True)
        if not able.exclude(user__password__startswith=UNUSABLE_PASSWORD_PREFIX).exists():
            raise Conflict("Nobody would be left to administer: give somebody else the role admin first.")


@contextmanager
def unlike_others(kind: str, values: Mapping[str, Any]) -> Iterator[None]:
    """Run a change that may take a name that another has.

    :raises Conflict: it does.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as exc:
        raise Conflict(f"There is a {kind} named {values.get('name')} already.") from exc


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    columns = {COLUMNS.get(name, name): value for name, value in values.items()}
    if "password" in columns:
        columns["password"] = make_password(columns["password"])
    return columns


def done(event: str, by: Caller, target: str, **what: object) -> None:
    """Once it is committed: forget the tokens of the user or project, and tell the log; never a password."""

    def then() -> None:
        tokens.forget(target)
        logger.info(event, by=by.user_id, target=target, **what)

    transaction.on_commit(then)
