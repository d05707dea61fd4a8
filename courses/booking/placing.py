"""Writing planned times: the one place where sessions get appointments, reservations and seats, and lose them.

Everything here runs inside `clinic.locking.writing()`, after the courses have been locked; it takes the remaining
locks itself, before the first write.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, PlaceTaken
from clinic.locking import lock_meetings, lock_resources
from clinic.models import Appointment, Clinic, Reservation, Resource, Task
from clinic.reserving import Want, choose_places
from courses.booking.models import Course, Session
from courses.booking.transitions import PLACED, Status
from courses.groups.meetings import falls_out
from courses.groups.models import ClassMeeting


@dataclass(frozen=True, slots=True)
class Placement:
    """A session and where it goes: parsed from a plan's item. `status` and `plan_id` are those it has afterwards, where
    they are not the same for all that are placed with it.
    """

    session: Session
    start: dt.datetime
    end: dt.datetime
    meeting: int | None
    takes: tuple[tuple[int, dt.datetime, dt.datetime], ...]
    status: Status | None = None
    plan_id: int | None = None

    @classmethod
    def parse(
        cls, item: Mapping[str, Any], session: Session, *, status: Status | None = None, plan_id: int | None = None
    ) -> "Placement":
        moment = dt.datetime.fromisoformat
        return cls(
            session=session,
            start=moment(item["start"]),
            end=moment(item["end"]),
            meeting=item["meeting"],
            takes=tuple((pk, moment(start), moment(end)) for pk, start, end in item["takes"]),
            status=status,
            plan_id=plan_id,
        )


def lock_sessions(pks: Collection[int], *, courses: Collection[int] | None = None) -> dict[int, Session]:
    """Lock the courses of these sessions, then read the sessions with what deciding about them needs.

    Two statements on purpose: rows joined to a locked one are as old as the statement that waited for the lock.
    `courses` saves finding them again where the caller knows them.
    """
    if courses is None:
        of = Course.objects.filter(pk__in=Session.objects.filter(pk__in=pks).values("course"))
    else:
        of = Course.objects.filter(pk__in=courses)
    list(of.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    rows = (
        Session.objects.filter(pk__in=pks)
        .select_related("course__procedure", "course__programme__referral", "appointment")
        .order_by("course_id", "number", "pk")
    )
    return {row.pk: row for row in rows}


def lock_for(placements: Sequence[Placement], *, freeing: Collection[Session] = ()) -> dict[int, Resource]:
    """Lock every resource that the placements take and that `freeing` holds, then the meetings of classes."""
    wanted = {pk for placement in placements for pk, _start, _end in placement.takes}
    held = [session.appointment_id for session in freeing if session.appointment_id]
    if held:
        wanted |= set(
            Reservation.objects.filter(appointment_id__in=held, live=True).values_list("resource_id", flat=True)
        )
    resources = lock_resources(wanted)
    meetings = {p.meeting for p in placements if p.meeting is not None}
    meetings |= {s.appointment_id for s in freeing if s.appointment_id and s.seat is not None}
    lock_meetings(pk for pk in meetings if pk is not None)
    return resources


def require_open(courses: Iterable[Course]) -> None:
    """Raises Conflict where a course is paused or has ended: its sessions get no times."""
    if any(course.status not in Course.OPEN for course in courses):
        raise Conflict(_("This course is paused or has ended. Resume it first."), code="course_not_active")


def require_current(versions: Mapping[str, int], resources: Mapping[int, Resource]) -> None:
    """Raises PlaceTaken when hours, the calendar or the patient's own bookings changed since the plan was made."""
    stale = [pk for pk, resource in resources.items() if str(pk) in versions and resource.version != versions[str(pk)]]
    if stale:
        raise PlaceTaken(code="plan_stale", details={"resources": sorted(stale)})


def require_ahead(placements: Sequence[Placement], *, now: dt.datetime) -> None:
    """Raises PlaceTaken with the sessions whose time has begun since the plan was made."""
    begun = [placement.session.pk for placement in placements if placement.start <= now]
    if begun:
        raise PlaceTaken(code="plan_stale", details={"taken": begun})


def place(
    placements: Sequence[Placement],
    *,
    clinic: Clinic,
    resources: dict[int, Resource],
    status: Status,
    now: dt.datetime,
    held_until: dt.datetime | None = None,
    plan_id: int | None = None,
    visits: Mapping[dt.date, int] | None = None,
    override_reason: str = "",
) -> None:
    """Give each session its appointment and reservations. Statements: five; some more with classes or old times.

    Sessions that had a time lose it. Without `visits` they keep pointing to the visit they came from, so that it can go
    with them (see `regroup_visits`). Raises PlaceTaken with the session keys that lost their place in
    `details["taken"]`.
    """
    moving = [p.session for p in placements if p.session.appointment_id is not None]
    treatments = [p for p in placements if p.meeting is None]
    wants = [
        Want(placement.session.pk, pk, start, end) for placement in placements for pk, start, end in placement.takes
    ]
    free_sessions(moving)
    settle_replacing(moving, now=now)
    _leave_meetings(moving)
    places = choose_places(wants, resources=resources, now=now)
    seats = _choose_seats([p for p in placements if p.meeting is not None])
    appointments = Appointment.objects.bulk_create(
        Appointment(clinic=clinic, starts_at=p.start, ends_at=p.end, override_reason=override_reason)
        for p in treatments
    )
    appointment_of = {p.session.pk: a.pk for p, a in zip(treatments, appointments, strict=True)}
    appointment_of |= {p.session.pk: p.meeting for p in placements if p.meeting is not None}
    Reservation.objects.bulk_create(
        Reservation(
            appointment_id=appointment_of[want.key],
            resource_id=want.resource_id,
            places=place,
            starts_at=want.starts_at,
            ends_at=want.ends_at,
            held_until=held_until,
        )
        for want, place in zip(wants, places, strict=True)
    )
    _write_sessions(
        placements,
        appointment_of=appointment_of,
        seats=seats,
        status=status,
        held_until=held_until,
        plan_id=plan_id,
        visits={
            p.session.pk: visits[clinic.local_date(p.start)] if visits is not None else p.session.visit_id
            for p in placements
        },
    )


