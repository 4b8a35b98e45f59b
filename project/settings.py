"""Settings of a Roadstead node; every value that differs between installations comes from the environment.

Values that must fit each other (lease, step limit, intervals) are cross-checked by system checks in
`project/checks.py`, which refuse to start a node on a contradiction.
"""

from __future__ import annotations

import random
import sys
from urllib.parse import urlsplit

from project import env, logs

BASE_DIR = env.BASE_DIR
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.text("SECRET_KEY")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost")
PUBLIC_URL = env.text("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular_sidecar",  # the files of the page at /docs/
    "django_celery_beat",
    "project",
    "lifecycle",
    "api",
    "identity",
    "workers",
    "bays",
    "volumes",
    "sync",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
APPEND_SLASH = False  # OpenStack's routes have none, and a redirect would lose a POST's body
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- database -----------------------------------------------------------------------------------------------
# Short time-outs: a node that cannot reach the database must notice well inside its lease.
DATABASES = {"default": env.database("DATABASE_URL")}
DATABASES["default"]["ENGINE"] = "project.postgresql"  # Django's, with a cheaper check of kept connections
DATABASES["default"]["CONN_MAX_AGE"] = int(env.number("DATABASE_CONN_MAX_AGE", 300))
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {
        "connect_timeout": 3,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 5000,
    }
)
DATABASE_PREPARES = env.flag("DATABASE_PREPARES", default=True)  # not where a pooler shares sessions
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

# --- leases (seconds) ---------------------------------------------------------------------------------------
LEASE = env.number("ROADSTEAD_LEASE", 5)  # a holder that is not renewed for this long has lost its row
HEARTBEAT = env.number("ROADSTEAD_HEARTBEAT", 1)  # how often a worker renews
STEP_LIMIT = env.number("ROADSTEAD_STEP_LIMIT", 30)  # no lease is renewed for a longer step than this
RING_INTERVAL = env.number("ROADSTEAD_RING_INTERVAL", 5)  # the bell is rung for a row at most this often
STALL = env.number(
    "ROADSTEAD_STALL", 15
)  # a worker that is idle for so long while due work waits ends itself
MAX_ATTEMPTS = int(env.number("ROADSTEAD_MAX_ATTEMPTS", 20))  # claims without progress before a row fails

# A session that is frozen or cut off in a transaction keeps its row locks until the server ends it: soon enough
# that nobody's lease runs out over it, and nobody waits longer for a lock than that.
SESSION = {
    "idle_in_transaction_session_timeout": f"{LEASE * 400:.0f}",
    "lock_timeout": f"{LEASE * 400:.0f}",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
TESTING = "test" in sys.argv[1:2]  # most tests run inside one transaction each, however long they take
# And a migration may think for longer than that, where all is busy.
if TESTING or sys.argv[1:2] == ["migrate"]:
    SESSION["idle_in_transaction_session_timeout"] = "0"
# And sixteen that connect at once, or wait for one row in turn, take as long as a busy machine needs.
if TESTING:
    SESSION["lock_timeout"] = "60s"
    DATABASES["default"]["OPTIONS"]["connect_timeout"] = 60
DATABASES["default"]["OPTIONS"]["options"] = " ".join(
    [
        DATABASES["default"]["OPTIONS"].get("options", ""),
        *(f"-c {name}={value}" for name, value in SESSION.items()),
    ]
).strip()

# --- celery -------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.text("BROKER_URL")
BROKER_KIND = "redis" if CELERY_BROKER_URL.startswith(("redis", "sentinel")) else "rabbitmq"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for ever: a worker outlives its broker
CELERY_BROKER_CONNECTION_TIMEOUT = 2
if BROKER_KIND == "redis":
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 300,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,  # the default of 10 makes it up to 100 s before a lost bell rings again
        "socket_connect_timeout": 2,
        "socket_timeout": 10,
        "socket_keepalive": True,
        "health_check_interval": 5,
        "master_name": env.text("BROKER_SENTINEL_MASTER", "mymaster"),
        # Sentinels have a password of their own, if any; BROKER_URL carries that of the servers behind them.
        "sentinel_kwargs": {
            "password": env.text("BROKER_SENTINEL_PASSWORD", "") or None,
            "socket_connect_timeout": 1,
            "socket_timeout": 1,
            "retry": None,  # of several sentinels the next is asked at once; by default a dead one is for seconds
        },
    }
