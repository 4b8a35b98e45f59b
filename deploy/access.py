"""What gets people in: `env` for our own processes, `openrc` and `clouds.yaml` for OpenStack's clients."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.state import State

USERS = ("admin", "demo", "reader")
PROJECT = "demo"

OPENRC = """\
# For a shell: `. {path}` logs in as demo, `. {path} admin` as admin (or reader).
case "${{1:-demo}}" in
{cases}
    *) echo "users: {users}" >&2 ;;
esac
unset OS_CLOUD OS_TOKEN OS_ENDPOINT
export ROADSTEAD_OPENRC={path}
export OS_AUTH_TYPE=password OS_AUTH_URL={auth_url} OS_IDENTITY_API_VERSION=3
export OS_PROJECT_NAME={project} OS_PROJECT_DOMAIN_NAME=Default OS_USER_DOMAIN_NAME=Default
export OS_REGION_NAME=RegionOne
"""
CASE = "    {user}) export OS_USERNAME={user} OS_PASSWORD={password} ;;"
CLOUD = """\
  {name}:
    auth:
      auth_url: {auth_url}
      username: {user}
      password: "{password}"
      project_name: {project}
      project_domain_name: Default
      user_domain_name: Default
    region_name: RegionOne
    identity_api_version: 3
"""


def password(state: State, user: str) -> str:
    """Return the password of a user, made up at the first call."""
    return state.secret(f"password of {user}", 9)


def passwords(state: State) -> dict[str, str]:
    """Return the password of each user who has one of the files below."""
    return {user: password(state, user) for user in USERS}


def seed_variables(state: State) -> dict[str, str]:
    """Return what `manage.py seed` reads the passwords from."""
    return {f"ROADSTEAD_{user.upper()}_PASSWORD": password for user, password in passwords(state).items()}


def write_env(state: State, variables: Mapping[str, str]) -> None:
    """Write the file that every process of ours reads its defaults from.

    :raises ValueError: a value has more than one line.
    """
    if broken := [name for name, value in variables.items() if "\n" in value]:
        raise ValueError(f"more than one line in {', '.join(broken)}")
    lines = "".join(f"{name}={value}\n" for name, value in sorted(variables.items()))
    state.write("env", f"# Written at each start; a variable of the process itself wins.\n{lines}")


def write_logins(state: State, auth_url: str) -> None:
    """Write `openrc` and `clouds.yaml` (clouds roadstead-admin, roadstead-demo, roadstead-reader)."""
    found = passwords(state)
    state.write(
        "openrc",
        OPENRC.format(
            path=shlex.quote(str(state.path / "openrc")),
            cases="\n".join(CASE.format(user=user, password=word) for user, word in found.items()),
            users=", ".join(USERS),
            auth_url=shlex.quote(auth_url),
            project=PROJECT,
        ),
    )
    clouds = [
        CLOUD.format(name=f"roadstead-{user}", auth_url=auth_url, user=user, password=word, project=PROJECT)
        for user, word in found.items()
    ]
    state.write("clouds.yaml", "clouds:\n" + "".join(clouds))
