"""How a process talks to a cloud: whom it is, how long it waits, how much it reads.

One HTTP session per process, made at the first use and shared by its threads. It never tries again by itself: what a
failed call may have done is for the caller to find out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keystoneauth1.exceptions
import keystoneauth1.loading
import requests
import requests.adapters
import urllib3
from keystoneauth1 import session as keystone_session

CONNECT_SECONDS = 3.0
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes; a page of stacks is far below

_PIECE = 256 * 1024


class InvalidCloud(Exception):
    """The `OS_*` variables do not say how to reach a cloud."""


@dataclass(frozen=True, slots=True)
class CloudSession:
    """A logged-in way to one region's services."""

    session: keystone_session.Session
    region: str | None
    interface: str | list[str] | None


class BoundedAdapter(requests.adapters.HTTPAdapter):
    """Ends every request after a total time and a total size, whatever the other side does.

    The time bounds the connection, each wait for the head, and the body as a whole.
    """

    def __init__(self, seconds: float) -> None:
        """Take the total time of a request."""
        self._seconds = seconds
        super().__init__(max_retries=0)

    def send(  # noqa: PLR0917 - requests' own signature
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - the body is always read here
        timeout: Any = None,  # noqa: ARG002 - nobody may ask for longer
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send the request and read its whole answer within the bounds.

        :raises requests.ReadTimeout: the time was over.
        :raises requests.exceptions.ContentDecodingError: the answer was too large.
        """
        deadline = time.monotonic() + self._seconds
        bounds = urllib3.Timeout(total=self._seconds, connect=min(CONNECT_SECONDS, self._seconds))
        response = super().send(request, True, bounds, verify, cert, proxies)  # type: ignore[arg-type]
        try:
            body = _read(response, deadline)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise requests.exceptions.ReadTimeout(error, request=request) from error
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
        except BaseException:
            response.close()
            raise
        response._content = body  # noqa: SLF001 - as requests itself does when it reads a body
        response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001
        return response


class SparingAdapter(BoundedAdapter):
    """Of a server that left the last request unanswered, only one at a time is asked; all others are refused at once.

    So a server that hangs holds one thread of a process, not all.
    """

    def __init__(self, seconds: float) -> None:
        """Take the total time of a request."""
        super().__init__(seconds)
        self._is_down = False
        self._trying = threading.Lock()

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send the request within the bounds.

        :raises requests.ConnectionError: nothing was sent, for another request tries it already.
        """
        tries = self._is_down
        if tries and not self._trying.acquire(blocking=False):
            raise requests.ConnectionError("it did not answer lately", request=request)
        try:
            response = super().send(request, *args, **options)
        except (requests.ConnectionError, requests.Timeout):
            self._is_down = True
            raise
        finally:
            if tries:
                self._trying.release()
        self._is_down = False
        return response


def _read(response: requests.Response, deadline: float) -> bytes:
    """Return the body, or raise at the deadline or past the limit."""
    body = bytearray()
    while piece := response.raw.read1(_PIECE, decode_content=True):
        body += piece
        if len(body) > ANSWER_LIMIT:
            raise requests.exceptions.ContentDecodingError("the answer is too large")
        if time.monotonic() > deadline:
            raise requests.exceptions.ReadTimeout("the answer takes too long")
    return bytes(body)


def open_session(
    variables: Mapping[str, str], seconds: float, adapter: type[BoundedAdapter] = BoundedAdapter
) -> CloudSession:
    """Return a session for the cloud that the `OS_*` variables name; nothing is sent yet.

    `OS_CLOUD` takes a cloud of clouds.yaml (`OS_CLIENT_CONFIG_FILE` says where), all else is as for `openstack`.

    :raises InvalidCloud: they contradict each other or say too little.
    """
    settings = {
        key.removeprefix("OS_").lower(): value
        for key, value in variables.items()
        if key.startswith("OS_") and value
    }
    if not settings:
        raise InvalidCloud(
            "No cloud is named: set OS_CLOUD, or OS_AUTH_URL and its companions, or OS_ENDPOINT."
        )
    cloud = _of_clouds_yaml(settings) if "cloud" in settings else _of_variables(settings)
    http = requests.Session()
    for scheme in ("http://", "https://"):
        http.mount(scheme, adapter(seconds))
    session = keystone_session.Session(auth=cloud.auth, session=http, verify=cloud.verify, cert=cloud.cert)
    return CloudSession(session=session, region=cloud.region, interface=cloud.interface)


@dataclass(frozen=True, slots=True)
class _Cloud:
    auth: Any
    verify: bool | str
    cert: Any
    region: str | None
    interface: str | list[str] | None


def _of_variables(settings: Mapping[str, str]) -> _Cloud:
    """Read the variables as keystoneauth's own loaders do."""
    method = settings.get("auth_type", "password")
    try:
        loader: Any = keystoneauth1.loading.get_plugin_loader(method)
        auth = loader.load_from_options_getter(lambda option: settings.get(option.dest))
    except keystoneauth1.exceptions.ClientException as error:
        raise InvalidCloud(f"The OS_* variables name no usable cloud: {error}") from error
    insecure = settings.get("insecure", "").lower() in {"1", "true", "yes"}
    cert = (settings["cert"], settings["key"]) if {"cert", "key"} <= settings.keys() else settings.get("cert")
    return _Cloud(
        auth=auth,
        verify=False if insecure else settings.get("cacert", True),
        cert=cert,
        region=settings.get("region_name"),
        interface=settings.get("interface"),
    )


def _of_clouds_yaml(settings: Mapping[str, str]) -> _Cloud:
    """Read a cloud of clouds.yaml; what the variables say besides goes before."""
    # Half a second and 30 MB that a process does without where the variables say it all.
    import openstack.config  # noqa: PLC0415
    import openstack.exceptions  # noqa: PLC0415

    file = settings.get("client_config_file")
    others: dict[str, Any] = {
        key: value for key, value in settings.items() if key not in {"cloud", "client_config_file"}
    }
    try:
        config = openstack.config.OpenStackConfig(
            config_files=[file] if file else None, load_envvars=False, app_name="roadstead"
        )
        region = config.get_one(cloud=settings["cloud"], **others)
        auth = region.get_auth()
        verify, cert = region.get_requests_verify_args()
    except (
        openstack.exceptions.ConfigException,
        keystoneauth1.exceptions.ClientException,
        OSError,
        ValueError,
    ) as error:
        raise InvalidCloud(f"OS_CLOUD names no usable cloud: {error}") from error
    return _Cloud(
        auth=auth,
        verify=True if verify is None else verify,
        cert=cert,
        region=region.get_region_name("orchestration"),
        interface=region.get_interface("orchestration"),
    )
