"""The reference clinic of `courses.planning.reference` as rows: its description moved to the weeks that lie ahead."""

import datetime as dt
import itertools
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import psycopg
from django.core.management.base import CommandError
from django.db import connection, transaction
from psycopg.types.range import Range

from clinic.models import (
    ApiToken,
    Appointment,
    Clinic,
    Equipment,
    Membership,
    Patient,
    Reservation,
    Resource,
    ResourceKind,
    Room,
    Shift,
    Therapist,
    User,
)
from clinic.permissions import Role
from courses.booking.calendars import local_moment, time_of
from courses.booking.models import Course, Session, Visit
from courses.booking.transitions import Status
from courses.catalogue.models import Procedure, Qualification, Requirement
from courses.planning.reference import (
    DEVICES,
    FIRST_DAY,
    FREQUENCIES,
    PATIENTS,
    ROOMS,
    THERAPISTS,
    ReferenceClinic,
    ReferenceLine,
    reference_clinic,
)
from courses.planning.types import SLOT_MINUTES
from courses.planning.types import Strength as PlannerStrength

NAME = "Reference clinic"
# All twelve therapists give it, which no procedure of the description allows: free times are asked for them all.
EXAMINATION = "examination"
BATCH = 2000
_KEPT_TABLES = {"django_migrations", "django_content_type", "auth_permission"}


@dataclass(slots=True)
class LoadedClinic:
    """The rows that benchmarks speak of. `keys` leads from numbers of the description to primary keys."""

    clinic: Clinic
    reference: ReferenceClinic
    first_day: dt.date
    user: User
    token: str
    procedures: dict[str, Procedure]
    keys: dict[int, int]
    _patients: "itertools.count[int]" = field(default_factory=lambda: itertools.count(PATIENTS + 1))

    def new_patients(self, count: int) -> list[Patient]:
        """Patients without any booking."""
        return _make_patients([next(self._patients) for _ in range(count)])

    def new_course(self, patient: Patient, line: ReferenceLine) -> Course:
        """A course as a line of the description asks for it, its sessions all without a time."""
        course = self.course(patient, line.procedure, line.sessions)
        course.gap_min, course.gap_max, course.per_week = FREQUENCIES[line.frequency]
        course.start_from = self.first_day + dt.timedelta(days=line.start_day)
        if line.window is not None:
            course.window_from, course.window_until = (time_of(slot) for slot in line.window)
            course.window_strength = line.window_strength.value
        if line.preferred_therapist is not None:
            course.preferred_therapist_id = self.keys[line.preferred_therapist]
            course.therapist_strength = PlannerStrength.WISH.value
        course.save()
        Session.objects.bulk_create(Session(course=course, number=n) for n in range(1, line.sessions + 1))
        return course

    def single_courses(self, patients: Sequence[Patient], codes: Sequence[str]) -> list[Session]:
        """For each patient a course of one session, without a time, of the procedure named in the same place."""
        pairs = zip(patients, codes, strict=True)
        courses = [self.course(patient, code, 1) for patient, code in pairs]
        Course.objects.bulk_create(courses, batch_size=BATCH)
        sessions = [Session(course=course, number=1) for course in courses]
        return Session.objects.bulk_create(sessions, batch_size=BATCH)

    def course(self, patient: Patient, code: str, sessions: int) -> Course:
        """An unsaved course of a procedure, as often as once on each opening day."""
        procedure = self.procedures[code]
        return Course(
            clinic=self.clinic,
            patient=patient,
            procedure=procedure,
            status=Course.Status.ACTIVE,
            sessions_total=sessions,
            minutes=procedure.minutes or 0,
            gap_min=1,
            gap_max=3,
        )

    def moment(self, day: int, slot: int) -> dt.datetime:
        """UTC moment of a slot of the description."""
        return local_moment(self.clinic, self.first_day + dt.timedelta(days=day), slot)


