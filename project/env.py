"""Typed readers of the environment, with the node's own file as default.

`make up` writes what it started (database, broker, Heat) to `.state/env`; a variable of the process's own
environment always wins over a line of that file.
"""

from __future__ import annotations

import os
import tomllib
from functools import cache
from pathlib import Path

import dj_database_url
from dj_database_url import DBConfig
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


@cache
def _state_file() -> dict[str, str]:
    path = Path(os.environ.get("ROADSTEAD_ENV_FILE", BASE_DIR / ".state" / "env"))
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def text(name: str, default: str | None = None) -> str:
    """Return the variable as text.

    :raises ImproperlyConfigured: it is set nowhere and has no default.
    """
    value = os.environ.get(name, _state_file().get(name, default))
    if value is None:
        raise ImproperlyConfigured(
            f"{name} is not set. `make up` starts servers and writes .state/env; or set {name} yourself."
        )
    return value


def flag(name: str, *, default: bool) -> bool:
    """Return the variable as a truth value.

    :raises ImproperlyConfigured: it is none of 1, true, yes, on, 0, false, no, off or empty.
    """
    value = text(name, "1" if default else "0").strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is not a truth value (1 or 0).")


def number(name: str, default: float) -> float:
    """Return the variable as a number of at least zero.

    :raises ImproperlyConfigured: it is not such a number.
    """
    value = text(name, str(default))
    try:
        parsed = float(value)
    except ValueError:
        parsed = -1.0
    if not 0 <= parsed < float("inf"):
        raise ImproperlyConfigured(f"{name}={value!r} is not a number of at least zero.")
    return parsed


def limit(name: str, default: int) -> int:
    """Return the variable as a limit: a whole number, or -1 for none.

    :raises ImproperlyConfigured: it is neither.
    """
    value = text(name, str(default)).strip()
    if value != "-1" and not (value.isascii() and value.isdecimal()):
        raise ImproperlyConfigured(f"{name}={value!r} is no limit (a whole number, or -1 for none).")
    return int(value)


def rate(name: str, default: str) -> tuple[float, float] | None:
    """Return the variable as so many a second and, after a comma, so many at once; None for 0, which is no limit.

    :raises ImproperlyConfigured: it is not that.
    """
    value = text(name, default)
    try:
        per_second, burst = (float(word) for word in (value if "," in value else f"{value},1").split(","))
    except ValueError:
        per_second = burst = -1.0
    if not (0 <= per_second < float("inf") and 1 <= burst < float("inf")):
        raise ImproperlyConfigured(f"{name}={value!r} is no rate (so many a second, and so many at once).")
    return (per_second, burst) if per_second else None


def words(name: str, default: str = "") -> list[str]:
    """Return the variable as a list of its comma-separated words."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def tables(path: str, name: str) -> list[str]:
    """Return the names of the tables below `name` in a TOML file; none if the path is empty.

    :raises ImproperlyConfigured: the file cannot be read or is not TOML.
    """
    if not path:
        return []
    try:
        found = tomllib.loads(Path(path).read_text()).get(name, {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error}") from error
    return list(found) if isinstance(found, dict) else []


def database(name: str) -> DBConfig:
    """Return Django's settings for the database that a URL names.

    Several hosts are written as libpq writes them (`postgresql://user@one:5432,two:5432/db`); of those the one that
    takes writes is used.

    :raises ImproperlyConfigured: it is no database URL.
    """
    url = text(name)
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, at, hosts = authority.rpartition("@")
    several = [_host_and_port(host) for host in hosts.split(",")] if "," in hosts else []
    if several:
        url = f"{scheme}://{login}{at}several{slash}{path}"
    try:
        if not all(host and port.isdecimal() for host, port in several):
            raise ValueError("each of several hosts is a name or an address, and a port if need be")  # noqa: TRY301
        settings = dj_database_url.parse(url, conn_health_checks=True)
    except (ValueError, KeyError) as error:
        raise ImproperlyConfigured(f"{name} is no database URL: {error}") from error
    if several:
        settings["HOST"] = ",".join(host for host, _ in several)
        settings["PORT"] = ",".join(port for _, port in several)
        settings.setdefault("OPTIONS", {}).setdefault("target_session_attrs", "read-write")
    return settings


def _host_and_port(text: str) -> tuple[str, str]:
    """Return both as libpq wants them: an IPv6 address without its brackets, the port given or PostgreSQL's."""
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, "5432"
    return host.removeprefix("[").removesuffix("]"), port


def cloud_variables() -> dict[str, str]:
    """Return the `OS_*` variables that say where Heat is and how to log in."""
    merged = {**_state_file(), **os.environ}
    return {key: value for key, value in merged.items() if key.startswith("OS_")}
