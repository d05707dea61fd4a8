"""What happens on the day: confirmed, arrived, started, done, not treated, missed. Facts are never refused for time."""

import datetime as dt
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, Invalid
from clinic.locking import writing
from clinic.models import User
from courses.booking.lifecycle import end_sessions
from courses.booking.models import Course, Session, Visit
from courses.booking.placing import lock_for, lock_sessions
from courses.booking.transitions import DONE, LIVE, Status, may_become
from notifications.outbox import withdraw_reminders


def confirm_session(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    """The patient has said that they will come."""
    return _become([session.pk], Status.CONFIRMED)[0]


def arrive_session(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    """The patient is in the building, for this session."""
    return _become([session.pk], Status.ARRIVED, arrived_at=now)[0]


def arrive_visit(*, visit: Visit, by: User | None, now: dt.datetime) -> list[Session]:
    """Check in the whole visit at once. Done already, it says so: raises Conflict."""
    pks = [s.pk for s in visit.sessions.order_by("pk") if may_become(s.status, Status.ARRIVED)]
    if not pks:
        raise Conflict(_("Nobody is left to check in on this visit."), code="nothing_to_check_in")
    arrived = _become(pks, Status.ARRIVED, arrived_at=now)
    withdraw_reminders(uids=[visit.uid], reason="arrived", now=now)
    Visit.objects.filter(pk=visit.pk, arrived_at=None).update(arrived_at=now)
    return arrived


def start_session(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    return _become([session.pk], Status.IN_TREATMENT, started_at=now)[0]


def complete_session(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    """The session was given; the course is finished with its last one."""
    return _become([session.pk], Status.COMPLETED, ended_at=now)[0]


def stop_session_early(*, session: Session, reason: str, by: User | None, now: dt.datetime) -> Session:
    """The session was begun and ended before its time; it counts as given."""
    return _become([session.pk], Status.STOPPED_EARLY, ended_at=now, reason=_required(reason))[0]


def mark_not_treated(*, session: Session, reason: str, by: User | None, now: dt.datetime) -> Session:
    """The patient came but was not treated (fever, refused): nothing is consumed and the session stays owed."""
    return _end(session, Status.NOT_TREATED, reason=_required(reason), now=now)


def mark_no_show(*, session: Session, by: User | None, now: dt.datetime) -> Session:
    """The patient did not come. Raises Conflict before the session has begun."""
    if session.appointment is not None and session.time.starts_at > now:
        raise Conflict(_("This session has not begun yet."), code="too_early")
    return _end(session, Status.NO_SHOW, reason="", now=now)


def _required(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise Invalid(details={"reason": [_("Give the reason.")]})
    return reason[:300]


def _require(session: Session, wanted: Status) -> None:
    if not may_become(session.status, wanted):
        raise Conflict(
            _("This is not possible in the session's present state."),
            code="wrong_status",
            details={"status": session.status, "wanted": str(wanted)},
        )


def _become(pks: Sequence[int], status: Status, **fields: object) -> list[Session]:
    with writing():
        sessions = list(lock_sessions(pks).values())
        for session in sessions:
            _require(session, status)
            session.status = status
            session.version += 1
            for name, value in fields.items():
                setattr(session, name, value)
        Session.objects.bulk_update(sessions, ["status", "version", *fields])
        if status in DONE:
            _finish_courses({s.course_id: s.course for s in sessions})
    return sessions


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
        lock_for([], freeing=locked)
        course = locked[0].course
        end_sessions(locked, status=status, reason=reason, replace=course.status == Course.Status.ACTIVE)
    return locked[0]
