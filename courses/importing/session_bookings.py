"""Booked one-to-one sessions of the files, as courses of which earlier sessions are only counted."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field

from psycopg.types.range import Range

from clinic.models import Appointment
from courses.booking.models import Course, Session
from courses.booking.transitions import LIVE, Status
from courses.catalogue.models import Procedure
from courses.importing.bookings import BATCH, Bookings, describe_breaks
from courses.importing.places import Places
from courses.importing.records import SessionRow
from courses.importing.sites import at_local


def load_sessions(bookings: Bookings) -> None:
    """Sessions still to come that are not there yet; those that are over only count on their course."""
    fresh = bookings.keys.sift("session", bookings.files.sessions, lambda row: row.session_id)
    courses = _load_courses(bookings, fresh)
    coming = sorted((row for row in fresh if _is_coming(bookings, row)), key=lambda row: (row.start, row.origin.record))
    resources = {row.session_id: _resources(bookings, row) for row in coming}
    wanted = {pk for pks in resources.values() for pk in pks}
    places = Places.read(bookings.clinic, wanted, first=bookings.now)
    held: list[tuple[SessionRow, Session, Appointment, dict[int, int]]] = []
    for row in coming:
        needed, period = resources[row.session_id], _period(bookings, row)
        session = courses.open_session(row)
        taken = places.take(needed, *period) if session else None
        if session is None or taken is None:
            bookings.report(row, "taken_meanwhile")
            continue
        courses.use(row)
        # An absence recorded since the first import is not in the files; the booking is kept as theirs are.
        breaks = row.breaks or (("outside_shift",) if places.is_away(needed, *period) else ())
        appointment = Appointment(
            clinic=bookings.clinic,
            starts_at=period[0],
            ends_at=period[1],
            override_reason=describe_breaks(bookings.clinic, breaks) if breaks else "",
        )
        held.append((row, session, appointment, taken))
    Appointment.objects.bulk_create([appointment for _, _, appointment, _ in held], batch_size=BATCH)
    for row, session, appointment, taken in held:
        for resource_id, place in taken.items():
            bookings.reserve(appointment, resource_id, Range(place, place + 1))
        bookings.place(session, appointment, status=Status(row.status), row=row)
    bookings.unplaced += courses.leftover()


@dataclass(slots=True)
class _Courses:
    """Courses by the files' keys, with the sessions that stand for their numbers."""

    by_key: dict[str, Course]
    new: set[str]
    _live: dict[tuple[int, int], Session] = field(default_factory=dict)
    _used: set[tuple[int, int]] = field(default_factory=set)

    def open_session(self, row: SessionRow) -> Session | None:
        """The session that a row may become: a new one, or the unplaced one of its number; None when it is taken."""
        course = self.by_key[row.course_id]
        number = (course.pk, row.course_seq)
        known = self._live.get(number)
        if number in self._used or not course.done_before < row.course_seq <= course.sessions_total:
            return None
        if known is not None:
            return known if known.status == Status.UNPLACED else None
        return Session(course=course, number=row.course_seq)

    def use(self, row: SessionRow) -> None:
        self._used.add((self.by_key[row.course_id].pk, row.course_seq))

    def leftover(self) -> list[Session]:
        """Unplaced sessions for the numbers of new courses that no row has booked."""
        return [
            Session(course=course, number=number)
            for key, course in self.by_key.items()
            if key in self.new
            for number in range(course.done_before + 1, course.sessions_total + 1)
            if (course.pk, number) not in self._used
        ]


def _load_courses(bookings: Bookings, rows: list[SessionRow]) -> _Courses:
    grouped: dict[str, list[SessionRow]] = defaultdict(list)
    for row in rows:
        grouped[row.course_id].append(row)
    known = {key: pk for key in grouped if (pk := bookings.keys.find("course", key)) is not None}
    fresh = {key: members for key, members in grouped.items() if key not in known}
    codes = {members[0].procedure: bookings.keys["procedure", members[0].procedure] for members in fresh.values()}
    procedures = Procedure.objects.in_bulk(codes.values())
    created = Course.objects.bulk_create(
        (_course(bookings, members, procedures[codes[members[0].procedure]]) for members in fresh.values()),
        batch_size=BATCH,
    )
    by_key = dict(zip(fresh, created, strict=True))
    for key, course in by_key.items():
        bookings.keys.remember("course", key, course.pk)
    existing = Course.objects.in_bulk(known.values())
    live = Session.objects.filter(course_id__in=existing, status__in=LIVE).select_related("course")
    return _Courses(
        by_key | {key: existing[pk] for key, pk in known.items()},
        set(fresh),
        {(session.course_id, session.number): session for session in live},
    )


def _course(bookings: Bookings, members: list[SessionRow], procedure: Procedure) -> Course:
    coming = [row.course_seq for row in members if _is_coming(bookings, row)]
    total = max(row.course_sessions for row in members)
    done = min(coming) - 1 if coming else max(row.course_seq for row in members)
    notes = dict.fromkeys(row.note.strip() for row in members if row.note.strip())
    first = members[0]
    return Course(
        clinic=bookings.clinic,
        patient_id=bookings.keys["patient", first.patient_id],
        procedure=procedure,
        origin=Course.Origin.IMPORTED,
        status=Course.Status.FINISHED if done == total else Course.Status.ACTIVE,
        sessions_total=total,
        done_before=done,
        # A clinic may have emptied the minutes since; those of the booking are known.
        minutes=procedure.minutes or int((first.end - first.start).total_seconds() // 60),
        area=first.area,
        side=first.side,
        note="\n".join(notes)[:500],
    )


def _is_coming(bookings: Bookings, row: SessionRow) -> bool:
    return at_local(bookings.clinic, row.end) > bookings.now


def _period(bookings: Bookings, row: SessionRow) -> tuple[dt.datetime, dt.datetime]:
    return at_local(bookings.clinic, row.start), at_local(bookings.clinic, row.end)


def _resources(bookings: Bookings, row: SessionRow) -> list[int]:
    keys = bookings.keys
    needed = [keys["staff", row.therapist_id], keys["room", row.room_id], keys["patient", row.patient_id]]
    return [*needed, keys["equipment", row.equipment_id]] if row.equipment_id else needed
