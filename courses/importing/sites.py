"""The clinic itself: its calendar, staff, rooms, devices, procedures, and who may give what and when."""

import datetime as dt

from django.conf import settings as django_settings
from django.utils import translation

from clinic.models import (
    Absence,
    CalendarDay,
    Clinic,
    Equipment,
    Outage,
    Resource,
    ResourceKind,
    Room,
    Shift,
    Therapist,
)
from courses.catalogue.entries import FIGURES, catalogue_entry_for
from courses.catalogue.models import Procedure, Qualification, Requirement
from courses.importing.keys import ImportedKeys
from courses.importing.records import ClinicFiles, ClinicSettings, ProcedureRow
from courses.importing.timetable import WEEKDAYS
from courses.managing.calendar_days import proposed_days

_DAY = dt.timedelta(days=1)


def find_or_create_clinic(settings: ClinicSettings) -> Clinic:
    """The clinic of that name, as people have left it, or a new one with the settings of its file."""
    found = Clinic.objects.filter(name=settings.name).order_by("pk").first()
    if found is not None:
        return found
    return Clinic.objects.create(
        name=settings.name,
        zone=settings.zone,
        country=settings.country,
        language=settings.language,
        opening_weekdays=[WEEKDAYS.index(day) + 1 for day in settings.opening_days],
        grid_minutes=settings.grid_minutes,
        book_until=settings.book_until,
    )


def at_local(clinic: Clinic, moment: dt.datetime) -> dt.datetime:
    """UTC of a wall-clock time of the clinic; a time shown twice is its first."""
    return moment.replace(tzinfo=clinic.tz).astimezone(dt.UTC)


def load_site(clinic: Clinic, files: ClinicFiles, keys: ImportedKeys) -> None:
    """Everything that bookings refer to but the calendar, in one transaction of the caller's."""
    _load_staff(files, keys)
    _load_rooms(clinic, files, keys)
    _load_equipment(clinic, files, keys)
    _load_procedures(clinic, files, keys)
    _load_qualifications(files, keys)
    _load_shifts(clinic, files, keys)
    _load_absences(clinic, files, keys)


def load_calendar(clinic: Clinic, keys: ImportedKeys, *, now: dt.datetime) -> None:
    """Propose public holidays of the country until the end of the year in which booking ends.

    A day is proposed once: what the clinic makes of it is not proposed away again.
    """
    today = clinic.local_date(now)
    years = range(today.year, max((clinic.book_until or today).year, today.year + 1) + 1)
    rows = proposed_days(clinic, years)
    present = set(CalendarDay.objects.filter(clinic=clinic).values_list("date", flat=True))
    fresh = [row for row in rows if row.date not in present and keys.find("calendar_day", str(row.date)) is None]
    for row in CalendarDay.objects.bulk_create(fresh):
        keys.remember("calendar_day", str(row.date), row.pk)


def _load_staff(files: ClinicFiles, keys: ImportedKeys) -> None:
    rows = keys.sift("staff", files.staff, lambda row: row.staff_id)
    resources = Resource.objects.bulk_create(
        Resource(kind=ResourceKind.THERAPIST, capacity=row.max_parallel_patients) for row in rows
    )
    Therapist.objects.bulk_create(
        Therapist(
            resource=resource,
            full_name=row.full_name,
            short_name=row.short_name,
            title=row.role,
            staff_group=row.staff_group,
            gender=row.gender,
            languages=[language[:8] for language in row.languages],
            is_prescriber=row.is_prescriber,
            email=row.email,
        )
        for row, resource in zip(rows, resources, strict=True)
    )
    for row, resource in zip(rows, resources, strict=True):
        keys.remember("staff", row.staff_id, resource.pk, row)


def _load_rooms(clinic: Clinic, files: ClinicFiles, keys: ImportedKeys) -> None:
    rows = keys.sift("room", files.rooms, lambda row: row.room_id)
    resources = Resource.objects.bulk_create(Resource(kind=ResourceKind.ROOM, capacity=row.capacity) for row in rows)
    Room.objects.bulk_create(
        Room(resource=resource, clinic=clinic, name=row.name, room_type=row.room_type, floor=row.floor)
        for row, resource in zip(rows, resources, strict=True)
    )
    for row, resource in zip(rows, resources, strict=True):
        keys.remember("room", row.room_id, resource.pk, row)


def _load_equipment(clinic: Clinic, files: ClinicFiles, keys: ImportedKeys) -> None:
    rows = keys.sift("equipment", files.equipment, lambda row: row.equipment_id)
    resources = Resource.objects.bulk_create(Resource(kind=ResourceKind.EQUIPMENT) for _row in rows)
    Equipment.objects.bulk_create(
        Equipment(
            resource=resource,
            clinic=clinic,
            room_id=keys["room", row.room_id],
            name=row.name,
            equipment_type=row.equipment_type,
            inventory_number=row.equipment_id,
        )
        for row, resource in zip(rows, resources, strict=True)
    )
    outages = []
    for row, resource in zip(rows, resources, strict=True):
        keys.remember("equipment", row.equipment_id, resource.pk, row)
        if row.out_of_service_from or row.out_of_service_to:
            first, last = row.out_of_service_from or dt.date(1900, 1, 1), row.out_of_service_to
            outages.append(
                Outage(
                    resource=resource,
                    starts_at=at_local(clinic, dt.datetime.combine(first, dt.time())),
                    ends_at=at_local(clinic, dt.datetime.combine(last + _DAY, dt.time())) if last else None,
                    reason=row.note,
                )
            )
    Outage.objects.bulk_create(outages)