else:  # RabbitMQ; how its queues are declared is in workers/queues.py
    # In an order of each process's own: they spread over the hosts, and try each in turn when one is gone.
    CELERY_BROKER_URL = ";".join(random.sample(hosts := CELERY_BROKER_URL.split(";"), len(hosts)))
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "confirm_publish": True,  # a publisher knows that its bell has arrived
        "read_timeout": 2,  # a broker that hangs is as good as gone
        "write_timeout": 2,
    }
    # Seconds: twice that, and a worker that is frozen loses the bells it has taken.
    CELERY_BROKER_HEARTBEAT = 10
# A broker that is gone is said to be gone at once: kombu would sleep 2 s in the request that rings the bell.
CELERY_BROKER_TRANSPORT_OPTIONS |= {
    "max_retries": CELERY_BROKER_URL.count(";") + 1,
    "interval_start": 0,
    "interval_step": 0,
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# For beat, which would else never connect again to a RabbitMQ that was gone; a bell has its own way (workers/bell.py).
CELERY_TASK_PUBLISH_RETRY = BROKER_KIND == "rabbitmq"
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
CELERY_TASK_DEFAULT_QUEUE = "bells"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_ROUTES = {"sync.*": {"queue": "ticks"}}
CELERY_TASK_SOFT_TIME_LIMIT = STEP_LIMIT * 2 / 3
CELERY_TASK_TIME_LIMIT = STEP_LIMIT * 5 / 6
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONCURRENCY = int(env.number("WORKER_CONCURRENCY", 4))
WORKER_NICE = int(env.number("WORKER_NICE", 5))  # so much do steps yield the processor to requests
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# A forged message must not stop a worker, or have it forget a bell.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_CONSUMER = "workers.consumer:Consumer"
CELERY_BEAT_SCHEDULER = "sync.beat:Scheduler"
# Seconds; a process does no job again sooner, however many ticks have piled up.
TICK_REST = 0 if TESTING else 0.3
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_TIMEZONE = "UTC"
DJANGO_CELERY_BEAT_TZ_AWARE = True

# --- volumes ------------------------------------------------------------------------------------------------
BACKENDS_FILE = env.text("ROADSTEAD_BACKENDS", "")  # TOML: the storage back-ends of this installation
SERVES = env.words(
    "ROADSTEAD_SERVES", ",".join(env.tables(BACKENDS_FILE, "backends"))
)  # those this node reaches
SERVING_CACHE = 0 if TESTING else 1  # seconds until a node feels that it was told to leave a back-end
CATALOG_CACHE = (
    0 if TESTING else 1
)  # seconds until a process sees other default limits, and new reports of pools
POOL_REPORT = env.number("ROADSTEAD_POOL_REPORT", 60)  # seconds between two reports of a pool
POOL_STALE = env.number("ROADSTEAD_POOL_STALE", 180)  # a pool not reported for so long takes no new volumes
CONNECT_WAIT = env.number(
    "ROADSTEAD_CONNECT_WAIT", 20
)  # seconds that the API waits for a host to be connected
CONNECT_WAITERS = int(  # how many requests of an API process may wait so at once: half of its threads
    env.number("ROADSTEAD_CONNECT_WAITERS", max(1, env.number("API_THREADS", 8) // 2))
)
COPY_SLICE = env.number("ROADSTEAD_COPY_SLICE", 2)  # seconds of a copy that one step makes
READERS = int(env.number("ROADSTEAD_READERS", 8))  # how many may read one volume or snapshot at once
AVAILABILITY_ZONE = env.text("ROADSTEAD_AVAILABILITY_ZONE", "nova")  # of back-ends that name none
MESSAGE_DAYS = env.number("ROADSTEAD_MESSAGE_DAYS", 30)  # messages to users are kept so long
VOLUME_QUOTAS = {
    "volumes": env.limit("VOLUME_QUOTA", 10),
    "snapshots": env.limit("SNAPSHOT_QUOTA", 10),
    "gigabytes": env.limit("GIGABYTE_QUOTA", 1000),
    "per_volume_gigabytes": -1,
    "backups": 10,
    "backup_gigabytes": 1000,
    "groups": 10,
}  # of a project that has no limits of its own; as in Cinder

# --- bays ---------------------------------------------------------------------------------------------------
BAY_DRIVERS = env.words("BAY_DRIVERS", "bays.drivers.demo.DemoDriver")
CLOUD_TIMEOUT = env.number("ROADSTEAD_CLOUD_TIMEOUT", 5)  # seconds, for each call to Heat
CLOUD_QUIET = env.number(
    "ROADSTEAD_CLOUD_QUIET", 60
)  # for so long a call of unknown outcome may still take effect
HISTORY_DAYS = env.number("ROADSTEAD_HISTORY_DAYS", 90)  # finished operations and events are kept so long
HEAT_POLL = env.number("ROADSTEAD_HEAT_POLL", 1)  # seconds between two looks at a stack in progress
HEAT_NOTIFICATIONS_URL = env.text("HEAT_NOTIFICATIONS_URL", "")  # amqp://, the RabbitMQ that Heat notifies
# What seals the keys of bays' certificate authorities: the first one, the others only unseal.
CERTIFICATE_KEYS = env.words("ROADSTEAD_CERTIFICATE_KEYS") or [SECRET_KEY]
CERTIFICATE_DAYS = int(env.number("ROADSTEAD_CERTIFICATE_DAYS", 5 * 365))
# What our service user is let do in the owner's project, of what the owner may: see bays/lending.py.
# Those that they imply must be among them: Heat passes all on that it finds, and may pass on nothing else.
DELEGATED_ROLES = env.words("ROADSTEAD_DELEGATED_ROLES", "member,reader")
BAY_QUOTA = int(env.number("BAY_QUOTA", 20))  # bays per project where no Quota row says otherwise
CLOUD_VARIABLES = env.cloud_variables()

# --- identity -----------------------------------------------------------------------------------------------
IDENTITY = env.text("ROADSTEAD_IDENTITY", "") or "own"  # or keystone: that which the OS_* variables log in at
KEYSTONE_PUBLIC_URL = env.text("ROADSTEAD_KEYSTONE_PUBLIC_URL", "")  # told to clients; else OS_AUTH_URL
KEYSTONE_TIMEOUT = env.number("ROADSTEAD_KEYSTONE_TIMEOUT", 3)  # seconds, for each request to it
AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["identity.backends.Backend"]
PASSWORD_HASHERS = ["identity.hashers.Argon2"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}}
]
TOKEN_LIFETIME = int(env.number("TOKEN_LIFETIME", 4 * 3600))  # seconds
TOKEN_CACHE_SECONDS = env.number(
    "TOKEN_CACHE_SECONDS", 30 if IDENTITY == "keystone" else 5
)  # so late a revocation may be felt on another process; so long good tokens outlive a Keystone that is down
TOKEN_CACHE_SIZE = 10_000
REGION = env.text("REGION", "RegionOne")
# type, name, URL; a URL that begins with "/" is on the host that the client used.
CATALOG = [
    ("identity", "roadstead", "/identity"),
    ("container-infra", "roadstead", "/container-infra/v1"),
    ("block-storage", "roadstead", "/volume/v3"),
]
SEED_PASSWORDS = {
    user: env.text(f"ROADSTEAD_{user.upper()}_PASSWORD", "") for user in ("admin", "demo", "reader")
}  # `manage.py seed` sets those that are given
# --- end of identity

# --- api ----------------------------------------------------------------------------------------------------
MIDDLEWARE = [
    "api.requests.RequestIdMiddleware",  # outermost: every answer carries the id
    "api.proxies.ProxyMiddleware",
    "api.floods.FloodMiddleware",
    "django.middleware.common.CommonMiddleware",  # Content-Length, and no other host than ALLOWED_HOSTS
    *MIDDLEWARE,
]
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["api.parsing.StrictJSONParser", "api.parsing.JSONPatchParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "api.parsing.JSONOnly",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "identity.keystone.KeystoneAuthentication"
        if IDENTITY == "keystone"
        else "identity.authentication.TokenAuthentication"
    ],
    "DEFAULT_THROTTLE_CLASSES": ["identity.throttles.ProjectThrottle"],
    "DEFAULT_PERMISSION_CLASSES": ["identity.policy.PolicyPermission"],
    "EXCEPTION_HANDLER": "api.problems.handler",
    "UNAUTHENTICATED_USER": None,
}
BEHIND_PROXY = env.flag("BEHIND_PROXY", default=False)  # see api/proxies.py
USE_X_FORWARDED_HOST = BEHIND_PROXY  # links carry the host that the client used
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # probes speak plain HTTP
API_BODY_BYTES = 1024 * 1024
API_BODY_DEPTH = 32
DATA_UPLOAD_MAX_MEMORY_SIZE = API_BODY_BYTES
# Of the whole installation, a second and at once; see api/rates.py. Tests send what they send.
RATES = {
    "project": env.rate("ROADSTEAD_RATE_PROJECT", "200,2000"),
    "address": env.rate("ROADSTEAD_RATE_ADDRESS", "50,500"),
    "login": env.rate("ROADSTEAD_RATE_LOGIN", "20,200"),
    "guess": env.rate("ROADSTEAD_RATE_GUESS", "0.5,30"),
}
RATES = {name: rate for name, rate in RATES.items() if rate and not TESTING}
API_PAGE_LIMIT = 1000  # the default and the most
STREAMS = int(env.number("ROADSTEAD_STREAMS", 200))  # of events, that a process of the API serves
STREAMS_OF_PROJECT = int(
    env.number("ROADSTEAD_STREAMS_OF_PROJECT", 40)
)  # of those, that one project may have
STREAM_TICK = env.number("ROADSTEAD_STREAM_TICK", 0.25)  # seconds between two looks at what is new
STREAM_CHECK = env.number(  # seconds between two looks at who may still read
    "ROADSTEAD_STREAM_CHECK", 12 if IDENTITY == "keystone" else 25
)
IDEMPOTENCY_HOURS = env.number(
    "ROADSTEAD_IDEMPOTENCY_HOURS", 24
)  # answers are kept so long for who asks twice
OPERATION_WAIT = env.number("ROADSTEAD_OPERATION_WAIT", 60)  # the most seconds that ?wait= may ask for
OPERATION_WAITERS = int(  # how many requests of an API process may wait so at once: a quarter of its threads
    env.number("ROADSTEAD_OPERATION_WAITERS", max(1, env.number("API_THREADS", 8) // 4))
)
# --- end of api

# --- web ----------------------------------------------------------------------------------------------------
STATIC_URL = f"{urlsplit(PUBLIC_URL).path}/static/"  # a proxy's prefix included, and taken away by it
WHITENOISE_STATIC_PREFIX = "/static/"
WHITENOISE_USE_FINDERS = True  # served from where the packages have them: nothing to collect
HTTPS = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"

# --- logging and tests --------------------------------------------------------------------------------------
LOGGING_CONFIG = None
LOG_LEVEL = env.text("LOG_LEVEL", "INFO")
logs.configure(level=LOG_LEVEL, json=env.flag("LOG_JSON", default=False))
TEST_RUNNER = "tests.runner.Runner"
