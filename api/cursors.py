"""Places in the order of events as clients carry them: sealed, for one service and one project (or an admin's all).

What is inside would tell how much goes on in the whole cloud, and how to ask about other tenants' events. Sealed, one
that was made up, or is another project's, is only a text that we have not given to this caller.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import struct
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from api.problems import BadRequest
from lifecycle.feed import Place

_PURPOSE: Final = b"roadstead api.cursors"  # the same secret gives another key elsewhere
_FORM: Final = struct.Struct(">BqqqL")  # the form's number, turn, id, microseconds, salt
_LENGTH: Final = 60  # characters
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


def seal(place: Place, *scope: str) -> str:
    """Return the cursor of an event's own place: always the same one, so that clients can tell events apart by it."""
    return _sealed(place, scope, 0)


def seal_afresh(place: Place, *scope: str) -> str:
    """Return a cursor of a place that may be of anybody's event: each is another, so that none tells of anything."""
    return _sealed(place, scope, secrets.randbits(32))


def unseal(cursor: str, *scope: str) -> Place:
    """Return the place that a cursor names.

    :raises BadRequest: it is none of ours, or not of this scope.
    """
    try:
        if len(cursor) != _LENGTH:
            raise BadRequest(_REFUSAL)
        raw = _box(settings.SECRET_KEY).decrypt(base64.b64decode(cursor, b"-_", validate=True), _bound(scope))
    except (InvalidTag, binascii.Error, ValueError):
        raise BadRequest(_REFUSAL) from None
    form, turn, number, ticks, _ = _FORM.unpack(raw)
    if form != 1:
        raise BadRequest(_REFUSAL)
    return Place(turn, number, _EPOCH + ticks * _TICK)


_REFUSAL: Final = "The cursor is none that this project was given here. Begin without one."


def _sealed(place: Place, scope: tuple[str, ...], salt: int) -> str:
    raw = _FORM.pack(1, place.turn, place.id, (place.at - _EPOCH) // _TICK, salt)
    return base64.urlsafe_b64encode(_box(settings.SECRET_KEY).encrypt(raw, _bound(scope))).decode()


def _bound(scope: tuple[str, ...]) -> list[bytes]:
    return [part.encode() for part in scope]


@cache
def _box(secret: str) -> AESSIV:
    return AESSIV(HKDF(hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode()))
