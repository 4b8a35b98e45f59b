"""A real Keystone instead of our own identity: which tokens are good, and for what, is for it to say.

keystonemiddleware stands around the WSGI application, for the paths of our services only, and asks as our own user,
whom the OS_* variables name. It decides nothing: what it found out is in the WSGI environment, under keys that no
client can send, and `KeystoneAuthentication` makes the Caller of it; so discovery needs no token, nor a Keystone that
answers. Nor is it asked before somebody has to know: not for a request that is refused unread, and for no token that
is new from an address that has shown too many that are none (see api/floods.py). What it said is kept in this process
for TOKEN_CACHE_SECONDS: so long a revocation may take to be felt, and so long a good token goes on while Keystone is
down.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import cachetools
import structlog
from django.conf import settings
from keystoneauth1.exceptions import ClientException, NotFound
from keystonemiddleware import auth_token
from keystonemiddleware.auth_token._request import _AuthTokenRequest
from oslo_config import cfg
from rest_framework.authentication import BaseAuthentication

from api import rates
from api.problems import Forbidden, TooManyRequests, Unauthorized, Unavailable
from api.versions import IDENTITY, SERVICES, service_of
from clouds.session import CloudSession, SparingAdapter, open_session
from identity.authentication import Bearer
from identity.callers import Caller
from identity.models import Role

if TYPE_CHECKING:
    from rest_framework.request import Request

# Of the WSGI environment. The first two are keystonemiddleware's: only a token that it found good has a TOKEN_INFO,
# while TOKEN_AUTH tells of refused ones too.
TOKEN_INFO: Final = "keystone.token_info"  # noqa: S105 (a key)
TOKEN_AUTH: Final = "keystone.token_auth"  # noqa: S105
VOUCHED: Final = (
    "roadstead.vouched_by_service"  # there is a service token: whether it is good, and a service's
)
UNREACHABLE: Final = "roadstead.keystone_unreachable"
DOOR: Final = "roadstead.door"  # to be asked again by who goes on for longer than a request
_CACHE: Final = "roadstead.token_cache"
_MOUNTED: Final = "roadstead.mounted_at"

MAX_LENGTH: Final = 4096  # Fernet's have some hundred characters, signed ones two thousand at most
_TOKEN: Final = re.compile(r"[!-~]+", re.ASCII)
DOMAIN: Final = "The token is for a domain: ask for one that is scoped to a project."

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def guarded(application: Application) -> Application:
    """Return the WSGI application with keystonemiddleware around it, nothing asked yet.

    :raises InvalidCloud: the OS_* variables do not say where Keystone is and who we are.
    """
    cloud = open_session(settings.CLOUD_VARIABLES, settings.KEYSTONE_TIMEOUT, SparingAdapter)
    kept = Cache()
    doors = {
        service.type: Door(application, service.type, cloud, kept)
        for service in SERVICES
        if service is not IDENTITY
    }

    def guarded_application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        service = service_of(environ.get("PATH_INFO", ""))
        door: Application = doors.get(service.type, application) if service else application
        return door(environ, start_response)

    return guarded_application


def public_url() -> str:
    """Return where clients log in."""
    told: str = settings.KEYSTONE_PUBLIC_URL or settings.CLOUD_VARIABLES.get("OS_AUTH_URL", "")
    return (told or _url_of_clouds_yaml()).rstrip("/")


@cache
def _url_of_clouds_yaml() -> str:
    cloud = open_session(settings.CLOUD_VARIABLES, settings.KEYSTONE_TIMEOUT)
    return getattr(cloud.session.auth, "auth_url", None) or ""


class Unreachable(Exception):
    """Keystone does not say whether a token is good."""


class Cache:
    """What Keystone said of tokens, by their digests: bounded in number and age. Speaks as memcached's clients do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: cachetools.TTLCache[str, bytes] = cachetools.TTLCache(
            settings.TOKEN_CACHE_SIZE, settings.TOKEN_CACHE_SECONDS
        )

    def get(self, key: str) -> bytes | None:
        """Return what is held, while it is fresh."""
        with self._lock:
            return self._held.get(key)

    def set(self, key: str, value: bytes, time: float) -> None:  # noqa: ARG002 - all are kept for equally long
        """Hold it."""
        with self._lock:
            self._held[key] = value


