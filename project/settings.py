"""Settings of a Roadstead node; every value that differs between installations comes from the environment.

Values that must fit each other (lease, step limit, intervals) are cross-checked by system checks in
`project/checks.py`, which refuse to start a node on a contradiction.
"""

from __future__ import annotations

import dj_database_url

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
    "django_celery_beat",
    "project",
    "lifecycle",
    "api",
    "identity",
    "workers",
    "bays",
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
DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL"), conn_max_age=int(env.number("DATABASE_CONN_MAX_AGE", 300)), conn_health_checks=True
    )
}
DATABASES["default"].setdefault("OPTIONS", {}).update(  # type: ignore[typeddict-item]
    {"connect_timeout": 3, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 5000}
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

# --- leases (seconds) ---------------------------------------------------------------------------------------
LEASE = env.number("ROADSTEAD_LEASE", 5)  # a holder that is not renewed for this long has lost its row
HEARTBEAT = env.number("ROADSTEAD_HEARTBEAT", 1)  # how often a worker renews
STEP_LIMIT = env.number("ROADSTEAD_STEP_LIMIT", 60)  # no lease is renewed for a longer step than this
RING_INTERVAL = env.number("ROADSTEAD_RING_INTERVAL", 5)  # the bell is rung for a row at most this often
MAX_ATTEMPTS = int(env.number("ROADSTEAD_MAX_ATTEMPTS", 20))  # claims without progress before a row fails

# --- celery -------------------------------------------------------------------------------------------------
BROKER_URL = env.text("BROKER_URL")

# --- bays ---------------------------------------------------------------------------------------------------
BAY_DRIVERS = env.words("BAY_DRIVERS", "bays.drivers.demo.DemoDriver")
BAY_QUOTA = int(env.number("BAY_QUOTA", 20))  # bays per project where no Quota row says otherwise
CLOUD_VARIABLES = env.cloud_variables()

# --- identity -----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "identity.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}}
]
# --- end of identity

# --- api ----------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}
# --- end of api

# --- web ----------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / ".state" / "static"
WHITENOISE_USE_FINDERS = True
HTTPS = PUBLIC_URL.startswith("https://")
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_PROXY", default=False) else None
X_FRAME_OPTIONS = "DENY"

# --- logging and tests --------------------------------------------------------------------------------------
LOGGING_CONFIG = None
logs.configure(level=env.text("LOG_LEVEL", "INFO"), json=env.flag("LOG_JSON", default=False))
TEST_RUNNER = "tests.runner.Runner"
