"""The bay drivers of this installation: which one makes a bay of a given coe and server type."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from bays.drivers.base import Driver


class NoDriver(LookupError):
    """No driver makes bays of this coe and server type."""

    def __init__(self, coe: str, server_type: str, served: frozenset[tuple[str, str]]) -> None:
        """Name what was asked for and what there is."""
        there_is = ", ".join(f"{coe} on {server_type}" for coe, server_type in sorted(served)) or "nothing"
        super().__init__(f"No driver for {coe} on {server_type}; there is: {there_is}.")


@cache
def drivers() -> dict[tuple[str, str], Driver]:
    """Return the drivers that settings.BAY_DRIVERS names, by what they serve; loaded once a process.

    :raises ImproperlyConfigured: a path leads to no driver, or two drivers serve the same.
    """
    found: dict[tuple[str, str], Driver] = {}
    for path in getattr(settings, "BAY_DRIVERS", ["bays.drivers.demo.DemoDriver"]):
        try:
            driver: Driver = import_string(path)()
        except ImportError as error:
            raise ImproperlyConfigured(f"BAY_DRIVERS names {path}, which is not there: {error}") from error
        for pair in driver.serves:
            if pair in found:
                raise ImproperlyConfigured(
                    f"Two BAY_DRIVERS serve {pair}: {found[pair].name}, {driver.name}."
                )
            found[pair] = driver
    return found


def driver_for(coe: str, server_type: str) -> Driver:
    """Return the driver that makes such bays.

    :raises NoDriver: none does; the message names what there is.
    """
    served = drivers()
    try:
        return served[coe, server_type]
    except KeyError:
        raise NoDriver(coe, server_type, frozenset(served)) from None
