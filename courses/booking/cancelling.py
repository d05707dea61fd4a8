"""Cancelling: in time, late, or by the clinic. Nothing is deleted, and what the course still owes stays open."""

import datetime as dt

from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict
from clinic.locking import writing
from clinic.models import User
from courses.booking.lifecycle import end_sessions
from courses.booking.models import Session, Visit
from courses.booking.placing import lock_for, lock_sessions
from courses.booking.texts import short_text
from courses.booking.transitions import Status, may_become
from courses.booking.visits import regroup_and_tell


def cancel_session(
    *, session: Session, by: User | None, now: dt.datetime, reason: str = "", by_clinic: bool = False
) -> Session:
    """Cancel one session and tell the patient. It ends as cancelled, late cancelled (inside the clinic's window, or
    after the start) or cancelled by the clinic; while the course may go on, one without a time replaces it.

    Raises Conflict where its status does not allow it, Invalid for a reason too long.
    """
    return _cancel([session.pk], by=by, now=now, reason=reason, by_clinic=by_clinic)[0]


def cancel_visit(
    *, visit: Visit, by: User | None, now: dt.datetime, reason: str = "", by_clinic: bool = False
) -> list[Session]:
    """Cancel all that is still planned on a visit, with one message."""
    pks = [s.pk for s in visit.sessions.order_by("pk") if may_become(s.status, Status.CANCELLED) and s.appointment_id]
    if not pks:
        raise Conflict(_("Nothing is left to cancel on this visit."), code="nothing_to_cancel")
    return _cancel(pks, by=by, now=now, reason=reason, by_clinic=by_clinic)


def _cancel(pks: list[int], *, by: User | None, now: dt.datetime, reason: str, by_clinic: bool) -> list[Session]:
    reason = short_text("reason", reason)
    with writing():
        sessions = list(lock_sessions(pks).values())
        for session in sessions:
            if session.status == Status.HELD:
                raise Conflict(_("This time is only held. Let the hold go instead."), code="session_held")
            if session.appointment_id is None or not may_become(session.status, Status.CANCELLED):
                raise Conflict(
                    _("This session cannot be cancelled any more."),
                    code="wrong_status",
                    details={"status": session.status},
                )
        lock_for([], freeing=sessions)
        clinic, patient = sessions[0].course.clinic, sessions[0].course.patient
        for status, group in _by_status(sessions, now=now, by_clinic=by_clinic).items():
            end_sessions(group, status=status, reason=reason, now=now)
        dates = {clinic.local_date(s.time.starts_at) for s in sessions}
        regroup_and_tell(clinic=clinic, patient=patient, dates=dates, now=now)
    return sessions


def _by_status(sessions: list[Session], *, now: dt.datetime, by_clinic: bool) -> dict[Status, list[Session]]:
    groups: dict[Status, list[Session]] = {}
    for session in sessions:
        notice = dt.timedelta(hours=session.course.clinic.late_cancel_hours)
        status = Status.CANCELLED
        if by_clinic:
            status = Status.CANCELLED_BY_CLINIC
        elif session.time.starts_at - now < notice:
            status = Status.LATE_CANCELLED
        groups.setdefault(status, []).append(session)
    return groups
