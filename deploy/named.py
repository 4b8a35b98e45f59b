"""Which servers the environment names; those are used, the others are started here.

DATABASE_URL names a PostgreSQL, BROKER_URL a Redis or RabbitMQ, any of OS_AUTH_URL, OS_CLOUD and OS_ENDPOINT
a Heat.
"""

from __future__ import annotations

import os
from pathlib import Path

from deploy.state import DEFAULT

EVERYTHING = frozenset({"postgres", "valkey", "heat"})


def unnamed() -> set[str]:
    """Return which servers the environment does not name."""
    missing = set(EVERYTHING)
    if os.environ.get("DATABASE_URL"):
        missing.discard("postgres")
    if os.environ.get("BROKER_URL"):
        missing.discard("valkey")
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
