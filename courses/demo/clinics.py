"""The demo clinic: read from the files that ship with the product."""

import datetime as dt
import zoneinfo
from collections.abc import Callable
from pathlib import Path

from django.utils import timezone

from clinic.models import Clinic, Therapist
from courses import importing
from courses.demo.people import Staff, sign_up_staff
from courses.importing.clinic_files import read_clinic
from courses.importing.loading import load_clinic
from courses.importing.models import ImportedRecord
from courses.importing.records import ClinicSettings

FILES = Path(importing.__file__).parent / "demo_clinic"
THERAPIST, DOCTOR = "T05", "D02"


class DemoClinicExistsError(Exception):
    """The demonstration needs a database of its own."""


def open_demo_clinic(*, done: Callable[[str], None] = lambda _group: None) -> tuple[Clinic, Staff, dt.date]:
    """Import the demo clinic into an empty database, sign its staff up, and say from which day on it books.

    `done` hears of each group of loading.GROUPS.

    Raises DemoClinicExistsError where the database holds a clinic already.
    """
    if Clinic.objects.exists():
        raise DemoClinicExistsError(
            "This database holds a clinic already, and the demonstration writes into none but its own. "
            "Start it with: python3 run.py demo"
        )
    files = read_clinic(FILES)
    clinic = load_clinic(files, by=None, now=_moment(files.settings), done=done).clinic
    # Whoever watches wants to see the mails now, not when a correction could no longer come.
    clinic.settle_minutes = 0
    clinic.save(update_fields=["settle_minutes"])
    staff = sign_up_staff(clinic=clinic, therapist=_staff(clinic, THERAPIST), doctor=_staff(clinic, DOCTOR))
    return clinic, staff, clinic.local_date(_moment(files.settings)) + dt.timedelta(days=1)


def _moment(settings: ClinicSettings) -> dt.datetime:
    """The moment that the demonstration takes for the present: then the files were written."""
    if settings.demo_now is None:
        return timezone.now()
    return settings.demo_now.replace(tzinfo=zoneinfo.ZoneInfo(settings.zone))


def _staff(clinic: Clinic, key: str) -> Therapist:
    imported = ImportedRecord.objects.get(clinic=clinic, noun="staff", key=key)
    return Therapist.objects.get(pk=imported.object_id)
