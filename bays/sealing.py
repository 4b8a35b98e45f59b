"""Secrets at rest: sealed under the first secret of the setting CERTIFICATE_KEYS, unsealed under any of them.

So a secret is replaced while nodes run: put the new one first on every node, seal everything anew
(`manage.py reseal`), drop the old one. What is signed is not signed anew: keep an old secret as long as that matters.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import Any, Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac

_PURPOSE: Final = b"roadstead bays.sealing"  # the same secret gives another key elsewhere


class Unreadable(Exception):
    """What was sealed cannot be unsealed: its secret is not among CERTIFICATE_KEYS, or it was tampered with."""


def seal(secret: bytes) -> bytes:
    """Return the secret as it may be stored."""
    return _boxes()[0].encrypt(secret)


def unseal(sealed: bytes) -> bytes:
    """Return what was sealed.

    :raises Unreadable: no secret of this node unseals it.
    """
    try:
        return MultiFernet(_boxes()).decrypt(sealed)
    except InvalidToken as error:
        raise Unreadable("no secret among CERTIFICATE_KEYS unseals it") from error


def resealed(sealed: bytes) -> bytes | None:
    """Return the same secret under the first of CERTIFICATE_KEYS; None if that is what seals it already.

    :raises Unreadable: no secret of this node unseals it.
    """
    try:
        _boxes()[0].decrypt(sealed)
    except InvalidToken:
        return seal(unseal(sealed))
    return None


def reseal(rows: QuerySet[Any], column: str) -> tuple[int, list[str]]:
    """Seal a column of these rows under the first of CERTIFICATE_KEYS; return how many were not, and the unreadable.

    What is replaced meanwhile is sealed anew by that, and stays as it is.
    """
    done, unreadable = 0, []
    for pk, sealed in rows.values_list("pk", column).iterator():
        try:
            anew = resealed(bytes(sealed))
        except Unreadable:
            unreadable.append(str(pk))
            continue
        if anew is not None:
            done += rows.filter(pk=pk, **{column: sealed}).update(**{column: anew})
    return done, unreadable


def signature(text: str) -> str:
    """Return what proves that this installation has written the text."""
    return _signature(settings.CERTIFICATE_KEYS[0], text)


def is_signed(text: str, by: str) -> bool:
    """Tell whether it is the text's signature, under any of CERTIFICATE_KEYS."""
    return any(constant_time_compare(_signature(secret, text), by) for secret in settings.CERTIFICATE_KEYS)


def _signature(secret: str, text: str) -> str:
    return salted_hmac("bays.sealing", text, secret=secret, algorithm="sha256").hexdigest()


def _boxes() -> list[Fernet]:
    return [_box(secret) for secret in settings.CERTIFICATE_KEYS]


@cache
def _box(secret: str) -> Fernet:
    """Return the box of a secret. It is kept: to derive it costs more than to use it."""
    derived = HKDF(hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
