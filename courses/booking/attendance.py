"""What happens on the day: confirmed, arrived, started, done, not treated, missed. Facts are never refused for time."""

import datetime as dt
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict
from clinic.locking import writing
from clinic.models import User
from courses.booking.disruption import mark_uncovered
from courses.booking.lifecycle import end_sessions
from courses.booking.models import Course, Session, Visit
from courses.booking.placing import lock_for, lock_sessions, settle_replacing
from courses.booking.texts import required_text
from courses.booking.transitions import DONE, LIVE, PLANNED, Status, may_become
from notifications.outbox import restore_reminders, withdraw_reminders

# Why reminders are withdrawn when the patient is here.
_ARRIVED = "arrived"
_PRESENT = DONE | {Status.ARRIVED, Status.IN_TREATMENT, Status.NOT_TREATED}


def confirm_session(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    """The patient has said that they will come."""
    return _become([session.pk], Status.CONFIRMED, now=now)[0]


def arrive_session(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    """The patient is in the building, for this session."""
    return _become([session.pk], Status.ARRIVED, now=now, arrived_at=now)[0]


def arrive_visit(*, visit: Visit, by: User | None, now: dt.datetime) -> list[Session]:
    """Check in the whole visit at once. Done already, it says so: raises Conflict."""
    pks = [s.pk for s in visit.sessions.order_by("pk") if may_become(s.status, Status.ARRIVED)]
    if not pks:
        raise Conflict(_("Nobody is left to check in on this visit."), code="nothing_to_check_in")
    return _become(pks, Status.ARRIVED, now=now, arrived_at=now)


def undo_arrival(*, visit: Visit, by: User | None, now: dt.datetime) -> list[Session]:
    """Take back the check-in of a visit: its sessions that have not begun are planned again, and what their arrival
    settled waits once more. Raises Conflict when there is none.
    """
    pks = list(visit.sessions.filter(status=Status.ARRIVED).order_by("pk").values_list("pk", flat=True))
    if not pks:
        raise Conflict(_("Nobody is checked in on this visit who has not begun."), code="nothing_to_undo")
    with writing():
        sessions = list(lock_sessions(pks).values())
        for session in sessions:
            _require(session, Status.BOOKED)
            session.status, session.arrived_at = Status.BOOKED, None
            session.version += 1
        # An absence recorded meanwhile either sees these sessions planned or is seen here.
        lock_for([], freeing=sessions)
        Session.objects.bulk_update(sessions, ["status", "version", "arrived_at"])
        mark_uncovered(sessions, now=now)
        if not visit.sessions.filter(status__in=_PRESENT).exists():
            Visit.objects.filter(pk=visit.pk).update(arrived_at=None)
            restore_reminders(uids=[visit.uid], reason=_ARRIVED, now=now)
    return sessions


def start_session(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    return _become([session.pk], Status.IN_TREATMENT, now=now, started_at=now)[0]


def complete_session(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    """The session was given; the course is finished with its last one."""
    return _become([session.pk], Status.COMPLETED, now=now, ended_at=now)[0]


def stop_session_early(*, session: Session, reason: str, by: User | None, now: dt.datetime) -> Session:
    """The session was begun and ended before its time; it counts as given."""
    return _become([session.pk], Status.STOPPED_EARLY, now=now, ended_at=now, reason=required_text("reason", reason))[0]


def mark_not_treated(*, session: Session, reason: str, by: User | None, now: dt.datetime) -> Session:
    """The patient came but was not treated (fever, refused): nothing is consumed and the session stays owed."""
    return _end(session, Status.NOT_TREATED, reason=required_text("reason", reason), now=now)


def mark_no_show(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    """The patient did not come. Raises Conflict before the session has begun."""
    return _end(session, Status.NO_SHOW, reason="", now=now)


def _require(session: Session, wanted: Status) -> None:
    if not may_become(session.status, wanted):
        raise Conflict(
            _("This is not possible in the session's present state."),
            code="wrong_status",
            details={"status": session.status, "wanted": str(wanted)},
        )


def _become(pks: Sequence[int], status: Status, *, now: dt.datetime, **fields: object) -> list[Session]:
    with writing():
        sessions = list(lock_sessions(pks).values())
        for session in sessions:
            _require(session, status)
            session.status = status
            session.version += 1
            for name, value in fields.items():
                setattr(session, name, value)
        if status not in PLANNED:
            _note_presence(sessions, now=now)
        if status == Status.ARRIVED:
            visits = Visit.objects.filter(pk__in={session.visit_id for session in sessions}, arrived_at=None)
            visits.update(arrived_at=now)
        Session.objects.bulk_update(sessions, ["status", "version", "to_replace", *fields])
        if status in DONE:
            _finish_courses({s.course_id: s.course for s in sessions})
    return sessions


def _note_presence(sessions: Sequence[Session], *, now: dt.datetime) -> None:
    """Whoever is here need not be reminded of the visit, nor their session be placed elsewhere."""
    for session in sessions:
        session.to_replace = False
    settle_replacing(sessions, now=now)
    visits = Visit.objects.filter(pk__in={session.visit_id for session in sessions})
    withdraw_reminders(uids=visits.values_list("uid", flat=True), reason=_ARRIVED, now=now)


def _finish_courses(courses: dict[int, Course]) -> None:
    for course in courses.values():
        if not course.sessions.filter(status__in=LIVE - DONE).exists():
            course.status = Course.Status.FINISHED
            course.save(update_fields=["status"])


def _end(session: Session, status: Status, *, reason: str, now: dt.datetime) -> Session:
    """End a session of today without treatment. The visit stands as it was: there is nothing to tell the patient."""
    with writing():
        locked = list(lock_sessions([session.pk]).values())
        _require(locked[0], status)
        if status == Status.NO_SHOW and locked[0].time.starts_at > now:
            raise Conflict(_("This session has not begun yet."), code="too_early")
        lock_for([], freeing=locked)
        end_sessions(locked, status=status, reason=reason, now=now)
        _withdraw_needless_reminders(locked[0], now=now)
    return locked[0]


def _withdraw_needless_reminders(session: Session, *, now: dt.datetime) -> None:
    if session.visit is not None and not session.visit.sessions.filter(status__in=PLANNED).exists():
        withdraw_reminders(uids=[session.visit.uid], reason=str(session.status), now=now)
