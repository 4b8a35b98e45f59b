"""Bodies read strictly: what two readers could take differently is refused, and what cannot be stored."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser

from api.problems import BadRequest, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import IO

    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request

INT64: Final = range(-(2**63), 2**63)
_DIGITS: Final = 20  # a 64-bit integer has 19 and a sign


def loads(raw: bytes) -> Any:
    """Return the document that the bytes spell.

    :raises BadRequest: they are not UTF-8 or not JSON, nest too deeply, repeat a key, or hold a number or a
        character that the database cannot.
    """
    try:
        document = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except UnicodeDecodeError:
        raise BadRequest("The body is not valid UTF-8.") from None
    except RecursionError:
        raise BadRequest("The body nests too deeply.") from None
    except ValueError as exc:
        raise BadRequest(f"The body is not valid JSON: {exc}") from None
    _walk(document)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise BadRequest("The body is not valid: an object names a key twice.")
    return document


def _integer(text: str) -> int:
    if len(text) > _DIGITS or int(text) not in INT64:
        raise BadRequest("The body is not valid: an integer does not fit in 64 bits.")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadRequest("The body is not valid: NaN and infinite numbers are not JSON.")
    return number


def _walk(document: object) -> None:
    """Check depth and text, without recursion: the depth is the sender's."""
    level: list[object] = [document]
    for _ in range(settings.API_BODY_DEPTH):
        following: list[object] = []
        for value in level:
            if isinstance(value, str):
                _storable(value)
            elif isinstance(value, list):
                following.extend(value)
            elif isinstance(value, dict):
                following.extend(value.keys())
                following.extend(value.values())
        if not following:
            return
        level = following
    raise BadRequest("The body nests too deeply.")


def _storable(text: str) -> None:
    if "\x00" in text:
        raise BadRequest("The body is not valid: text holds a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest("The body is not valid: text holds half of a surrogate pair.") from None


class StrictJSONParser(BaseParser):
    """JSON up to a size, through `loads`."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body's document.

        :raises TooLarge: it is longer than the setting API_BODY_BYTES.
        :raises BadRequest: see `loads`.
        """
        del media_type, parser_context
        raw = stream.read(settings.API_BODY_BYTES + 1)
        if len(raw) > settings.API_BODY_BYTES:
            raise TooLarge(f"The request's body is longer than {settings.API_BODY_BYTES} bytes.")
        return loads(raw)


class JSONPatchParser(StrictJSONParser):
    """A JSON patch under its own media type; clients send it under application/json just as often."""

    media_type = "application/json-patch+json"


class JSONOnly(BaseContentNegotiation):
    """The body's parser by its media type; the answer is JSON whatever `Accept` says."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser of the body's media type, or None, which DRF answers with 415."""
        media_type = (request.content_type or "").split(";", 1)[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer."""
        del request, format_suffix
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
