"""Which back-ends this installation has: a TOML file, read into configured drivers.

    [backends.fast]
    driver = "directory"            # or a dotted path to a class
    availability_zone = "nova"      # default: the installation's
    over_provisioning = 20.0        # how many times its free room a pool may promise
    reserved_percentage = 0         # of each pool, kept free
    capabilities = { tier = "ssd" } # what to report beside what the driver does
    # ... and the driver's own options

    [[backends.fast.pools]]
    name = "a"
    path = "/srv/roadstead/a"
    # ... and the driver's own options of a pool

Names become parts of Cinder's `host@backend#pool`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.utils.module_loading import import_string

from volumes.backends.base import Backend
from volumes.backends.options import Options

DRIVERS = {"directory": "volumes.backends.directory.driver.DirectoryBackend"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
PLAIN = (str, int, float, bool)


@dataclass(frozen=True, slots=True)
class Configured:
    """A back-end and what the operator says about it."""

    name: str
    backend: Backend
    availability_zone: str | None  # the installation's own where the file names none
    over_provisioning: float
    reserved_percentage: int
    capabilities: Mapping[str, Any]


class Driver(Protocol):
    """What the class of a driver offers to the registry."""

    def configure(self, name: str, options: Options, pools: list[Options]) -> Backend:
        """Make a back-end without touching what cannot be reached now; take every option, refuse the rest.

        :raises ValueError: naming the key that is wrong.
        """


def load(path: Path) -> dict[str, Configured]:
    """Read the file into back-ends by name.

    :raises ValueError: the file cannot be read, or has a mistake: it names back-end and key.
    """
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    file = Options(read, str(path))
    tables = file.table("backends")
    file.done()
    _each_path_once(file, tables)
    return {name: _configured(name, table, path) for name, table in tables.items()}


def _configured(name: str, table: Any, path: Path) -> Configured:
    where = f"{path}: backend {name!r}"
    if not NAME.fullmatch(name):
        raise ValueError(f"{where}: a name has letters, digits, '.', '_' and '-' only, 63 at most.")
    if not isinstance(table, dict):
        raise ValueError(f"{where}: is no table.")  # noqa: TRY004 (a mistake in a file)
    options = Options(table, where)
    driver = _driver(options)
    zone = options.optional_text("availability_zone")
    ratio = options.number("over_provisioning", 20.0, least=1)
    reserved = options.whole("reserved_percentage", 0, least=0, most=100)
    capabilities = options.table("capabilities")
    for key, value in capabilities.items():
        if not key or not isinstance(value, PLAIN):
            raise options.wrong(f"capabilities.{key}", "is neither text, number, true nor false.")
    pools = _pools(options)
    return Configured(name, driver.configure(name, options, pools), zone, ratio, reserved, capabilities)


def _driver(options: Options) -> Driver:
    dotted = options.text("driver", "directory")
    try:
        driver: Driver = import_string(DRIVERS.get(dotted, dotted))
        callable(driver.configure)
    except (ImportError, AttributeError) as error:
        raise options.wrong("driver", f"{error}.") from error
    return driver


def _pools(options: Options) -> list[Options]:
    pools: dict[str, Options] = {}
    for table in options.tables("pools"):
        name = table.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise options.wrong(
                "pools", f"name {name!r}: letters, digits, '.', '_' and '-' only, 63 at most."
            )
        if name in pools:
            raise options.wrong("pools", f"two are named {name!r}.")
        pools[name] = Options(table, f"{options.where}: pool {name!r}")
    return list(pools.values())


def _each_path_once(file: Options, tables: Mapping[str, Any]) -> None:
    """Refuse two pools on one path: each would count the other's volumes as strays."""
    owners: dict[str, str] = {}
    for backend, table in tables.items():
        pools = table.get("pools", []) if isinstance(table, dict) else []
        for pool in pools if isinstance(pools, list) else []:
            path = pool.get("path") if isinstance(pool, dict) else None
            if isinstance(path, str):
                owner = f"backend {backend!r}, pool {pool.get('name')!r}"
                first = owners.setdefault(os.path.realpath(path), owner)
                if first != owner:
                    raise file.wrong("path", f"{path} is used by {first} and by {owner}.")
