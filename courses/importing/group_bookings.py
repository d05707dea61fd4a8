"""Classes of the files: series, their coming meetings, and the courses of those who are enrolled."""

import datetime as dt
from collections import defaultdict

from psycopg.types.range import Range

from clinic.models import Appointment
from courses.booking.models import Course, Session
from courses.booking.transitions import PLACED, Status
from courses.catalogue.models import Procedure
from courses.groups.models import ClassMeeting, GroupClass
from courses.importing.bookings import BATCH, Bookings
from courses.importing.occupancy import Timetable
from courses.importing.places import Places
from courses.importing.records import ClassRow, EnrolmentRow
from courses.importing.sites import at_local

# Meetings reach so far where the clinic does not say until when it books.
_DEFAULT_WINDOW = dt.timedelta(weeks=8)
# In place of an appointment: the meeting was held before the import.
_HELD = 0

Meetings = dict[str, dict[dt.date, int]]


def load_classes(bookings: Bookings) -> None:
    """Series, meetings and enrolments that are not there yet."""
    rows = bookings.keys.sift("class", bookings.files.classes, lambda row: row.class_id)
    created = GroupClass.objects.bulk_create(
        GroupClass(
            clinic=bookings.clinic,
            procedure_id=bookings.keys["procedure", row.procedure],
            name=row.name,
            instructor_id=bookings.keys["staff", row.instructor_id],
            room_id=bookings.keys["room", row.room_id],
            capacity=row.capacity,
            starts_on=row.dtstart.date(),
            start_time=row.dtstart.time(),
            minutes=row.duration_min,
            rrule=row.rrule,
        )
        for row in rows
    )
    for row, group_class in zip(rows, created, strict=True):
        bookings.keys.remember("class", row.class_id, group_class.pk, row)
    _load_enrolments(bookings, _load_meetings(bookings))


def _load_meetings(bookings: Bookings) -> Meetings:
    """Every meeting that has an appointment or was held before, by class and date."""
    meetings: Meetings = defaultdict(dict)
    fresh: list[tuple[ClassRow, dt.date, Appointment]] = []
    for series, start, end in _planned_meetings(bookings):
        known = bookings.keys.find("meeting", f"{series.class_id} {start.date()}")
        starts_at = at_local(bookings.clinic, start)
        if known is not None or starts_at <= bookings.now:
            meetings[series.class_id][start.date()] = known or _HELD
            continue
        appointment = Appointment(
            clinic=bookings.clinic,
            kind=Appointment.Kind.CLASS_MEETING,
            starts_at=starts_at,
            ends_at=at_local(bookings.clinic, end),
            seats=series.capacity,
        )
        fresh.append((series, start.date(), appointment))
    fresh = _without_taken(bookings, fresh)
    Appointment.objects.bulk_create([appointment for _, _, appointment in fresh], batch_size=BATCH)
    for series, date, appointment in fresh:
        meetings[series.class_id][date] = appointment.pk
        bookings.keys.remember("meeting", f"{series.class_id} {date}", appointment.pk)
        for resource_id in _resources(bookings, series):
            bookings.reserve(appointment, resource_id, Range(1, None))
    ClassMeeting.objects.bulk_create(
        (
            ClassMeeting(appointment=appointment, group_class_id=bookings.keys["class", series.class_id], date=date)
            for series, date, appointment in fresh
        ),
        batch_size=BATCH,
    )
    return meetings


def _planned_meetings(bookings: Bookings) -> list[tuple[ClassRow, dt.datetime, dt.datetime]]:
    timetable = Timetable(bookings.files.settings)
    for absence in bookings.files.absences:
        timetable.add_absence(absence)
    until = bookings.clinic.book_until or bookings.clinic.local_date(bookings.now) + _DEFAULT_WINDOW
    last = max([until, *(row.last_date for row in bookings.files.enrolments)])
    return [
        (series, start, end)
        for series in bookings.files.classes
        for start, end in timetable.list_meetings(series)
        if start.date() <= last
    ]


