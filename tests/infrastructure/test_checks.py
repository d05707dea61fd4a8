"""Bad settings are named, each with what to do about it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.core.checks import CheckMessage
from pytest_django import Settings

from clinic import checks


def _ids(check: Callable[..., Sequence[CheckMessage]]) -> list[str | None]:
    found = check()
    assert all(message.hint for message in found)
    return [message.id for message in found]


@pytest.mark.parametrize(
    ("check", "changes", "expected"),
    [
        (checks.check_secret_key, {"SECRET_KEY": ""}, "clinic.E001"),
        (checks.check_servers, {"REDIS_URL": ""}, "clinic.W004"),
        (checks.check_servers, {"CELERY_BROKER_URL": ""}, "clinic.W004"),
        (checks.check_public_url, {"PUBLIC_URL": "booking.example.org"}, "clinic.E005"),
        (checks.check_public_url, {"PUBLIC_URL": "https://example.org/booking"}, "clinic.E005"),
        (checks.check_public_url, {"ALLOWED_HOSTS": ["other.example.org"]}, "clinic.E006"),
        (checks.check_values, {"LANGUAGE_CODE": "xx"}, "clinic.E007"),
        (checks.check_values, {"LOG_LEVEL": "LOUD"}, "clinic.E008"),
        (checks.check_values, {"LOG_FORMAT": "xml"}, "clinic.E008"),
        (checks.check_values, {"SIGN_IN_WINDOW": 0}, "clinic.E009"),
        (checks.check_deployment, {"PUBLIC_URL": "http://booking.example.org"}, "clinic.W011"),
        (checks.check_deployment, {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}, "clinic.W012"),
    ],
)
def test_names_what_is_wrong(
    settings: Settings,
    check: Callable[..., Sequence[CheckMessage]],
    changes: dict[str, Any],
    expected: str,
) -> None:
    good = {
        "PUBLIC_URL": "https://booking.example.org",
        "ALLOWED_HOSTS": [".example.org"],
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    }
    for name, value in good.items():
        setattr(settings, name, value)
    assert _ids(check) == []
    for name, value in changes.items():
        setattr(settings, name, value)
    assert _ids(check) == [expected]


def test_another_database_than_postgresql_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    assert _ids(checks.check_servers) == ["clinic.E002"]


def test_a_database_that_was_not_named_is_only_a_caution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    assert _ids(checks.check_servers) == ["clinic.W003"]
