"""Which servers the environment names; those are used, the others are started here.

DATABASE_URL names a PostgreSQL, BROKER_URL a Redis or RabbitMQ, any of OS_AUTH_URL, OS_CLOUD and OS_ENDPOINT
a Heat. Where no broker is named, ROADSTEAD_BROKER says which kind to start: redis, which is the default, rabbitmq, or
rabbitmq-cluster for three nodes of it. ROADSTEAD_IDENTITY says who keeps users and projects: own, which is the default,
or keystone, which is then started too.
"""

from __future__ import annotations

import os
from pathlib import Path

from deploy.state import DEFAULT, StartError

BROKERS = {"redis": "valkey", "rabbitmq": "rabbitmq", "rabbitmq-cluster": "rabbitmq-cluster"}
EVERYTHING = frozenset({"postgres", "heat", *BROKERS.values()})


def broker() -> str:
    """Return which broker is started where none is named.

    :raises StartError: ROADSTEAD_BROKER names no kind that there is.
    """
    wanted = os.environ.get("ROADSTEAD_BROKER") or "redis"
    if wanted not in BROKERS:
        raise StartError(f"There is no broker {wanted!r} to start: take one of {', '.join(BROKERS)}.")
    return BROKERS[wanted]


def identity() -> str:
    """Return who keeps users and projects.

    :raises StartError: ROADSTEAD_IDENTITY names nobody.
    """
    wanted = os.environ.get("ROADSTEAD_IDENTITY") or "own"
    if wanted not in {"own", "keystone"}:
        raise StartError(f"There is no identity {wanted!r}: take own or keystone.")
    return wanted


def unnamed() -> set[str]:
    """Return which servers the environment does not name, with the one broker of those that could be."""
    missing = {"postgres", "heat", broker()}
    if os.environ.get("DATABASE_URL"):
        missing.discard("postgres")
    if os.environ.get("BROKER_URL"):
        missing -= set(BROKERS.values())
    if _names_a_heat():
        missing.discard("heat")
    return missing


def _names_a_heat() -> bool:
    # A shell that has read our own openrc or clouds.yaml names us, not a Heat.
    if os.environ.get("ROADSTEAD_OPENRC"):
        return False
    if Path(os.environ.get("OS_CLIENT_CONFIG_FILE", "/")).is_relative_to(DEFAULT):
        return False
    return any(os.environ.get(name) for name in ("OS_AUTH_URL", "OS_CLOUD", "OS_ENDPOINT"))