class Door(auth_token.AuthProtocol):  # type: ignore[misc]
    """keystonemiddleware's, told of our service and its user; it takes a Keystone that fails for what that is."""

    def __init__(self, application: Application, service: str, cloud: CloudSession, kept: Cache) -> None:
        """Take what stands behind it, the service's type, how to reach Keystone, and where to keep what it says."""
        self._cloud, self._kept = cloud, kept  # the base class asks for the session while it is made
        options = cfg.ConfigOpts()
        options([], default_config_files=[], default_config_dirs=[])  # nothing of the machine's
        interface = cloud.interface if isinstance(cloud.interface, str) else "public"
        told = {
            "oslo_config_config": options,
            "cache": _CACHE,
            "delay_auth_decision": True,
            "http_request_max_retries": 0,
            "interface": interface.removesuffix("URL"),
            "region_name": cloud.region,
            "service_token_roles": Role.SERVICE.value,
            "service_token_roles_required": True,
            "service_type": service,
            "www_authenticate_uri": "unused",  # `KeystoneAuthentication` says it
        }
        super().__init__(application, told)

    def _create_auth_plugin(self) -> Any:
        return self._cloud.session.auth

    def _create_session(self, **_: Any) -> Any:
        return self._cloud.session

    def process_request(self, request: Any) -> None:
        """Be there for who has to know whose token it is; nobody is asked before what refuses for nothing has."""
        request.remove_auth_headers()
        request.environ[DOOR] = self
        request.environ[_MOUNTED] = request.environ.get("SCRIPT_NAME", "")

    def find_out(self, environ: dict[str, Any]) -> None:
        """Find out whose token it is, and write that into the environment.

        :raises TooManyRequests: Keystone would have to be asked, for a network from which too much is no token.
        """
        told = {
            **environ,
            _CACHE: self._kept,
            "SCRIPT_NAME": environ[_MOUNTED],
        }  # a proxy's prefix is not ours
        request = _AuthTokenRequest(told)
        self._token_cache.initialize(told)
        if any(text and not self._remembers(text) for text in (request.user_token, request.service_token)):
            wait = rates.ADDRESSES.wait(rates.network_of(environ.get("REMOTE_ADDR", "")))
            if wait:
                raise TooManyRequests(wait)
        try:
            super().process_request(request)
        except Unreachable:
            environ[UNREACHABLE] = True
            return
        if request.service_token:
            environ[VOUCHED] = request.service_token_valid
        environ.update({key: told[key] for key in (TOKEN_INFO, TOKEN_AUTH) if key in told})

    def _remembers(self, text: str) -> bool:
        text = text.strip()
        has_form = len(text) <= MAX_LENGTH and bool(_TOKEN.fullmatch(text))
        return (
            not has_form or self._token_cache.get(text) is not None
        )  # nobody is asked for what has not the form

    def token_now(self, text: str) -> Any:
        """Return what a token is good for now, or lately was, as keystoneauth's AccessInfo.

        :raises InvalidToken: as for `fetch_token`.
        :raises Unreachable: likewise.
        """
        _, token = self._do_fetch_token(text)
        self._validate_token(token)
        return token

    def process_response(self, response: Any) -> Any:
        """Return the answer as the application gave it, with its own challenge."""
        return response

    def fetch_token(self, token: str, **kwargs: Any) -> Any:
        """Return what Keystone says of the token, now or lately.

        :raises InvalidToken: it is none, or no longer good.
        :raises Unreachable: Keystone does not say, whether it is down, hangs, fails or does not know us.
        """
        if len(token) > MAX_LENGTH or not _TOKEN.fullmatch(token):
            raise auth_token.InvalidToken("no token has this form")
        try:
            return super().fetch_token(token, **kwargs)
        except auth_token.InvalidToken as error:
            # What went wrong with Keystone comes as an invalid token too, with its cause; NotFound is a good answer.
            if isinstance(error.__context__, NotFound):
                raise
            if isinstance(error.__context__, ClientException | auth_token.ServiceError):
                raise Unreachable(str(error)) from error
            raise
        except ClientException as error:
            raise Unreachable(str(error)) from error


class KeystoneAuthentication(BaseAuthentication):
    """`request.user` becomes the Caller, `request.auth` the Bearer; the log learns both ids.

    Headers that tell who somebody is (X-User-Id, X-Roles...) are never read, whoever wrote them.
    """

    def authenticate(self, request: Request) -> tuple[Caller, Bearer] | None:
        """Return the caller and the token, or None where there is no token.

        :raises Unauthorized: the token, or the service token beside it, is not, or no longer, good.
        :raises Forbidden: it is for a domain, of which we have nothing.
        :raises Unavailable: Keystone does not say.
        :raises TooManyRequests: it is not asked, for a network from which too much is no token.
        """
        told, text = request.META, request.headers.get("X-Auth-Token", "").strip()
        if not text:
            return None
        told[DOOR].find_out(told)
        if told.get(UNREACHABLE):
            raise Unavailable(
                "Keystone does not answer, so the token cannot be checked. Try again in a moment.",
                code="identity-unavailable",
            )
        if told.get(TOKEN_INFO) is None:
            raise Unauthorized("The request you have made requires authentication.")
        token, service = told[TOKEN_AUTH].user, told[TOKEN_AUTH].service
        structlog.contextvars.bind_contextvars(user_id=token.user_id, project_id=token.project_id)
        vouched = told.get(VOUCHED)
        if vouched is False:
            raise Unauthorized("The service token beside the request's token is not, or no longer, good.")
        if vouched:
            structlog.contextvars.bind_contextvars(service_user_id=service.user_id)
        return caller_of_token(token, by_service=bool(vouched)), Bearer(text, token.expires)

    def authenticate_again(self, request: Request) -> tuple[Caller, Bearer]:
        """Return the caller of a request that was let through, as Keystone has it now.

        :raises Unauthorized: the token is no longer good.
        :raises Unavailable: Keystone does not say.
        """
        text = request.headers["X-Auth-Token"].strip()
        try:
            token = request.META[DOOR].token_now(text)
        except auth_token.InvalidToken:
            raise Unauthorized("The token is not good any more.") from None
        except Unreachable as down:
            raise Unavailable("Keystone does not answer.", code="identity-unavailable") from down
        return caller_of_token(token), Bearer(text, token.expires)

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        """Return the challenge that goes with a 401."""
        return f'Keystone uri="{public_url()}"'


def caller_of_token(token: Any, *, by_service: bool = False) -> Caller:
    """Return whom a good token speaks for: keystoneauth's AccessInfo.

    Roles are ours by name; whether Keystone has one imply another or not, admin includes manager, and so on.

    :raises Forbidden: the token is for a domain: its roles hold there only.
    """
    if token.domain_scoped:
        raise Forbidden(DOMAIN)
    system = bool(token.system_scoped)
    held = [role for name in token.role_names if (role := Role.named(str(name).lower()))]
    roles = frozenset(implied.value for role in held for implied in role.implied)
    return Caller(
        user_id=str(token.user_id),
        user_name=str(token.username),
        project_id=token.project_id,
        project_name=token.project_name,
        roles=roles if system or token.project_scoped else frozenset(),
        system=system,
        by_service=by_service,
    )
