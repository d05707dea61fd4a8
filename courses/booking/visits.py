"""A patient's day in a clinic: kept in step with its sessions, and told to the patient's calendar."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db import connection

from clinic.models import Clinic, Patient
from courses.booking.models import Session, Visit, new_visit_uid
from courses.booking.transitions import PLACED, Status
from notifications.outbox import announce_visits
from notifications.snapshots import VisitSnapshot

_BOOKED = PLACED - {Status.HELD}

Span = tuple[dt.datetime, dt.datetime]

_EXTEND = """
    INSERT INTO courses_visit AS v
        (clinic_id, patient_id, date, uid, sequence, revised_at, starts_at, ends_at, live)
    SELECT %(clinic)s, %(patient)s, new.date, new.uid, 0, %(now)s, new.starts_at, new.ends_at, true
    FROM unnest(%(dates)s::date[], %(uids)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS new(date, uid, starts_at, ends_at)
    ON CONFLICT (patient_id, clinic_id, date) WHERE live DO UPDATE SET
        (starts_at, ends_at, sequence, revised_at) = (
            SELECT span.starts_at, span.ends_at, v.sequence + span.differs::int,
                   CASE WHEN span.differs THEN EXCLUDED.revised_at ELSE v.revised_at END
            FROM (
                SELECT LEAST(EXCLUDED.starts_at, min(a.starts_at)) AS starts_at,
                       GREATEST(EXCLUDED.ends_at, max(a.ends_at)) AS ends_at,
                       (LEAST(EXCLUDED.starts_at, min(a.starts_at)), GREATEST(EXCLUDED.ends_at, max(a.ends_at)))
                           <> (v.starts_at, v.ends_at) AS differs
                FROM courses_session s JOIN clinic_appointment a ON a.id = s.appointment_id
                WHERE s.visit_id = v.id AND s.status = ANY (%(standing)s)
            ) AS span
        )
    RETURNING v.id, v.date, v.uid, v.sequence, v.revised_at, v.starts_at, v.ends_at
"""


def extend_visits(*, clinic: Clinic, patient: Patient, spans: Iterable[Span], now: dt.datetime) -> dict[dt.date, Visit]:
    """Begin the visits that these appointments fall on, or fit those that stand to them and to their own sessions.

    One statement, whatever their number.
    """
    days: dict[dt.date, Span] = {}
    for start, end in spans:
        date = clinic.local_date(start)
        known = days.get(date, (start, end))
        days[date] = (min(known[0], start), max(known[1], end))
    if not days:
        return {}
    dates = sorted(days)
    with connection.cursor() as cursor:
        cursor.execute(
            _EXTEND,
            {
                "clinic": clinic.pk,
                "patient": patient.pk,
                "now": now,
                "standing": [str(status) for status in _BOOKED],
                "dates": dates,
                "uids": [new_visit_uid() for _ in dates],
                "starts": [days[date][0] for date in dates],
                "ends": [days[date][1] for date in dates],
            },
        )
        rows = cursor.fetchall()
    visits = {}
    for pk, date, uid, sequence, revised_at, starts_at, ends_at in rows:
        visits[date] = Visit(
            pk=pk,
            clinic=clinic,
            patient=patient,
            date=date,
            uid=uid,
            sequence=sequence,
            revised_at=revised_at,
            starts_at=starts_at,
            ends_at=ends_at,
        )
    return visits


def regroup_visits(*, clinic: Clinic, patient: Patient, dates: Collection[dt.date], now: dt.datetime) -> list[Visit]:
    """Make the visits of these days fit their sessions again, and return those that changed.

    A visit all of whose sessions went to one free day among these goes with them and keeps its uid; merged into
    another visit it ends. Call it after the sessions have been written, inside their transaction.
    """
    wanted = sorted(set(dates))
    if not wanted:
        return []
    standing = {v.date: v for v in Visit.objects.filter(clinic=clinic, patient=patient, date__in=wanted, live=True)}
    sessions = _sessions_by_date(clinic, patient, wanted)
    changed: dict[int, Visit] = {}
    _carry_over(standing, sessions, changed)
    new: list[Visit] = []
    for date, group in sessions.items():
        start = min(s.time.starts_at for s in group)
        end = max(s.time.ends_at for s in group)
        visit = standing.get(date)
        if visit is None:
            visit = standing[date] = Visit(
                clinic=clinic, patient=patient, date=date, revised_at=now, starts_at=start, ends_at=end
            )
            new.append(visit)
        elif (visit.starts_at, visit.ends_at) != (start, end):
            visit.starts_at, visit.ends_at = start, end
            changed[visit.pk] = visit
    for date, visit in standing.items():
        if date not in sessions:
            visit.live = False
            changed[visit.pk] = visit
    for visit in changed.values():
        visit.sequence += 1
        visit.revised_at = now
    _write(list(changed.values()), new)
    _point_sessions(standing, sessions)
    return [*changed.values(), *new]


def _sessions_by_date(clinic: Clinic, patient: Patient, dates: list[dt.date]) -> dict[dt.date, list[Session]]:
    start = dt.datetime.combine(dates[0], dt.time(), tzinfo=clinic.tz)
    end = dt.datetime.combine(dates[-1] + dt.timedelta(days=1), dt.time(), tzinfo=clinic.tz)
    sessions: dict[dt.date, list[Session]] = {}
    for session in Session.objects.filter(
        course__patient=patient,
        course__clinic=clinic,
        status__in=_BOOKED,
        appointment__starts_at__gte=start,
        appointment__starts_at__lt=end,
    ).select_related("appointment"):
        date = clinic.local_date(session.time.starts_at)
        if date in dates:
            sessions.setdefault(date, []).append(session)
    return sessions


def _carry_over(
    standing: dict[dt.date, Visit], sessions: Mapping[dt.date, list[Session]], changed: dict[int, Visit]
) -> None:
    """Visits that moved whole to a day without one keep their identity."""
    for date in [date for date in standing if date not in sessions]:
        visit = standing[date]
        went = {day for day, group in sessions.items() if any(s.visit_id == visit.pk for s in group)}
        if len(went) != 1 or (target := went.pop()) in standing:
            continue
        del standing[date]
        visit.date = target
        standing[target] = visit
        changed[visit.pk] = visit


def _write(changed: list[Visit], new: list[Visit]) -> None:
    # The ended ones first: they make way for those that move onto their day.
    for visits in ([v for v in changed if not v.live], [v for v in changed if v.live]):
        if visits:
            fields = ["date", "sequence", "revised_at", "starts_at", "ends_at", "live"]
            Visit.objects.bulk_update(visits, fields)
    if new:
        Visit.objects.bulk_create(new)


def _point_sessions(standing: Mapping[dt.date, Visit], sessions: Mapping[dt.date, list[Session]]) -> None:
    moved = []
    for date, group in sessions.items():
        for session in group:
            if session.visit_id != standing[date].pk:
                session.visit = standing[date]
                moved.append(session)
    if moved:
        Session.objects.bulk_update(moved, ["visit"])


def snapshot(visit: Visit) -> VisitSnapshot:
    """What the outbox needs to know of a visit: times and the clinic, never what is done in it."""
    clinic = visit.clinic
    return VisitSnapshot(
        uid=visit.uid,
        sequence=visit.sequence,
        revised_at=visit.revised_at,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        zone=clinic.zone,
        clinic_name=clinic.name,
        clinic_address=clinic.address,
        clinic_phone=clinic.phone,
        cancelled=not visit.live,
    )


@dataclass(frozen=True, slots=True)
class Announcement:
    """Whom to tell what, at the end of a verb's transaction."""

    clinic: Clinic
    patient: Patient
    now: dt.datetime

    def tell(self, visits: Iterable[Visit], *, summary_key: str | None = None) -> None:
        """Enqueue messages about visits that still lie ahead."""
        ahead = [snapshot(visit) for visit in visits if visit.ends_at > self.now or not visit.live]
        if ahead:
            announce_visits(
                clinic=self.clinic, patient=self.patient, visits=ahead, summary_key=summary_key, now=self.now
            )


def regroup_and_tell(*, clinic: Clinic, patient: Patient, dates: Collection[dt.date], now: dt.datetime) -> None:
    """Bring visits in step with their sessions and tell the patient what changed."""
    Announcement(clinic, patient, now).tell(regroup_visits(clinic=clinic, patient=patient, dates=dates, now=now))
