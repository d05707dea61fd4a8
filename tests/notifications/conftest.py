"""A clinic in Warsaw, patients of it, and visits to announce."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from clinic.models import Clinic, Patient, Resource
from notifications.snapshots import VisitSnapshot
from tests.notifications.mailserver import MailServer, running_mail_server

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)  # a Tuesday, 10:00 in Warsaw


@pytest.fixture
def clinic(db: None) -> Clinic:
    return make_clinic()


def make_clinic(**fields: Any) -> Clinic:
    values = {
        "name": "Health House",
        "zone": "Europe/Warsaw",
        "country": "PL",
        "language": "pl",
        "address": "Lipowa 5, Kraków",
        "phone": "+48 12 345 67 89",
        "email": "visits@health-house.example",
    }
    return Clinic.objects.create(**(values | fields))


def make_patient(**fields: Any) -> Patient:
    resource = Resource.objects.create(kind="patient")
    values = {
        "full_name": "Alice Nowak",
        "language": "en",
        "email": f"alice{resource.pk}@example.org",
        "consent_data": True,
        "consent_email": True,
    }
    return Patient.objects.create(resource=resource, **(values | fields))


@pytest.fixture
def alice(db: None) -> Patient:
    return make_patient()


def make_visit(start: datetime = NOW + timedelta(days=7), **fields: Any) -> VisitSnapshot:
    values = {
        "uid": f"{uuid4()}@health-house.example",
        "sequence": 0,
        "revised_at": NOW,
        "starts_at": start,
        "ends_at": start + timedelta(minutes=50),
        "zone": "Europe/Warsaw",
        "clinic_name": "Health House",
        "clinic_address": "Lipowa 5, Kraków",
        "clinic_phone": "+48 12 345 67 89",
    }
    return VisitSnapshot(**(values | fields))


@pytest.fixture
def mail_server(tmp_path: Path, settings: Settings) -> Iterator[MailServer]:
    with running_mail_server(tmp_path / "mails") as server:
        use_mail_server(settings, server)
        yield server


def use_mail_server(settings: Settings, server: MailServer) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
