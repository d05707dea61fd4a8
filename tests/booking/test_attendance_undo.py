"""A check-in that was a mistake: taken back on the visit, with all that it had settled."""

import datetime as dt

import pytest

from clinic.errors import Conflict
from clinic.models import Absence, Task
from courses.booking.attendance import arrive_visit, complete_session, start_session, undo_arrival
from courses.booking.disruption import record_absence
from courses.booking.models import Session, Visit
from courses.booking.transitions import Status
from notifications.models import Message
from tests.booking.conftest import Desk
from tests.booking.test_moving import booked, reread


def _visit(session: Session) -> Visit:
    assert session.visit is not None
    return session.visit


def _reminders(visit: Visit, status: Message.Status) -> int:
    return Message.objects.filter(subject=visit.uid, kind=Message.Kind.REMINDER, status=status).count()


def test_what_arrived_is_planned_again(desk: Desk) -> None:
    session = booked(desk)[0]
    arrived_at = session.time.starts_at - dt.timedelta(minutes=10)
    arrive_visit(visit=_visit(session), by=desk.reception, now=arrived_at)
    [undone] = undo_arrival(visit=_visit(session), by=desk.reception, now=arrived_at + dt.timedelta(minutes=1))
    kept = reread(session.course)[0]
    assert (kept.status, kept.arrived_at, kept.to_replace) == (Status.BOOKED, None, False)
    assert kept.version == undone.version == session.version + 2
    assert _visit(kept).arrived_at is None
    arrive_visit(visit=_visit(kept), by=desk.reception, now=arrived_at + dt.timedelta(minutes=2))
    assert _visit(reread(session.course)[0]).arrived_at == arrived_at + dt.timedelta(minutes=2)


def test_nothing_to_undo_says_so(desk: Desk) -> None:
    session = booked(desk)[0]
    with pytest.raises(Conflict) as refused:
        undo_arrival(visit=_visit(session), by=desk.reception, now=desk.now)
    assert refused.value.code == "nothing_to_undo"


@pytest.mark.parametrize("verb", [start_session, complete_session])
def test_a_session_that_has_begun_stays(desk: Desk, verb: object) -> None:
    session = booked(desk)[0]
    now = session.time.starts_at
    arrive_visit(visit=_visit(session), by=desk.reception, now=now)
    verb(session=session, by=desk.reception, now=now)  # type: ignore[operator]
    with pytest.raises(Conflict):
        undo_arrival(visit=_visit(session), by=desk.reception, now=now)
    assert Visit.objects.get(pk=session.visit_id).arrived_at == now


def test_reminders_still_to_come_go_out_after_all(desk: Desk) -> None:
    session = booked(desk)[-1]
    visit = _visit(session)
    waiting = _reminders(visit, Message.Status.PENDING)
    assert waiting
    arrive_visit(visit=visit, by=desk.reception, now=desk.now)
    assert _reminders(visit, Message.Status.PENDING) == 0
    undo_arrival(visit=visit, by=desk.reception, now=desk.now)
    assert _reminders(visit, Message.Status.PENDING) == waiting


def test_reminders_whose_time_has_passed_do_not(desk: Desk) -> None:
    session = booked(desk)[-1]
    visit = _visit(session)
    arrive_visit(visit=visit, by=desk.reception, now=desk.now)
    undo_arrival(visit=visit, by=desk.reception, now=session.time.starts_at)
    assert _reminders(visit, Message.Status.PENDING) == 0


def test_an_absence_recorded_meanwhile_covers_it_again(desk: Desk) -> None:
    session = booked(desk)[0]
    now = session.time.starts_at - dt.timedelta(minutes=30)
    arrive_visit(visit=_visit(session), by=desk.reception, now=now)
    for therapist in (desk.anna, desk.boris):
        record_absence(
            therapist=therapist, kind=Absence.Kind.SICK, starts_at=now, ends_at=None, by=desk.reception, now=now
        )
    assert not reread(session.course)[0].to_replace
    undo_arrival(visit=_visit(session), by=desk.reception, now=now)
    assert reread(session.course)[0].to_replace
    assert Task.objects.filter(kind=Task.Kind.TO_REPLACE, subject=f"session:{session.pk}", done_at=None).exists()
