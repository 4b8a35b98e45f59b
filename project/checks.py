"""System checks: settings that must fit each other, refused before a node starts on a contradiction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from clouds.session import InvalidCloud, open_session
from volumes import storage

LEAST_LEASE = 1.0
LEAST_SECRET = 32
MOST_DAYS = 36_500
MOST_WAIT = 10.0  # seconds that a request may wait for Keystone
MOST_CACHE = 300.0  # seconds, as long as other services of OpenStack hold what Keystone said


@register(Tags.compatibility)
def leases_fit(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Check that leases, heartbeats, limits and time-outs leave room for one another, and what seals keys."""
    del app_configs
    lease, beat, step = settings.LEASE, settings.HEARTBEAT, settings.STEP_LIMIT
    rules = [
        (lease >= LEAST_LEASE, "E001", f"ROADSTEAD_LEASE ({lease:g} s) must be at least {LEAST_LEASE:g} s."),
        (
            0 < beat <= lease / 3,
            "E002",
            (
                f"ROADSTEAD_HEARTBEAT ({beat:g} s) must be above zero and at most a third of ROADSTEAD_LEASE "
                f"({lease:g} s): a node stops at two thirds, and one lost beat must not stop it."
            ),
        ),
        (
            step > lease,
            "E003",
            f"ROADSTEAD_STEP_LIMIT ({step:g} s) must be above ROADSTEAD_LEASE ({lease:g} s).",
        ),
        (
            settings.CELERY_TASK_SOFT_TIME_LIMIT >= 4 * settings.CLOUD_TIMEOUT,
            "E004",
            (
                f"ROADSTEAD_CLOUD_TIMEOUT ({settings.CLOUD_TIMEOUT:g} s) must be at most a sixth of "
                f"ROADSTEAD_STEP_LIMIT ({step:g} s): a step makes up to four calls within two thirds of it."
            ),
        ),
        (
            settings.CLOUD_QUIET >= settings.CLOUD_TIMEOUT,
            "E005",
            (
                f"ROADSTEAD_CLOUD_QUIET ({settings.CLOUD_QUIET:g} s) must be at least ROADSTEAD_CLOUD_TIMEOUT "
                f"({settings.CLOUD_TIMEOUT:g} s): a call of unknown outcome takes effect after its time-out."
            ),
        ),
        (
            _hold() > settings.CELERY_TASK_TIME_LIMIT,
            "E006",
            (
                "The broker's visibility_timeout must be above ROADSTEAD_STEP_LIMIT: "
                "it would hand out a message that is still being worked on."
            ),
        ),
        (
            lease >= settings.RING_INTERVAL,
            "E007",
            (
                f"ROADSTEAD_RING_INTERVAL ({settings.RING_INTERVAL:g} s) must be at most ROADSTEAD_LEASE "
                f"({lease:g} s): it would hold up a take-over."
            ),
        ),
        (
            min(settings.HEAT_POLL, settings.RING_INTERVAL, settings.MAX_ATTEMPTS, settings.CLOUD_TIMEOUT)
            > 0,
            "E009",
            (
                "ROADSTEAD_HEAT_POLL, ROADSTEAD_RING_INTERVAL, ROADSTEAD_MAX_ATTEMPTS and "
                "ROADSTEAD_CLOUD_TIMEOUT must be above zero."
            ),
        ),
        (
            settings.CERTIFICATE_KEYS == [settings.SECRET_KEY]
            or all(len(secret) >= LEAST_SECRET for secret in settings.CERTIFICATE_KEYS),
            "E016",
            f"Each secret in ROADSTEAD_CERTIFICATE_KEYS must be at least {LEAST_SECRET} characters long.",
        ),
        (
            1 <= settings.CERTIFICATE_DAYS <= MOST_DAYS,
            "E017",
            f"ROADSTEAD_CERTIFICATE_DAYS ({settings.CERTIFICATE_DAYS}) must be from 1 to {MOST_DAYS}.",
        ),
        (
            2 * lease <= settings.STALL,
            "E008",
            (
                f"ROADSTEAD_STALL ({settings.STALL:g} s) must be at least twice ROADSTEAD_LEASE ({lease:g} s): "
                "work waits for a lease to run out before it waits for a worker."
            ),
        ),
    ]
    return [Error(text, id=f"roadstead.{number}") for holds, number, text in rules if not holds]


