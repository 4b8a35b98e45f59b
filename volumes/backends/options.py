"""Options out of a configuration file: each read once, with its type, and nothing left over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


class Options:
    """A table of the file. Every mistake in it is a ValueError that names the key."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        """Take the table and how a message shall name it."""
        self._values = dict(values)
        self.where = where

    def wrong(self, key: str, why: str) -> ValueError:
        """Return the error to raise about a key."""
        return ValueError(f"{self.where}: {key}: {why}")

    def text(self, key: str, default: str | None = None, *, one_of: Sequence[str] = ()) -> str:
        """Take a text; without a default it must be there."""
        value = self._take(key, default, str, "a text")
        if not value or (one_of and value not in one_of):
            raise self.wrong(key, f"{value!r} is none of {', '.join(one_of)}." if value else "is empty.")
        return str(value)

    def optional_text(self, key: str) -> str | None:
        """Take a text, or nothing."""
        return self.text(key) if key in self._values else None

    def flag(self, key: str, *, default: bool) -> bool:
        """Take true or false."""
        return bool(self._take(key, default, bool, "true or false"))

    def whole(self, key: str, default: int, *, least: int, most: int = 2**63 - 1) -> int:
        """Take a whole number between two bounds."""
        value: int = self._take(key, default, int, "a whole number")
        if not least <= value <= most:
            raise self.wrong(key, f"{value} is not between {least} and {most}.")
        return value

    def number(self, key: str, default: float, *, least: float) -> float:
        """Take a number that is no less than a bound."""
        value = float(self._take(key, default, (int, float), "a number"))
        if not math.isfinite(value) or value < least:
            raise self.wrong(key, f"{value} is no number from {least:g} up.")
        return value

    def texts(self, key: str, default: Sequence[str]) -> list[str]:
        """Take a list of texts."""
        values: list[str] = self._take(key, list(default), list, "a list of texts")
        if not all(isinstance(value, str) and value for value in values):
            raise self.wrong(key, "is not a list of texts.")
        return values

    def table(self, key: str) -> dict[str, Any]:
        """Take a table as it is; an empty one if it is missing."""
        return dict(self._take(key, {}, dict, "a table"))

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        """Take a list of tables, at least one."""
        values: list[Mapping[str, Any]] = self._take(key, [], list, "a list of tables")
        if not values or not all(isinstance(value, dict) for value in values):
            raise self.wrong(key, "needs at least one table.")
        return values

    def done(self) -> None:
        """Refuse what nobody asked for: it is misspelt, or meant for something else."""
        if self._values:
            raise ValueError(f"{self.where}: unknown key {', '.join(sorted(map(repr, self._values)))}.")

    def _take(self, key: str, default: Any, kind: type | tuple[type, ...], words: str) -> Any:
        value = self._values.pop(key, default)
        if value is None:
            raise self.wrong(key, "is missing.")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(key, f"{value!r} is not {words}.")
        return value
