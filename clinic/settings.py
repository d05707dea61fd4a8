"""Settings, all from the environment. README.md has the table of variables; `clinic.checks` refuses bad values.

Nothing here raises for a missing variable, so that `manage.py check` can name every fault at once with its remedy.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

import environ
import pghistory
import structlog

from clinic import logs

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- Where and how it is served -------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

# The address people and their mails use. Whether it is https decides cookies, redirects and HSTS.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://localhost:8000").rstrip("/")
_public = urlsplit(PUBLIC_URL)
_served_by_https = _public.scheme == "https"
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[_public.hostname or "localhost"])
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

ROOT_URLCONF = "clinic.urls"
WSGI_APPLICATION = "clinic.wsgi.application"

INSTALLED_APPS = [
    "clinic",
    "courses",
    "notifications",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "pghistory",
    "pgtrigger",
    "csp",
    "django_htmx",
    "django_filters",
    "django_structlog",
    "phonenumber_field",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    # Default deny: a page is for people who signed in unless it says otherwise (`login_not_required`).
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "clinic.middleware.HistoryMiddleware",
    "courses.pages.middleware.UserLanguageMiddleware",
    "courses.pages.errors.DomainErrorMiddleware",
]

# Figures for Prometheus at /metrics; off unless asked for, because the page must then be fenced off by the proxy.
METRICS = env.bool("METRICS", default=False)
if METRICS:
    INSTALLED_APPS.append("django_prometheus")
    MIDDLEWARE.insert(0, "django_prometheus.middleware.PrometheusBeforeMiddleware")
    MIDDLEWARE.append("django_prometheus.middleware.PrometheusAfterMiddleware")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "courses.pages.context.frame",
            ],
            "builtins": ["courses.pages.tags"],
        },
    },
]

FORM_RENDERER = "courses.pages.forms.PageRenderer"

# --- Data -----------------------------------------------------------------------------------------------------------


def _database() -> dict[str, object]:
    """Django's dictionary for DATABASE_URL; a socket's folder is written as `?host=/folder`.

    (A percent-encoded folder in the host's place, which PostgreSQL also allows, is mangled by django-environ.)
    """
    config: dict[str, object] = dict(env.db_url("DATABASE_URL", default="postgresql:///clinic"))
    given = config.get("OPTIONS")
    options: dict[str, object] = dict(given) if isinstance(given, dict) else {}
    for name in ("host", "port"):
        if name in options:
            config[name.upper()] = options.pop(name)
    # A transaction left open by a crashed or stuck process must not hold its locks for ever.
    # Whoever waits too long for a lock is told "busy, try again" instead of waiting with a worker of the web.
    options["options"] = "-c idle_in_transaction_session_timeout=60000 -c lock_timeout=5000"
    if env.bool("DATABASE_POOL", default=False):
        # For the web only: Celery closes its connections between tasks, pool and all.
        options["pool"] = {"min_size": 1, "max_size": env.int("DATABASE_POOL_SIZE", default=4), "timeout": 10}
    else:
        config["CONN_MAX_AGE"] = 60
        config["CONN_HEALTH_CHECKS"] = True
    return config | {"OPTIONS": options}


DATABASES = {"default": _database()}
# The role the application runs as. The owner's role migrates and grants this one its rights afterwards.
DATABASE_APP_ROLE = env.str("DATABASE_APP_ROLE", default="clinic_app")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
CACHES: dict[str, dict[str, str]] = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

# --- People ---------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "clinic.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"
# How many failed sign-ins are borne within SIGN_IN_WINDOW seconds, for one e-mail address and for one client address.
SIGN_IN_WINDOW = env.int("SIGN_IN_WINDOW", default=300)
SIGN_IN_FAILURES_PER_USER = env.int("SIGN_IN_FAILURES_PER_USER", default=5)
SIGN_IN_FAILURES_PER_CLIENT = env.int("SIGN_IN_FAILURES_PER_CLIENT", default=30)

SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_AGE = env.int("SESSION_COOKIE_AGE", default=12 * 60 * 60)  # a working day
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = _served_by_https
CSRF_COOKIE_SECURE = _served_by_https
CSRF_COOKIE_HTTPONLY = True

# --- Security -------------------------------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = _served_by_https and env.bool("SECURE_SSL_REDIRECT", default=True)
# Health is asked for by the container itself, which speaks plain http.
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000) if _served_by_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _served_by_https
SECURE_HSTS_PRELOAD = _served_by_https
SECURE_REFERRER_POLICY = "same-origin"
if env.bool("BEHIND_PROXY", default=False):
    # Only a proxy that overwrites this header makes it trustworthy; hence off unless the operator says there is one.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- Language and time ----------------------------------------------------------------------------------------------

LANGUAGE_CODE = env.str("LANGUAGE_CODE", default="en")
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"  # Pages show the clinic's own zone, which they activate themselves.
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = _served_by_https
LANGUAGE_COOKIE_SAMESITE = "Lax"

# --- Static files ---------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
# A built image collects, hashes and compresses the files; elsewhere they are served from where they lie.
STATIC_COLLECTED = env.bool("STATIC_COLLECTED", default=False)
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles") if STATIC_COLLECTED else "") or None
WHITENOISE_USE_FINDERS = not STATIC_COLLECTED
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if STATIC_COLLECTED
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}

# --- REST API -------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "courses.api.authentication.TokenAuthentication",
        "courses.api.authentication.BrowserAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["courses.api.permissions.RolePermission"],
    "DEFAULT_THROTTLE_CLASSES": ["courses.api.throttles.MinuteThrottle"],
    "DEFAULT_PARSER_CLASSES": ["courses.api.parsing.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "courses.api.pagination.KeyPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "courses.api.schema.Description",
    "EXCEPTION_HANDLER": "courses.api.problems.handle",
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# Rate limits of the API: requests a minute for one user, and for one address that has not signed in.
API_REQUESTS_PER_MINUTE = env.int("API_REQUESTS_PER_MINUTE", default=1200)
API_ANONYMOUS_PER_MINUTE = env.int("API_ANONYMOUS_PER_MINUTE", default=60)
# For the demonstration alone: the API plans as of this moment (ISO 8601 with offset) once the real clock has passed it,
# so that a clinic whose files speak of one December can be shown in any year. Never set it in a clinic.
DEMO_NOW = env.str("DEMO_NOW", default="")
SPECTACULAR_SETTINGS = {
    "TITLE": "Clinic courses",
    "DESCRIPTION": (
        "Everything the pages can do. Moments are UTC; dates and times of day are the clinic's own. Errors are "
        "problem+json documents with a stable `code` and a sentence. Send `Idempotency-Key` with a POST and it may be "
        "repeated safely for a day."
    ),
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["courses.api.permissions.RolePermission"],
    "SERVE_AUTHENTICATION": [],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "courses.api.schema.close_bodies",
    ],
    "ENUM_NAME_OVERRIDES": {
        "AbsenceKindEnum": "clinic.models.Absence.Kind",
        "AppointmentKindEnum": "clinic.models.Appointment.Kind",
        "GapUnitEnum": "courses.catalogue.models.GapUnit",
        "MessageKindEnum": "notifications.models.Message.Kind",
        "ProfileEnum": "courses.api.serializers.courses.PROFILES",
        "SexEnum": "clinic.models.resources.Sex",
        "StrengthEnum": "courses.booking.models.Strength",
        "TaskKindEnum": "clinic.models.Task.Kind",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "displayRequestDuration": True},
}

# --- Mail and background work ---------------------------------------------------------------------------------------

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 20
# Where the local mail sink keeps mails, if it is what mails go to: a page lists them then.
MAIL_SINK_DIRECTORY = env.str("MAIL_SINK_DIRECTORY", default="")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=f"clinic@{_public.hostname or 'localhost'}")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# No task waits for its hour in the broker (what is due lies in the database), so an hour's visibility is ample.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_BEAT_SCHEDULE = {
    "deliver-due-messages": {
        "task": "notifications.tasks.deliver_due",
        "schedule": 30.0,
        # A tick that waited longer than to the next one is of no use: a stopped worker is not met by a crowd of them.
        "options": {"expires": 30},
    },
    "release-expired-holds": {
        "task": "courses.booking.tasks.release_expired_holds",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "requeue-silent-repairs": {
        "task": "courses.booking.tasks.requeue_silent_repairs",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
}

# --- History and logs -----------------------------------------------------------------------------------------------

DJANGO_STRUCTLOG_CELERY_ENABLED = True
LOG_FORMAT = env.str("LOG_FORMAT", default="json")
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *logs.SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                logs.scrub_tokens,
                logs.renderer(LOG_FORMAT),
            ],
            "foreign_pre_chain": logs.SHARED,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    # An unknown level is refused by a system check, which needs logging to be told of it.
    "root": {"handlers": ["console"], "level": LOG_LEVEL if LOG_LEVEL in logs.LEVELS else "INFO"},
    "loggers": {
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "celery.beat": {"level": "WARNING"},
    },
}

SILENCED_SYSTEM_CHECKS: list[str] = []
TEST_RUNNER = "django.test.runner.DiscoverRunner"
os.environ.setdefault("PGAPPNAME", "clinic")

# --- History --------------------------------------------------------------------------------------------------------

# Every insert, update and delete leaves a trail, also those of bulk operations and of SQL by hand: triggers write it.
PGHISTORY_DEFAULT_TRACKERS = (pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