def _leave_meetings(sessions: Sequence[Session]) -> None:
    """Give up seats before others are taken: one of these sessions may get the seat that another one leaves."""
    seated = [session.pk for session in sessions if session.seat is not None]
    if seated:
        Session.objects.filter(pk__in=seated).update(status=Status.UNPLACED, appointment=None, seat=None)


def settle_replacing(sessions: Collection[Session], *, now: dt.datetime) -> None:
    """Whoever waited for these sessions to be placed elsewhere need not wait any more."""
    by_clinic: dict[int, list[str]] = defaultdict(list)
    for session in sessions:
        by_clinic[session.course.clinic_id].append(f"session:{session.pk}")
    for clinic, subjects in by_clinic.items():
        waiting = Task.objects.filter(
            clinic=clinic, kind=Task.Kind.TO_REPLACE, subject__in=subjects, done_at__isnull=True
        )
        waiting.update(done_at=now)


def _choose_seats(placements: Sequence[Placement]) -> dict[int, int]:
    if not placements:
        return {}
    taken: dict[int, set[int]] = {p.meeting: set() for p in placements if p.meeting is not None}
    rows = Session.objects.filter(appointment_id__in=taken, status__in=PLACED)
    for session in rows.only("appointment_id", "seat"):
        if session.appointment_id is not None and session.seat is not None:
            taken[session.appointment_id].add(session.seat)
    held = ClassMeeting.objects.exclude(falls_out()).filter(appointment__in=taken, appointment__live=True)
    capacity = dict(held.values_list("appointment_id", "appointment__seats"))
    seats: dict[int, int] = {}
    for placement in placements:
        if placement.meeting is None:
            continue
        used = taken[placement.meeting]
        most = capacity.get(placement.meeting) or 0
        seat = next((number for number in range(1, most + 1) if number not in used), None)
        if seat is None:
            raise PlaceTaken(details={"taken": [placement.session.pk]})
        used.add(seat)
        seats[placement.session.pk] = seat
    return seats


_WRITE_SESSIONS = """
    UPDATE courses_session s SET status = new.status, appointment_id = new.appointment, seat = new.seat,
        visit_id = new.visit, plan_id = new.plan, held_until = %(held_until)s, to_replace = false,
        version = s.version + 1
    FROM unnest(%(sessions)s::bigint[], %(appointments)s::bigint[], %(seats)s::int[], %(visits)s::bigint[],
            %(statuses)s::text[], %(plans)s::bigint[])
        AS new(session, appointment, seat, visit, status, plan)
    WHERE s.id = new.session
"""


def _write_sessions(
    placements: Sequence[Placement],
    *,
    appointment_of: Mapping[int, int | None],
    seats: Mapping[int, int],
    status: Status,
    held_until: dt.datetime | None,
    plan_id: int | None,
    visits: Mapping[int, int | None],
) -> None:
    pks = [p.session.pk for p in placements]
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE_SESSIONS,
            {
                "held_until": held_until,
                "sessions": pks,
                "appointments": [appointment_of[pk] for pk in pks],
                "seats": [seats.get(pk) for pk in pks],
                "visits": [visits[pk] for pk in pks],
                "statuses": [str(p.status or status) for p in placements],
                "plans": [p.plan_id if p.plan_id is not None else plan_id for p in placements],
            },
        )
        if cursor.rowcount != len(pks):
            raise Conflict()


def free_sessions(sessions: Collection[Session]) -> None:
    """End what these sessions reserve: all of a treatment, the patient's part of a class. Three statements at most."""
    treatments = [s.appointment_id for s in sessions if s.appointment_id and s.seat is None]
    if treatments:
        Reservation.objects.filter(appointment_id__in=treatments, live=True).update(live=False)
        Appointment.objects.filter(pk__in=treatments).update(live=False, version=F("version") + 1)
    seats = [(s.appointment_id, s.course.patient_id) for s in sessions if s.appointment_id and s.seat is not None]
    if seats:
        with connection.cursor() as cursor:
            cursor.execute(_FREE_SEATS, [list(column) for column in zip(*seats, strict=True)])


_FREE_SEATS = """
    UPDATE clinic_reservation r SET live = false
    FROM unnest(%s::bigint[], %s::bigint[]) AS own(meeting, patient)
    WHERE r.appointment_id = own.meeting AND r.resource_id = own.patient AND r.live
"""


__all__ = [
    "Placement",
    "free_sessions",
    "lock_for",
    "lock_sessions",
    "place",
    "require_ahead",
    "require_current",
    "require_open",
    "settle_replacing",
]
