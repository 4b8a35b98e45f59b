"""How the embedded Keystone is configured, started and known to be ready.

Like the embedded Heat it lives in a virtual environment of its own (`.venv-keystone`, from
`requirements-keystone.txt`); `keystone_server.py` is the program that runs there. Everything it writes is below
`<state_dir>/keystone/`: `keystone.conf` (0600: it holds the database's password), and its keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy import access, ready
from deploy.state import ROOT, State
from deploy.supervise import Child
from deploy.venvs import Venv

if TYPE_CHECKING:
    from collections.abc import Mapping

VENV = Venv("Keystone's libraries", ROOT / ".venv-keystone", (ROOT / "deploy" / "requirements-keystone.txt",))
REGION = "RegionOne"
ADMIN = "admin"  # the first user, of the first project, which has the same name

_SERVER = Path(__file__).resolve().parent / "keystone_server.py"

# password_hash_rounds: the least there is, as all passwords here are made up of random bytes.
_CONF = """\
[DEFAULT]
log_options = false
default_log_levels = keystone=WARN,alembic=WARN,sqlalchemy=WARN,stevedore=CRITICAL,py.warnings=ERROR

[database]
connection = {database}

[identity]
password_hash_rounds = 4

[cache]
enabled = true
backend = oslo_cache.dict

[fernet_tokens]
key_repository = {home}/keys/tokens

[fernet_receipts]
key_repository = {home}/keys/receipts

[credential]
key_repository = {home}/keys/credentials
"""


def auth_url(port: int) -> str:
    """Return the URL that clients log in at (OS_AUTH_URL)."""
    return f"http://127.0.0.1:{port}/v3"


def child(state: State, database_url: str, port: int) -> Child:
    """Write Keystone's configuration and return what the supervisor runs.

    :raises ValueError: the database is no PostgreSQL.
    """
    home = state.directory("keystone")
    for name in ("", "/tokens", "/receipts", "/credentials"):
        state.directory(f"keystone/keys{name}")
    scheme, _, rest = database_url.partition("://")
    if scheme not in {"postgres", "postgresql"}:
        raise ValueError("The embedded Keystone needs a postgresql:// database.")
    database = f"postgresql+psycopg2://{rest}".replace("$", "$$")
    conf = state.write("keystone/keystone.conf", _CONF.format(database=database, home=home))
    requests = state.log("keystone-access")
    argv = [str(VENV.python), "-I", str(_SERVER), str(port), str(conf), str(requests), REGION]
    password = {"OS_BOOTSTRAP_PASSWORD": access.password(state, ADMIN)}
    return Child("keystone", argv, password, log=state.log("keystone"))


def is_ready(port: int) -> bool:
    """Tell whether it answers."""
    return ready.answers(port, "/v3")


def login(
    url: str, user: str, password: str, project: str | None = None, domain: str = "Default"
) -> Mapping[str, str]:
    """Return the `OS_*` variables of one login by password: for the project, or for the system without one."""
    told = {
        "OS_AUTH_TYPE": "password",
        "OS_AUTH_URL": url,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": user,
        "OS_PASSWORD": password,
        "OS_USER_DOMAIN_NAME": domain,
        "OS_REGION_NAME": REGION,
    }
    if project is None:
        return told | {"OS_SYSTEM_SCOPE": "all"}
    return told | {"OS_PROJECT_NAME": project, "OS_PROJECT_DOMAIN_NAME": domain}
