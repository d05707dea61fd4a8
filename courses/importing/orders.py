"""Prescriptions of the files: a signed referral, its programme, and a course with unplaced sessions for every line."""

import datetime as dt

from clinic.models import Clinic
from courses.booking.frequencies import FREQUENCIES
from courses.booking.models import Course, Session, Strength
from courses.catalogue.models import Procedure
from courses.importing.keys import ImportedKeys
from courses.importing.records import ClinicFiles, PrescriptionLineRow, PrescriptionRow
from courses.importing.sites import at_local
from courses.importing.timetable import WEEKDAYS
from courses.prescribing.models import Programme, Referral

_BATCH = 500


def load_orders(clinic: Clinic, files: ClinicFiles, keys: ImportedKeys) -> None:
    """Prescriptions not there yet with their lines, and lines that a corrected file adds to known ones."""
    rows = keys.sift("prescription", files.prescriptions, lambda row: row.prescription_id)
    referrals = Referral.objects.bulk_create((_referral(clinic, row, keys) for row in rows), batch_size=_BATCH)
    programmes = Programme.objects.bulk_create(
        (
            Programme(
                clinic=clinic, patient_id=referral.patient_id, referral=referral, combine_visits=row.combine_visits
            )
            for row, referral in zip(rows, referrals, strict=True)
        ),
        batch_size=_BATCH,
    )
    for row, referral, programme in zip(rows, referrals, programmes, strict=True):
        keys.remember("prescription", row.prescription_id, referral.pk, row)
        keys.remember("programme", row.prescription_id, programme.pk)
    _load_lines(files, keys)


def _load_lines(files: ClinicFiles, keys: ImportedKeys) -> None:
    prescriptions = {row.prescription_id: row for row in files.prescriptions}
    lines = keys.sift("line", files.prescription_lines, lambda line: line.line_id)
    # The clinic may have emptied the minutes of a procedure since its first import.
    minutes = {row.code: row.duration_min for row in files.procedures}
    procedures = Procedure.objects.in_bulk({keys["procedure", line.procedure] for line in lines})
    courses = Course.objects.bulk_create(
        (
            _course(
                line,
                prescriptions[line.prescription_id],
                procedure=procedures[keys["procedure", line.procedure]],
                minutes=minutes[line.procedure],
                keys=keys,
            )
            for line in lines
        ),
        batch_size=_BATCH,
    )
    for line, course in zip(lines, courses, strict=True):
        keys.remember("line", line.line_id, course.pk, line)
    Session.objects.bulk_create(
        (Session(course=course, number=number) for course in courses for number in range(1, course.sessions_total + 1)),
        batch_size=_BATCH,
    )


def _referral(clinic: Clinic, row: PrescriptionRow, keys: ImportedKeys) -> Referral:
    return Referral(
        clinic=clinic,
        patient_id=keys["patient", row.patient_id],
        number=row.prescription_id,
        origin=Referral.Origin.IMPORTED,
        prescriber_id=keys["staff", row.prescriber_id],
        prescribed_on=row.prescribed_on,
        icd10=row.icd10,
        diagnosis=row.diagnosis,
        start_from=row.start_from,
        finish_by=row.finish_by,
        combine_visits=row.combine_visits,
        comment=row.comment,
        # Signed on paper or in the program it comes from, by the prescriber.
        signed_at=at_local(clinic, dt.datetime.combine(row.prescribed_on, dt.time())),
    )


def _course(
    line: PrescriptionLineRow, prescription: PrescriptionRow, *, procedure: Procedure, minutes: int, keys: ImportedKeys
) -> Course:
    # "once" and an empty cell say nothing of gaps.
    frequency = FREQUENCIES.get(line.frequency)
    terms = frequency.terms if frequency else {}
    if procedure.is_group:
        # The timetable of the class gives the rhythm.
        terms = terms | {"gap_min": None, "gap_max": None}
    strength = line.preference_strength or Strength.NONE
    therapist = keys["staff", line.preferred_therapist_id] if line.preferred_therapist_id else None
    return Course(
        clinic=keys.clinic,
        patient_id=keys["patient", prescription.patient_id],
        procedure=procedure,
        programme_id=keys["programme", prescription.prescription_id],
        line_number=line.line_no,
        origin=Course.Origin.PRESCRIBED,
        status=Course.Status.ACTIVE,
        sessions_total=line.sessions,
        minutes=procedure.minutes or minutes,
        area=line.area,
        side=line.side,
        frequency=line.frequency,
        **terms,
        start_from=prescription.start_from,
        finish_by=prescription.finish_by,
        weekdays=[WEEKDAYS.index(day) + 1 for day in line.pref_days],
        weekdays_strength=strength if line.pref_days else Strength.NONE,
        window_from=line.pref_from,
        window_until=line.pref_to,
        window_strength=strength if line.pref_from or line.pref_to else Strength.NONE,
        preferred_therapist_id=therapist,
        therapist_strength=(line.therapist_strength or Strength.WISH) if therapist else Strength.NONE,
        therapist_gender=line.therapist_gender,
        preference_text=line.preference,
        note=line.note[:500],
    )
