"""How the documents of /volume are described: beside what the serializers make them of.

An answer that is not so fails the test that it was given in (`tests/described.py`).
"""

from __future__ import annotations

from typing import Any, Final

from api.openapi.schemas import INTEGER, LINKS, TEXT, Schema, listed, maybe, obj, optional

TIME: Final[Schema] = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$",
    "description": "UTC, without a zone.",
}
WORD: Final = maybe(TEXT)
ADMINS: Final = "To admins."
WRITTEN: Final = "Not in the answer to a write."


def one(word: str, item: Schema) -> dict[str, Any]:
    return obj({word: item})


def page(key: str, item: Schema) -> dict[str, Any]:
    """Return how a page is described, as Cinder's clients know it."""
    return listed(key, item, **{f"{key}_links": optional(LINKS, "The next page.")})


def counted(key: str, item: Schema) -> dict[str, Any]:
    """Return how a page is described that can tell how many there are in all."""
    links = {f"{key}_links": optional(LINKS, "The next page.")}
    return listed(key, item, count=optional(INTEGER, "With `with_count`, from 3.45 on."), **links)