@register(Tags.compatibility)
def identity_fits(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Check that a Keystone is named where there is to be one, with a login that can have tokens checked."""
    del app_configs
    if settings.IDENTITY == "own":
        return []
    if settings.IDENTITY != "keystone":
        return [
            Error(f"ROADSTEAD_IDENTITY ({settings.IDENTITY}) must be own or keystone.", id="roadstead.E031")
        ]
    rules = [
        (
            0 < settings.KEYSTONE_TIMEOUT <= MOST_WAIT,
            "E033",
            (
                f"ROADSTEAD_KEYSTONE_TIMEOUT ({settings.KEYSTONE_TIMEOUT:g} s) must be above zero and at most "
                f"{MOST_WAIT:g} s: so long every request may wait for it."
            ),
        ),
        (
            settings.TOKEN_CACHE_SECONDS <= MOST_CACHE,
            "E034",
            (
                f"TOKEN_CACHE_SECONDS ({settings.TOKEN_CACHE_SECONDS:g} s) must be at most {MOST_CACHE:g} s: "
                "so long a token that was revoked is still good."
            ),
        ),
    ]
    try:
        cloud = open_session(settings.CLOUD_VARIABLES, settings.KEYSTONE_TIMEOUT or MOST_WAIT)
    except InvalidCloud as error:
        rules.append((False, "E032", f"ROADSTEAD_IDENTITY=keystone: {error}"))
    else:
        logs_in = bool(getattr(cloud.session.auth, "auth_url", None))
        rules.append(
            (
                logs_in,
                "E032",
                (
                    "ROADSTEAD_IDENTITY=keystone needs a login: OS_AUTH_URL with OS_USERNAME, OS_PASSWORD and "
                    "OS_PROJECT_NAME, or OS_CLOUD."
                ),
            )
        )
    return [Error(text, id=f"roadstead.{number}") for holds, number, text in rules if not holds]


@register(Tags.compatibility)
def delegations_fit(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Check that what owners are to lend us can be had: some role, and by a login that a trust may be taken with."""
    del app_configs
    if settings.IDENTITY != "keystone":
        return []
    found: list[CheckMessage] = []
    if not settings.DELEGATED_ROLES:
        found.append(Error("ROADSTEAD_DELEGATED_ROLES must name a role.", id="roadstead.E041"))
    if "applicationcredential" in settings.CLOUD_VARIABLES.get("OS_AUTH_TYPE", ""):
        found.append(
            Error(
                "ROADSTEAD_IDENTITY=keystone needs a login by password: a token of an application credential "
                "cannot become one of a trust.",
                id="roadstead.E042",
            )
        )
    return found


@register(Tags.compatibility)
def storage_fits(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Check the file of back-ends, that this node serves some of them, and the limits that go with them."""
    del app_configs
    try:
        known = set(storage.configured())
    except ValueError as error:
        return [Error(f"ROADSTEAD_BACKENDS: {error}", id="roadstead.E011")]
    unknown = sorted(set(settings.SERVES) - known)
    rules = [
        (not unknown, "E012", f"ROADSTEAD_SERVES names back-ends that there are not: {', '.join(unknown)}."),
        (
            2 * settings.POOL_REPORT <= settings.POOL_STALE,
            "E013",
            (
                f"ROADSTEAD_POOL_STALE ({settings.POOL_STALE:g} s) must be at least twice ROADSTEAD_POOL_REPORT "
                f"({settings.POOL_REPORT:g} s): one late report must not stop placements."
            ),
        ),
        (
            0 < settings.COPY_SLICE <= settings.STEP_LIMIT / 3,
            "E014",
            (
                f"ROADSTEAD_COPY_SLICE ({settings.COPY_SLICE:g} s) must be above zero and at most a third of "
                f"ROADSTEAD_STEP_LIMIT ({settings.STEP_LIMIT:g} s): what was copied is still to be made durable."
            ),
        ),
        (settings.READERS >= 1, "E015", "ROADSTEAD_READERS must be at least 1."),
    ]
    return [Error(text, id=f"roadstead.{number}") for holds, number, text in rules if not holds]


def _hold() -> float:
    """Return for how long the broker waits for an acknowledgement; RabbitMQ's default is half an hour."""
    options: dict[str, Any] = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    return float(options.get("visibility_timeout", 1800))


@register(Tags.database)
def postgresql_only(app_configs: Sequence[AppConfig] | None, **_: object) -> list[CheckMessage]:
    """Check that the database is PostgreSQL: the guarded writes rest on how it re-checks a locked row."""
    del app_configs
    if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
        return []
    return [Error("DATABASE_URL must name a PostgreSQL.", id="roadstead.E010")]