def _resources(bookings: Bookings, series: ClassRow) -> list[int]:
    return [bookings.keys["staff", series.instructor_id], bookings.keys["room", series.room_id]]


def _without_taken(
    bookings: Bookings, fresh: list[tuple[ClassRow, dt.date, Appointment]]
) -> list[tuple[ClassRow, dt.date, Appointment]]:
    """Meetings that nothing in the database stands in the way of: a clinic may have changed since its first import."""
    wanted = {pk for series, _, _ in fresh for pk in _resources(bookings, series)}
    places = Places.read(bookings.clinic, wanted, first=bookings.now)
    kept = []
    for series, date, appointment in fresh:
        resources, period = _resources(bookings, series), (appointment.starts_at, appointment.ends_at)
        if not places.is_away(resources, *period) and places.take_whole(resources, *period):
            kept.append((series, date, appointment))
    return kept


def _load_enrolments(bookings: Bookings, meetings: Meetings) -> None:
    rows = bookings.keys.sift("enrolment", bookings.files.enrolments, lambda row: row.enrolment_id)
    classes = {row.class_id: row for row in bookings.files.classes}
    attended = {row.enrolment_id: _attended(row, meetings[row.class_id]) for row in rows}
    rows = [row for row in rows if attended[row.enrolment_id]]
    codes = {row.class_id: bookings.keys["procedure", row.procedure] for row in classes.values()}
    procedures = Procedure.objects.in_bulk(codes.values())
    courses = Course.objects.bulk_create(
        _course(bookings, row, classes[row.class_id], procedures[codes[row.class_id]], attended[row.enrolment_id])
        for row in rows
    )
    coming = {pk for pks in attended.values() for pk in pks if pk != _HELD}
    appointments = Appointment.objects.in_bulk(coming)
    places = Places.read(bookings.clinic, {course.patient_id for course in courses}, first=bookings.now)
    seats: dict[int, set[int | None]] = defaultdict(set)
    for pk, seat in Session.objects.filter(appointment_id__in=coming, status__in=PLACED).values_list(
        "appointment_id", "seat"
    ):
        seats[pk].add(seat)
    for row, course in zip(rows, courses, strict=True):
        bookings.keys.remember("enrolment", row.enrolment_id, course.pk, row)
        pks = [pk for pk in attended[row.enrolment_id] if pk != _HELD]
        for number, pk in enumerate(pks, start=course.done_before + 1):
            session, appointment = Session(course=course, number=number), appointments[pk]
            seat = _free_seat(appointment, seats[pk])
            taken = places.take([course.patient_id], appointment.starts_at, appointment.ends_at)
            if seat is None or taken is None:
                bookings.report(row, "taken_meanwhile")
                bookings.unplaced.append(session)
                continue
            seats[pk].add(seat)
            bookings.reserve(appointment, course.patient_id, Range(1, 2))
            bookings.place(session, appointment, status=Status.BOOKED, seat=seat)


def _attended(row: EnrolmentRow, meetings: dict[dt.date, int]) -> list[int]:
    return [pk for date, pk in sorted(meetings.items()) if row.first_date <= date <= row.last_date]


def _free_seat(appointment: Appointment, taken: set[int | None]) -> int | None:
    return next((seat for seat in range(1, (appointment.seats or 0) + 1) if seat not in taken), None)


def _course(
    bookings: Bookings, row: EnrolmentRow, series: ClassRow, procedure: Procedure, attended: list[int]
) -> Course:
    done = attended.count(_HELD)
    return Course(
        clinic=bookings.clinic,
        patient_id=bookings.keys["patient", row.patient_id],
        procedure=procedure,
        origin=Course.Origin.IMPORTED,
        status=Course.Status.FINISHED if done == len(attended) else Course.Status.ACTIVE,
        sessions_total=len(attended),
        done_before=done,
        minutes=series.duration_min,
    )
