"""Logins to the Django admin: Django's own, with guesses counted as those at the API are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied

from api.problems import TooManyRequests, Unauthorized
from api.rates import network_of
from identity.guesses import counted

if TYPE_CHECKING:
    from django.http import HttpRequest

    from identity.models import User


class Backend(ModelBackend):
    """Users by name and password."""

    def authenticate(  # type: ignore[override] - as in the base, which is told it is allowed
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the user, or None.

        :raises PermissionDenied: too many have failed; the page says what it says to a wrong password.
        """
        address = network_of(request.META.get("REMOTE_ADDR", "")) if request else ""
        try:
            with counted(f"name {username}", address):
                return (
                    super().authenticate(request, username=username, password=password, **kwargs) or _refuse()
                )
        except Unauthorized:
            return None
        except TooManyRequests as refusal:
            raise PermissionDenied(refusal.message) from refusal


def _refuse() -> NoReturn:
    raise Unauthorized("The user or the password is wrong.")
