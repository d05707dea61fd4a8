"""What a patient has booked already, as the planner sees it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection

from django.db import connection

from clinic.models import Patient
from courses.booking.calendars import Calendars, period_masks, slot_of
from courses.booking.models import Session
from courses.booking.transitions import PLACED
from courses.planning import types as planning

_BOOKED = """
    SELECT a.starts_at, a.ends_at, p.code, p.tags, c.id, c.clinic_id
    FROM courses_session s JOIN courses_course c ON c.id = s.course_id JOIN courses_procedure p ON p.id = c.procedure_id
    JOIN clinic_appointment a ON a.id = s.appointment_id
    WHERE c.patient_id = %s AND s.status = ANY (%s) AND a.starts_at >= %s AND a.starts_at < %s
      AND (s.held_until IS NULL OR s.held_until > %s) AND NOT s.id = ANY (%s)
"""


def read_patient(
    patient: Patient, calendars: Calendars, *, now: dt.datetime, moving: Collection[Session]
) -> planning.Patient:
    days = calendars.days
    free = list(calendars.patient)
    today = days.index(days.clinic.local_date(now))
    for day in range(min(max(today, 0), days.count)):
        free[day] = 0
    start, end = days.bounds()
    if 0 <= today < days.count:
        # A session starts after now, so the slot that begins this very moment has gone too.
        free[today] &= ~period_masks(days, start, now + dt.timedelta(seconds=1)).get(today, 0)
    visits: dict[int, tuple[int, int]] = {}
    booked: dict[int, set[str]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(_BOOKED, [patient.pk, sorted(PLACED), start, end, now, [session.pk for session in moving]])
        rows = cursor.fetchall()
    sessions = []
    for starts_at, ends_at, code, tags, course, clinic_id in rows:
        wall, until = starts_at.astimezone(days.clinic.tz), ends_at.astimezone(days.clinic.tz)
        day = days.index(wall.date())
        booked[day].add(code)
        first, last = slot_of(wall.time()), slot_of(until.time(), up=True)
        sessions.append(planning.BookedSession(day, first, last - first, code, frozenset(tags), course))
        if clinic_id == days.clinic.pk:
            known = visits.get(day, (first, last))
            visits[day] = (min(known[0], first), max(known[1], last))
    codes = {day: frozenset(there) for day, there in booked.items()}
    return planning.Patient(tuple(free), visits, codes, tuple(sessions))