def owner_connection() -> "psycopg.Connection[tuple[object, ...]]":
    """A connection of the database's owner, or of the application's own role where there is no other."""
    return psycopg.connect(os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"], autocommit=True)


def load_reference_clinic(today: dt.date, *, load: float = 0.8) -> LoadedClinic:
    """Empty the database and load the clinic, its first day the first Monday after `today`.

    Raises CommandError, touching nothing, where the database holds a clinic that is not the reference clinic.
    """
    _empty_database()
    reference = reference_clinic(load=load)
    first_day = today + dt.timedelta(days=7 - today.weekday())
    clinic = Clinic.objects.create(
        name=NAME,
        zone="Europe/Warsaw",
        country="PL",
        language="en",
        book_until=first_day + dt.timedelta(days=reference.days - 1),
    )
    user = User.objects.create_user("reception@reference.example", None, first_name="Reception")
    Membership.objects.create(user=user, clinic=clinic, role=Role.RECEPTION)
    _token, text = ApiToken.issue(user=user, name="bench")
    keys = _load_resources(clinic)
    procedures = _load_catalogue(clinic, reference, keys)
    _load_shifts(clinic, reference, keys, first_day)
    loaded = LoadedClinic(clinic, reference, first_day, user, text, procedures, keys)
    with transaction.atomic():
        # The database tells at the end, once all rows are there, whether appointments agree with reservations.
        _Bookings(loaded).load()
    with owner_connection() as owner:
        owner.execute("ANALYZE")
    return loaded


def _empty_database() -> None:
    if Clinic.objects.exclude(name=NAME).exists():
        raise CommandError("This database holds a clinic of its own. Measure on another one: python3 run.py bench …")
    with connection.cursor() as cursor:
        tables = sorted(set(connection.introspection.table_names(cursor)) - _KEPT_TABLES)
    with owner_connection() as owner:
        quoted = ", ".join(f'"{table}"' for table in tables)
        owner.execute(f"TRUNCATE {quoted} RESTART IDENTITY".encode())


def _make_resources(kind: ResourceKind, capacities: Iterable[int]) -> list[Resource]:
    return Resource.objects.bulk_create([Resource(kind=kind, capacity=c) for c in capacities], batch_size=BATCH)


def _make_patients(numbers: Sequence[int]) -> list[Patient]:
    resources = _make_resources(ResourceKind.PATIENT, [1] * len(numbers))
    patients = [
        Patient(
            resource=resource,
            card_number=f"R{number:06}",
            full_name=f"Patient {number:06}",
            email=f"r{number:06}@patients.example",
            language="en",
            consent_data=True,
            consent_email=True,
        )
        for resource, number in zip(resources, numbers, strict=True)
    ]
    return Patient.objects.bulk_create(patients, batch_size=BATCH)


def _load_resources(clinic: Clinic) -> dict[int, int]:
    keys: dict[int, int] = {}
    for therapist, resource in zip(THERAPISTS, _make_resources(ResourceKind.THERAPIST, [1] * 12), strict=True):
        keys[therapist.number] = resource.pk
        Therapist.objects.create(
            resource=resource,
            full_name=f"Specialist {therapist.number:02}",
            gender=therapist.gender,
            languages=sorted(therapist.languages),
        )
    capacities = [room.capacity for room in ROOMS]
    for room, resource in zip(ROOMS, _make_resources(ResourceKind.ROOM, capacities), strict=True):
        keys[room.number] = resource.pk
        Room.objects.create(resource=resource, clinic=clinic, name=str(room.number), room_type=room.type)
    for device, resource in zip(DEVICES, _make_resources(ResourceKind.EQUIPMENT, [1] * len(DEVICES)), strict=True):
        keys[device.number] = resource.pk
        Equipment.objects.create(
            resource=resource,
            clinic=clinic,
            room_id=keys[device.room],
            name=f"Device {device.number}",
            equipment_type=device.type,
        )
    return keys


def _load_catalogue(clinic: Clinic, reference: ReferenceClinic, keys: dict[int, int]) -> dict[str, Procedure]:
    procedures: dict[str, Procedure] = {}
    needs = [(p.code, p.slots, p.room_type, p.device_type, p.tag) for p in reference.procedures.values()]
    for code, slots, room_type, device_type, tag in [*needs, (EXAMINATION, 6, "physio", "", "")]:
        procedure = Procedure.objects.create(
            clinic=clinic,
            code=code.upper(),
            name_en=code.capitalize(),
            tags=[tag] if tag else [],
            minutes=slots * SLOT_MINUTES,
            gap_min=1,
            gap_max=3,
            requires_referral=False,
            is_active=True,
        )
        procedures[code] = procedure
        roles = [(ResourceKind.THERAPIST, ""), (ResourceKind.ROOM, room_type)]
        roles += [(ResourceKind.EQUIPMENT, device_type)] if device_type else []
        Requirement.objects.bulk_create(Requirement(procedure=procedure, role=r, type_code=t) for r, t in roles)
        Qualification.objects.bulk_create(
            Qualification(therapist_id=keys[therapist.number], procedure=procedure)
            for therapist in THERAPISTS
            if code in (*therapist.procedures, EXAMINATION)
        )
    return procedures


def _load_shifts(clinic: Clinic, reference: ReferenceClinic, keys: dict[int, int], first_day: dt.date) -> None:
    """Weekly rules for each therapist's hours; the days of its weekdays on which they do not hold are exceptions."""
    days: dict[tuple[int, int, int, int, int], set[int]] = defaultdict(set)
    for shift in reference.shifts:
        days[shift.therapist, shift.start, shift.end, shift.break_start, shift.break_end].add(shift.day)
    letters = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
    rows = []
    for (therapist, start, end, break_start, break_end), held in days.items():
        weekdays = sorted({(FIRST_DAY + dt.timedelta(days=day)).weekday() for day in held})
        falls = {day for day in range(reference.days) if (FIRST_DAY + dt.timedelta(days=day)).weekday() in weekdays}
        has_break = break_start < break_end
        rows.append(
            Shift(
                therapist_id=keys[therapist],
                clinic=clinic,
                starts_on=first_day,
                start_time=time_of(start),
                end_time=time_of(end),
                break_from=time_of(break_start) if has_break else None,
                break_until=time_of(break_end) if has_break else None,
                rrule="FREQ=WEEKLY;BYDAY=" + ",".join(letters[weekday] for weekday in weekdays),
                exdates=[first_day + dt.timedelta(days=day) for day in sorted(falls - held)],
            )
        )
    Shift.objects.bulk_create(rows)


@dataclass(slots=True)
class _Bookings:
    """Writes the bookings: one course for what a patient has of one procedure, visits, appointments, reservations."""

    loaded: LoadedClinic
    _places: dict[int, list[int]] = field(default_factory=dict)

    def load(self) -> None:
        loaded = self.loaded
        bookings = sorted(loaded.reference.bookings, key=lambda b: (b.day, b.slot, b.therapist))
        patients = _make_patients(range(1, PATIENTS + 1))
        spans = [(loaded.moment(b.day, b.slot), loaded.moment(b.day, b.slot + b.slots)) for b in bookings]
        grouped: dict[tuple[int, str], list[int]] = defaultdict(list)
        for index, booking in enumerate(bookings):
            grouped[booking.patient, booking.procedure].append(index)
        courses = [loaded.course(patients[patient], code, len(indexes)) for (patient, code), indexes in grouped.items()]
        Course.objects.bulk_create(courses, batch_size=BATCH)
        numbered = {
            index: (course, number)
            for course, indexes in zip(courses, grouped.values(), strict=True)
            for number, index in enumerate(indexes, start=1)
        }
        visits: dict[tuple[int, int], Visit] = {}
        for booking, (start, end) in zip(bookings, spans, strict=True):
            visit = visits.setdefault(
                (booking.patient, booking.day),
                Visit(
                    clinic=loaded.clinic,
                    patient=patients[booking.patient],
                    date=loaded.first_day + dt.timedelta(days=booking.day),
                    revised_at=start,
                    starts_at=start,
                    ends_at=end,
                ),
            )
            visit.ends_at = max(visit.ends_at, end)
        Visit.objects.bulk_create(visits.values(), batch_size=BATCH)
        appointments = [Appointment(clinic=loaded.clinic, starts_at=start, ends_at=end) for start, end in spans]
        Appointment.objects.bulk_create(appointments, batch_size=BATCH)
        reservations, sessions = [], []
        for index, (booking, appointment) in enumerate(zip(bookings, appointments, strict=True)):
            course, number = numbered[index]
            numbers = [n for n in (booking.therapist, booking.room, booking.device) if n is not None]
            takes = [(patients[booking.patient].pk, 1)]
            takes += [(loaded.keys[n], self._place(n, booking.day, booking.slot, booking.slots)) for n in numbers]
            reservations += [
                Reservation(
                    appointment=appointment,
                    resource_id=resource,
                    places=Range(place, place + 1),
                    starts_at=appointment.starts_at,
                    ends_at=appointment.ends_at,
                )
                for resource, place in takes
            ]
            visit = visits[booking.patient, booking.day]
            session = Session(course=course, number=number, status=Status.BOOKED, appointment=appointment, visit=visit)
            sessions.append(session)
        Reservation.objects.bulk_create(reservations, batch_size=BATCH)
        Session.objects.bulk_create(sessions, batch_size=BATCH)

    def _place(self, number: int, day: int, slot: int, slots: int) -> int:
        """The lowest place that is free: bookings come in order of time, so that is optimal."""
        ends = self._places.setdefault(number, [0] * self.loaded.reference.capacity[number])
        start = day * 288 + slot
        place = next(index for index, end in enumerate(ends) if end <= start)
        ends[place] = start + slots
        return place + 1


__all__ = ["EXAMINATION", "NAME", "LoadedClinic", "load_reference_clinic", "owner_connection"]
