"""Django system checks: bad settings are named with an id and a remedy before anything starts on them."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host

from clinic import logs


@register()
def check_secret_key(**_kwargs: Any) -> Sequence[CheckMessage]:
    """clinic.E001: sessions and tokens hang on it, so there is no default that everyone knows."""
    try:
        given = bool(settings.SECRET_KEY)
    except ImproperlyConfigured:
        given = False
    if given:
        return []
    hint = 'Set SECRET_KEY, for example to the output of: python3 -c "import secrets; print(secrets.token_urlsafe(50))"'
    return [Error("SECRET_KEY is not set.", hint=hint, id="clinic.E001")]


@register()
def check_servers(**_kwargs: Any) -> Sequence[CheckMessage]:
    """clinic.E002: another database than PostgreSQL; clinic.W003, clinic.W004: servers that were not named."""
    found: list[CheckMessage] = []
    if settings.DATABASES["default"].get("ENGINE") != "django.db.backends.postgresql":
        hint = "Set DATABASE_URL to postgresql://…: what refuses double bookings are PostgreSQL's own constraints."
        found.append(Error("The database is not PostgreSQL.", hint=hint, id="clinic.E002"))
    if "DATABASE_URL" not in os.environ:
        hint = "Set DATABASE_URL, or start with `python3 run.py`, which brings a server of its own."
        found.append(Caution("DATABASE_URL is not set; a local database is assumed.", hint=hint, id="clinic.W003"))
    if not settings.REDIS_URL or not settings.CELERY_BROKER_URL:
        hint = "Set REDIS_URL (and CELERY_BROKER_URL, if it is another server), or start with `python3 run.py`."
        text = "REDIS_URL is not set: each process counts failed sign-ins by itself and no message is delivered."
        found.append(Caution(text, hint=hint, id="clinic.W004"))
    return found


@register()
def check_public_url(**_kwargs: Any) -> Sequence[CheckMessage]:
    """clinic.E005: links in mails are made from it; clinic.E006: it must be among the hosts that are answered."""
    address = urlsplit(settings.PUBLIC_URL)
    if address.scheme not in {"http", "https"} or not address.hostname or address.path or address.query:
        hint = "Set PUBLIC_URL to the address people use, without a path: https://booking.example.org"
        return [Error(f"PUBLIC_URL {settings.PUBLIC_URL!r} is not a web address.", hint=hint, id="clinic.E005")]
    if not validate_host(address.hostname, settings.ALLOWED_HOSTS):
        hint = f"Add {address.hostname} to ALLOWED_HOSTS, or leave ALLOWED_HOSTS unset."
        return [Error("ALLOWED_HOSTS lacks the host of PUBLIC_URL.", hint=hint, id="clinic.E006")]
    return []


@register()
def check_values(**_kwargs: Any) -> Sequence[CheckMessage]:
    """clinic.E007 to clinic.E010: values that nothing else would refuse before they do harm."""
    found: list[CheckMessage] = []
    if settings.LANGUAGE_CODE not in dict(settings.LANGUAGES):
        hint = f"Set LANGUAGE_CODE to one of: {', '.join(dict(settings.LANGUAGES))}."
        text = f"There are no pages in the language {settings.LANGUAGE_CODE!r}."
        found.append(Error(text, hint=hint, id="clinic.E007"))
    if settings.LOG_LEVEL not in logs.LEVELS or settings.LOG_FORMAT not in {"json", "console"}:
        hint = "Set LOG_LEVEL to DEBUG, INFO, WARNING, ERROR or CRITICAL and LOG_FORMAT to json or console."
        found.append(Error("LOG_LEVEL or LOG_FORMAT is unknown.", hint=hint, id="clinic.E008"))
    limits = (
        "SIGN_IN_WINDOW",
        "SIGN_IN_FAILURES_PER_USER",
        "SIGN_IN_FAILURES_PER_CLIENT",
        "API_REQUESTS_PER_MINUTE",
        "API_ANONYMOUS_PER_MINUTE",
        "SESSION_COOKIE_AGE",
    )
    found += [
        Error(f"{name} is less than 1.", hint=f"Set {name} to 1 or more.", id="clinic.E009")
        for name in limits
        if getattr(settings, name) < 1
    ]
    if "Europe/Moscow" not in available_timezones():
        hint = "Install the package tzdata: `pip install tzdata`, or the system's own."
        found.append(Error("This machine knows no time zones.", hint=hint, id="clinic.E010"))
    return found


@register(Tags.security, deploy=True)
def check_deployment(**_kwargs: Any) -> Sequence[CheckMessage]:
    """clinic.W011: plain http; clinic.W012: mails that go nowhere."""
    found: list[CheckMessage] = []
    if not settings.PUBLIC_URL.startswith("https://"):
        hint = "Put a proxy that speaks https before it and set PUBLIC_URL to the https address."
        found.append(
            Caution("PUBLIC_URL is not https: health data would travel in clear.", hint=hint, id="clinic.W011")
        )
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        hint = "Set EMAIL_URL, for example smtp+tls://user:password@mail.example.org:587"
        found.append(Caution("EMAIL_URL names no mail server: no invitation is sent.", hint=hint, id="clinic.W012"))
    return found
