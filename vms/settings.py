"""Django settings, all from the environment (docs/reference/settings.md lists them). Wires; nobody imports this.

`NAME_FILE` is read where `NAME` isn't set, for secrets that come as files.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from recorder.home import VmsHome
from recorder.netguard import DEFAULT_NETWORKS, AddressPolicy
from vms.own_addresses import is_loopback_only, own_addresses, own_names

BASE_DIR = Path(__file__).resolve().parent.parent


def setting(name: str, default: str = "") -> str:
    """The variable `name`, else the content of the file that `name_FILE` names, else `default`."""
    if name in os.environ:
        return os.environ[name]
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as err:
            raise ImproperlyConfigured(f"{name}_FILE: {path} can't be read: {err.strerror}.") from err
    return default


def port_setting(name: str, default: int) -> int:
    text = setting(name, str(default))
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ImproperlyConfigured(f"{name} must be a port between 1 and 65535, not {text!r}.")
    return int(text)


VMS_VERSION = "0.1.0"
VMS_HOME = VmsHome.from_environment(BASE_DIR / "var")
try:
    VMS_HOME.make_directories()
    VMS_MEDIA_KEY = VMS_HOME.read_or_make_secret("media.key")
    VMS_SEAL_KEY = VMS_HOME.read_or_make_secret("seal.key", 32)
    _django_key = VMS_HOME.read_or_make_secret("django.key").hex()
except OSError as err:
    raise ImproperlyConfigured(
        f"{err.filename} can't be used ({err.strerror}): make it this user's own, "
        "or choose another directory with VMS_HOME."
    ) from err
VMS_BIND = setting("VMS_BIND", "127.0.0.1")
VMS_PORT = port_setting("VMS_PORT", 5008)
VMS_MEDIA_PORT = port_setting("VMS_MEDIA_PORT", 5011)
VMS_SIMCAM_PORT = port_setting("VMS_SIMCAM_PORT", VMS_MEDIA_PORT + 1)
VMS_SERVER_NAME = setting("VMS_SERVER_NAME", "main")
VMS_OWNER_USER = setting("VMS_OWNER_USER")
VMS_OWNER_PASSWORD = setting("VMS_OWNER_PASSWORD")
VMS_BUFFER_DIR = setting("VMS_BUFFER_DIR")
VMS_DEMO = setting("VMS_DEMO", "1") != "0"
VMS_CAMERA_NETWORKS = tuple(
    part.strip() for part in setting("VMS_CAMERA_NETWORKS", ",".join(DEFAULT_NETWORKS)).split(",") if part.strip()
)
try:
    AddressPolicy.from_strings(VMS_CAMERA_NETWORKS)
except ValueError as err:
    raise ImproperlyConfigured(f"VMS_CAMERA_NETWORKS: {err}.") from err

DEBUG = False
SECRET_KEY = setting("VMS_SECRET_KEY") or _django_key
try:
    own_addresses(VMS_BIND)
except ValueError as err:
    raise ImproperlyConfigured(f"VMS_BIND must be an address of this machine, not {VMS_BIND!r}.") from err
ALLOWED_HOSTS = [host for host in setting("VMS_ALLOWED_HOSTS").split(",") if host] or [
    *(f"[{address}]" if ":" in address else address for address in own_addresses(VMS_BIND)),
    *own_names(),
    "[::1]",
    "testserver",
]
CSRF_TRUSTED_ORIGINS = [origin for origin in setting("VMS_TRUSTED_ORIGINS").split(",") if origin]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "drf_standardized_errors",
    "guardian",
    "knox",
    "rest_framework",
    "vms.sites",
    "vms.accounts",
    "vms.audit",
    "vms.servers",
    "vms.cameras",
    "vms.events",
    "vms.api",
    "vms.console",
    "recorder",
    "watchdog",
    "storagelocker",
    "exports",
    "incidents",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "vms.console.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "vms.audit.middleware.ClientAddressMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "vms.urls"
ASGI_APPLICATION = "vms.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- Database: SQLite inside VMS_HOME, or PostgreSQL by URL ---------------------------------------------------------
_database_url = setting("VMS_DATABASE_URL")
if _database_url and not _database_url.startswith(("postgres://", "postgresql://", "sqlite://")):
    raise ImproperlyConfigured("VMS_DATABASE_URL must begin with postgresql:// or sqlite://.")
_database: dict[str, Any] = (
    dict(environ.Env.db_url_config(_database_url))
    if _database_url
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": VMS_HOME.root / "vms.sqlite3"}
)
if _database["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE: a transaction that reads and then writes waits its turn instead of failing with "database is locked".
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA mmap_size=134217728;"
        "PRAGMA journal_size_limit=27103364;PRAGMA cache_size=-8000;",
    }
else:
    _database.setdefault("CONN_MAX_AGE", 60)
    _database["CONN_HEALTH_CHECKS"] = True
    _database.setdefault("OPTIONS", {})["connect_timeout"] = 5
DATABASES = {"default": _database}

# --- Redis: Celery's broker and the channel layer -------------------------------------------------------------------
_redis_url = setting("VMS_REDIS_URL")
VMS_HAS_OWN_REDIS = not _redis_url
if _redis_url:
    _broker_url, _results_url, _layer_url = (f"{_redis_url.rstrip('/')}/{number}" for number in (0, 2, 1))
else:
    _broker_url = f"redis+socket://{VMS_HOME.redis_socket}?virtual_host=0"
    _results_url = f"redis+socket://{VMS_HOME.redis_socket}?virtual_host=2"
    _layer_url = f"unix://{VMS_HOME.redis_socket}?db=1"

CELERY_BROKER_URL = _broker_url
CELERY_RESULT_BACKEND = _results_url
CELERY_RESULT_EXPIRES = timedelta(hours=1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A request that asks for work must not hang when Redis is away: the recorder polls the database anyway.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 1}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_TASK_DEFAULT_QUEUE = "site"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

# The core channel layer drops idle WebSockets after 5 s with redis-py 8, and all after a Redis restart; this doesn't.
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [_layer_url]}}
}

# --- People -----------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in/"
VMS_IS_HTTPS = not is_loopback_only(VMS_BIND)
VMS_CERTIFICATE = Path(setting("VMS_CERTIFICATE") or VMS_HOME.secrets / "certificate.pem")
VMS_CERTIFICATE_KEY = Path(setting("VMS_CERTIFICATE_KEY") or VMS_HOME.secrets / "certificate-key.pem")
VMS_HAS_OWN_CERTIFICATE = bool(setting("VMS_CERTIFICATE"))
SESSION_COOKIE_NAME = "__Host-sid" if VMS_IS_HTTPS else f"heron_sid_{VMS_PORT}"
CSRF_COOKIE_NAME = "__Host-csrf" if VMS_IS_HTTPS else f"heron_csrf_{VMS_PORT}"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = VMS_IS_HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SECURE_REFERRER_POLICY = "same-origin"  # without any referrer Chromium sends `Origin: null`, and every form fails
X_FRAME_OPTIONS = "DENY"

# --- REST API ----------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "vms.api.authentication.BearerTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["vms.api.permissions.DenyUnlessDeclared"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "vms.api.error_schema.ErrorShapeSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "DEFAULT_PAGINATION_CLASS": "vms.api.pagination.DefaultPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": timedelta(hours=12), "AUTH_HEADER_PREFIX": "Bearer", "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "Heron VMS",
    "DESCRIPTION": "Times are ISO 8601 in UTC, spans are half-open `[from, to)`, IDs are UUIDs.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "StreamState": "vms.cameras.choices.StreamState.choices",
        "ServerState": "vms.servers.choices.ServerState.choices",
        "VolumeState": "vms.servers.choices.VolumeState.choices",
    },
}

# --- Pages ------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VMS_HOME.root / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": setting("VMS_LOG_LEVEL", "INFO")},
}