def _load_procedures(clinic: Clinic, files: ClinicFiles, keys: ImportedKeys) -> None:
    """Procedures with the clinic's own minutes and needs; of the catalogue only what the files do not say."""
    rows = keys.sift("procedure", files.procedures, lambda row: row.code)
    groups = {row.procedure for row in files.classes}
    present = dict(Procedure.objects.filter(clinic=clinic).values_list("code", "pk"))
    added = [row for row in rows if row.code not in present]
    created = Procedure.objects.bulk_create(_procedure(clinic, row, is_group=row.code in groups) for row in added)
    new = {procedure.code: procedure for procedure in created}
    for row in rows:
        keys.remember("procedure", row.code, new[row.code].pk if row.code in new else present[row.code], row)
    needs = []
    for row in added:
        procedure = new[row.code]
        needs.append(Requirement(procedure=procedure, role=ResourceKind.THERAPIST))
        needs.append(Requirement(procedure=procedure, role=ResourceKind.ROOM, type_code=row.room_type))
        if row.equipment_type:
            needs.append(Requirement(procedure=procedure, role=ResourceKind.EQUIPMENT, type_code=row.equipment_type))
    Requirement.objects.bulk_create(needs)
    for row in added:
        others = [keys.find("procedure", code) for code in row.not_same_day_with]
        new[row.code].not_same_day_with.add(*[pk for pk in others if pk is not None])


def _procedure(clinic: Clinic, row: ProcedureRow, *, is_group: bool) -> Procedure:
    names = dict(row.names)
    procedure = Procedure(
        clinic=clinic,
        code=row.code,
        name_en=names.get("en", ""),
        name_ru=names.get("ru", ""),
        name_pl=names.get("pl", ""),
        minutes=row.duration_min,
        is_group=is_group,
        is_active=True,
        sources={"minutes": {"source": row.origin.file, "confidence": "CLINIC"}},
    )
    entry = catalogue_entry_for(row.code, names.values())
    if entry is not None:
        procedure.short_code, procedure.short_code_ru = entry.short_code, entry.short_code_ru
        procedure.category, procedure.tags = entry.category, list(entry.tags)
        procedure.name_en = procedure.name_en or entry.name_en
        procedure.name_ru = procedure.name_ru or entry.name_ru
        procedure.name_pl = procedure.name_pl or entry.name_pl
        procedure.therapist_change_cost = entry.therapist_change_cost
        procedure.requires_referral = entry.requires_referral
        procedure.is_group = is_group or entry.is_group
        for name in FIGURES:
            figure = entry.figures[name]
            if name != "minutes" and figure.value is not None:
                setattr(procedure, name, figure.value)
                procedure.sources[name] = {"source": figure.source, "confidence": figure.confidence}
    return procedure


def _load_qualifications(files: ClinicFiles, keys: ImportedKeys) -> None:
    rows = keys.sift(
        "qualification", files.qualifications, lambda row: f"{row.staff_id} {row.procedure} {row.valid_from or ''}"
    )
    created = Qualification.objects.bulk_create(
        Qualification(
            therapist_id=keys["staff", row.staff_id],
            procedure_id=keys["procedure", row.procedure],
            valid_from=row.valid_from,
            valid_until=row.valid_until,
        )
        for row in rows
    )
    for row, qualification in zip(rows, created, strict=True):
        key = f"{row.staff_id} {row.procedure} {row.valid_from or ''}"
        keys.remember("qualification", key, qualification.pk, row)


def _load_shifts(clinic: Clinic, files: ClinicFiles, keys: ImportedKeys) -> None:
    rows = keys.sift("shift", files.shifts, lambda row: row.shift_id)
    created = Shift.objects.bulk_create(
        Shift(
            therapist_id=keys["staff", row.staff_id],
            clinic=clinic,
            name=row.name,
            starts_on=row.dtstart.date(),
            start_time=row.dtstart.time(),
            end_time=row.end_time,
            break_from=row.break_from,
            break_until=row.break_to,
            rrule=row.rrule,
            exdates=list(row.exdates),
        )
        for row in rows
    )
    for row, shift in zip(rows, created, strict=True):
        keys.remember("shift", row.shift_id, shift.pk, row)


def _load_absences(clinic: Clinic, files: ClinicFiles, keys: ImportedKeys) -> None:
    rows = keys.sift("absence", files.absences, lambda row: row.absence_id)
    created = Absence.objects.bulk_create(
        Absence(
            therapist_id=keys["staff", row.staff_id],
            kind=row.kind,
            starts_at=at_local(clinic, row.start),
            ends_at=at_local(clinic, row.end),
            note=row.note,
        )
        for row in rows
    )
    for row, absence in zip(rows, created, strict=True):
        keys.remember("absence", row.absence_id, absence.pk, row)


def in_language_of(clinic: Clinic) -> translation.override:
    """Texts that are stored for the clinic's people are written in its language, where the product speaks it."""
    known = {code for code, _name in django_settings.LANGUAGES}
    return translation.override(clinic.language if clinic.language in known else "en")
