"""The demo clinic: read from the files that ship with the product."""

import datetime as dt
from pathlib import Path

from django.utils import timezone

from clinic.models import Clinic, Therapist
from courses import importing
from courses.demo.people import Staff, sign_up_staff
from courses.importing.clinic_files import read_clinic
from courses.importing.loading import load_clinic
from courses.importing.models import ImportedRecord

FILES = Path(importing.__file__).parent / "demo_clinic"
THERAPIST, DOCTOR = "T05", "D02"


class DemoClinicExistsError(Exception):
    """The demonstration needs a database of its own."""


def open_demo_clinic() -> tuple[Clinic, Staff, dt.date]:
    """Import the demo clinic into an empty database, sign its staff up, and say from which day on it books.

    Raises DemoClinicExistsError where the database holds a clinic already.
    """
    if Clinic.objects.exists():
        raise DemoClinicExistsError(
            "This database holds a clinic already, and the demonstration writes into none but its own. "
            "Start it with: python3 run.py demo"
        )
    files = read_clinic(FILES)
    clinic = load_clinic(files, now=timezone.now())
    # Whoever watches wants to see the mails now, not when a correction could no longer come.
    clinic.settle_minutes = 0
    clinic.save(update_fields=["settle_minutes"])
    staff = sign_up_staff(clinic=clinic, therapist=_staff(clinic, THERAPIST), doctor=_staff(clinic, DOCTOR))
    demo_now = files.settings.demo_now or timezone.now()
    return clinic, staff, demo_now.date() + dt.timedelta(days=1)


def _staff(clinic: Clinic, key: str) -> Therapist:
    imported = ImportedRecord.objects.get(clinic=clinic, noun="staff", key=key)
    return Therapist.objects.get(pk=imported.object_id)
