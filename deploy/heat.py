"""How the embedded Heat is configured, started and known to be ready.

Heat itself lives in a virtual environment of its own (`.venv-heat`, from `requirements-heat.txt`) because its
libraries must not mix with ours; `heat_server.py` is the program that runs there. Everything it writes is below
`<state_dir>/heat/`: `heat.conf` (0600: it holds the database's password), `access.log`.

By default anybody who reaches it is its one user. Told of a Keystone, it asks that for everybody's tokens and works
in each owner's project through trusts, as Heat does everywhere.
"""

from __future__ import annotations

import http.client
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = "roadstead"
NOTIFIED = "HEAT_NOTIFICATIONS_URL"  # names the RabbitMQ that Heat notifies and nodes listen to
USER = "heat"  # in Keystone, where there is one: of the project `service`
DOMAIN = "heat"  # of the users that stacks have made for themselves
DOMAIN_ADMIN = "heat_domain_admin"

_ROOT = Path(__file__).resolve().parent.parent
_SERVER = Path(__file__).resolve().parent / "heat_server.py"

# executor_thread_pool_size: a resource that waits keeps its thread and so do the groups above it; with fewer threads
# than waiting resources, groups would hold all of them while their members wait for one.
_CONF = """\
[DEFAULT]
transport_url = fake://
host = embedded
auth_encryption_key = {key}
deferred_auth_method = {deferred}
convergence_engine = true
executor_thread_pool_size = 4000
max_stacks_per_tenant = 100000
max_resources_per_stack = -1
max_nested_stack_depth = 8
max_template_size = 4194304
max_json_body_size = 16777216
rpc_response_timeout = 60
default_log_levels = heat=WARN,heat.engine.stack=INFO,sqlalchemy=WARN,oslo_messaging=WARN,alembic=WARN
log_options = false

[database]
connection = {database}
max_pool_size = 20
max_overflow = 40
pool_timeout = 60

[oslo_messaging_notifications]
{notifications}

[paste_deploy]
{flavor}api_paste_config = {paste}
"""
_KEYSTONE = """
[keystone_authtoken]
{user}
project_name = service
project_domain_name = Default
www_authenticate_uri = {url}
service_token_roles = service
service_token_roles_required = true

# Without a project: it logs in by a trust.
[trustee]
{user}

[clients_keystone]
auth_uri = {url}
"""
_USER = """\
auth_type = password
auth_url = {url}
username = {name}
password = {password}
user_domain_name = Default\
"""
_STACK_DOMAIN = """\
trusts
stack_user_domain_name = {domain}
stack_domain_admin = {admin}
stack_domain_admin_password = {password}\
"""


@dataclass(frozen=True)
class Behind:
    """The Keystone that Heat is to stand behind, and Heat's passwords there."""

    auth_url: str
    password: str
    domain_password: str


def endpoint(port: int) -> str:
    """Return the URL to use with OS_AUTH_TYPE=none and OS_ENDPOINT."""
    return f"http://127.0.0.1:{port}/v1/{PROJECT}"


def command(
    state_dir: Path,
    database_url: str,
    port: int,
    venv: Path = _ROOT / ".venv-heat",
    behind: Behind | None = None,
) -> tuple[list[str], dict[str, str]]:
    """Write Heat's configuration and return the argv and the extra environment that start it."""
    home = state_dir.resolve() / "heat"
    (home / "conf.d").mkdir(parents=True, exist_ok=True)
    key = home / "encryption_key"
    if not key.exists():
        _write_private(key, secrets.token_hex(16))
    conf = home / "heat.conf"
    scheme, _, rest = database_url.partition("://")
    if scheme not in {"postgres", "postgresql"}:
        raise ValueError("The embedded Heat needs a postgresql:// database.")
    _write_private(
        conf,
        _CONF.format(
            key=key.read_text(),
            database=f"postgresql+psycopg2://{rest}".replace("$", "$$"),
            paste=venv / "etc" / "heat" / "api-paste.ini",
            notifications=_notifications(os.environ.get(NOTIFIED, "")),
            flavor="" if behind else "flavor = noauth\n",
            deferred=_trusts(behind) if behind else "password",
        )
        + (_keystone(behind) if behind else ""),
    )
    python = venv / "bin" / "python"
    # -I: the directory of heat_server.py holds a heat.py, this file, which would hide the package of that name.
    argv = [str(python), "-I", str(_SERVER), str(port), str(conf), str(home / "access.log"), PROJECT]
    return argv, {}


def wait_ready(port: int, timeout: float) -> None:
    """Return as soon as Heat answers a list of stacks.

    :raises TimeoutError: it did not within `timeout` seconds; the message says what it did instead.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = _probe(port)
        if found is None:
            return
        if time.monotonic() >= deadline:
            raise TimeoutError(f"Heat on port {port} is not ready after {timeout:g} s: {found}")
        time.sleep(0.1)


def _notifications(url: str) -> str:
    """Return the settings that have Heat notify this RabbitMQ; none without one."""
    if not url:
        return "driver = noop"
    return f"driver = messagingv2\ntransport_url = {url.replace('amqp://', 'rabbit://').replace('$', '$$')}"


def is_ready(port: int) -> bool:
    """Tell whether Heat answers."""
    return _probe(port) is None


def _probe(port: int) -> str | None:
    """Return what stands against using Heat now, None if nothing does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"/v1/{PROJECT}/stacks?limit=1")
        response = connection.getresponse()
        body = response.read(200)
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    # Behind a Keystone it does not know us.
    works = response.status in {http.client.OK, http.client.UNAUTHORIZED}
    return None if works else f"HTTP {response.status}: {body!r}"


def _trusts(behind: Behind) -> str:
    return _STACK_DOMAIN.format(domain=DOMAIN, admin=DOMAIN_ADMIN, password=behind.domain_password)


def _keystone(behind: Behind) -> str:
    user = _USER.format(url=behind.auth_url, name=USER, password=behind.password)
    return _KEYSTONE.format(user=user, url=behind.auth_url)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
