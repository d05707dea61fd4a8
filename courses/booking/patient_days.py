"""What patients have booked already, as the planner sees it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Mapping

from django.db import connection

from courses.booking.calendars import Days, period_masks, slot_of
from courses.booking.models import Session
from courses.booking.transitions import PLACED
from courses.planning import types as planning

# By the patient's reservations, which an index finds by time: years of earlier sessions are not gone through. They may
# begin a rest before the treatment, hence the day of grace.
_BOOKED = """
    SELECT c.patient_id, a.starts_at, a.ends_at, p.code, p.tags, c.id, c.clinic_id
    FROM clinic_reservation r JOIN courses_session s ON s.appointment_id = r.appointment_id
    JOIN courses_course c ON c.id = s.course_id AND c.patient_id = r.resource_id
    JOIN courses_procedure p ON p.id = c.procedure_id JOIN clinic_appointment a ON a.id = s.appointment_id
    WHERE r.live AND r.resource_id = ANY (%s) AND r.starts_at >= %s - interval '1 day' AND r.starts_at < %s
      AND s.status = ANY (%s) AND a.starts_at >= %s AND a.starts_at < %s
      AND (s.held_until IS NULL OR s.held_until > %s) AND NOT s.id = ANY (%s)
    ORDER BY a.starts_at, s.id
"""


def read_patients(
    days: Days, free: Mapping[int, planning.Masks], *, now: dt.datetime, moving: Collection[Session]
) -> dict[int, planning.Patient]:
    """Patients by key, `free` the time in which they have no booking; what lies before `now` is nobody's.

    One statement, whatever their number.
    """
    start, end = days.bounds()
    # A session starts after now, so the slot that begins this very moment has gone too.
    gone = period_masks(days, start, now + dt.timedelta(seconds=1))
    visits: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    booked: dict[int, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    sessions: dict[int, list[planning.BookedSession]] = defaultdict(list)
    with connection.cursor() as cursor:
        leaving = [session.pk for session in moving]
        cursor.execute(_BOOKED, [list(free), start, end, sorted(PLACED), start, end, now, leaving])
        rows = cursor.fetchall()
    for patient, starts_at, ends_at, code, tags, course, clinic_id in rows:
        wall, until = starts_at.astimezone(days.clinic.tz), ends_at.astimezone(days.clinic.tz)
        day = days.index(wall.date())
        booked[patient][day].add(code)
        first, last = slot_of(wall.time()), slot_of(until.time(), up=True)
        sessions[patient].append(planning.BookedSession(day, first, last - first, code, frozenset(tags), course))
        if clinic_id == days.clinic.pk:
            known = visits[patient].get(day, (first, last))
            visits[patient][day] = (min(known[0], first), max(known[1], last))
    return {
        patient: planning.Patient(
            tuple(mask & ~gone[day] if day in gone else mask for day, mask in enumerate(own)),
            visits[patient],
            {day: frozenset(codes) for day, codes in booked[patient].items()},
            tuple(sessions[patient]),
        )
        for patient, own in free.items()
    }
