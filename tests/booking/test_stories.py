"""Whatever happens to two courses in whatever order: nothing owed is lost, and all that tells of a time agrees."""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress

from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clinic.errors import DomainError
from clinic.models import Reservation, Task
from courses.booking import attendance
from courses.booking.bookings import book_plan
from courses.booking.cancelling import cancel_session, cancel_visit
from courses.booking.holds import hold_plan, release_hold, renew_hold
from courses.booking.lifecycle import pause_course, pin_session, replan_course, resume_course
from courses.booking.models import Course, Plan, Session, Visit
from courses.booking.moves import free_starts, move_session
from courses.booking.proposals import propose_plan
from courses.booking.transitions import DONE, LIVE, PLACED, PLANNED, Status
from courses.groups.models import GroupClass
from notifications.models import Message
from tests import factories
from tests.booking.conftest import Desk

VERBS = [
    *("propose", "hold", "book", "book_anew", "book_anew", "hold_anew", "hold_anew", "keep", "let_go", "wait"),
    *("move", "place", "cancel", "cancel_visit", "pause", "resume_and_book", "replan", "replan_and_book", "pin"),
    *("confirm", "attend", "attend", "attend_visit", "break_off", "send_home", "miss"),
]
MISSED = {Status.NO_SHOW, Status.NOT_TREATED}


class Story:
    """One patient with a course of massages and one in a class, and what people do with them."""

    def __init__(self, desk: Desk, group: GroupClass) -> None:
        self.desk, self.now, self.by = desk, desk.now, desk.reception
        self.patient = factories.PatientFactory()
        massage = desk.course(sessions=4, patient=self.patient, done_before=1)
        gymnastics = factories.CourseFactory(
            clinic=desk.clinic,
            procedure=group.procedure,
            patient=self.patient,
            sessions_total=3,
            sessions=True,
            start_from=factories.MONDAY,
        )
        self.courses = [massage.pk, gymnastics.pk]
        self.plan: Plan | None = None
        self.told: dict[str, tuple[int, dt.datetime, dt.datetime]] = {}

    def tell(self, verb: str, which: int) -> None:
        with suppress(DomainError):  # a refusal changes nothing, and the check that follows holds it to that
            getattr(self, verb)(which)

    # --- What people do ---------------------------------------------------------------------------------------------

    def propose(self, which: int) -> None:
        courses = self._courses()
        wanted = [courses, courses[:1], courses[1:]][which % 3]
        self.plan = propose_plan(courses=wanted, by=self.by, now=self.now)

    def hold(self, which: int) -> None:
        self.plan = hold_plan(plan=self._stored_plan(), by=self.by, now=self.now)

    def keep(self, which: int) -> None:
        renew_hold(plan=self._stored_plan(), by=self.by, now=self.now)

    def let_go(self, which: int) -> None:
        release_hold(plan=self._stored_plan(), by=self.by, now=self.now)

    def book(self, which: int) -> None:
        book_plan(plan=self._stored_plan(), by=self.by, now=self.now)

    def book_anew(self, which: int) -> None:
        self.propose(which)
        self.book(which)

    def hold_anew(self, which: int) -> None:
        self.propose(which)
        self.hold(which)

    def wait(self, which: int) -> None:
        self.now += dt.timedelta(minutes=[1, 6, 11][which % 3])

    def move(self, which: int) -> None:
        self._move(self._pick(which, PLANNED), which)

    def place(self, which: int) -> None:
        self._move(self._pick(which, {Status.UNPLACED}), which)

    def cancel(self, which: int) -> None:
        session = self._pick(which, PLACED)
        cancel_session(session=session, by=self.by, now=self.now, by_clinic=which % 5 == 0)

    def cancel_visit(self, which: int) -> None:
        cancel_visit(visit=self._visit(which), by=self.by, now=self.now)

    def pause(self, which: int) -> None:
        pause_course(course=self._course(which), until=None, by=self.by, now=self.now)

    def resume_and_book(self, which: int) -> None:
        resume_course(course=self._course(which), by=self.by, now=self.now)
        self.book_anew(which + 1)

    def replan(self, which: int) -> None:
        tomorrow = self.desk.clinic.local_date(self.now) + dt.timedelta(days=1 + which % 4)
        wishes = {"start_from": max(tomorrow, factories.MONDAY).isoformat()}
        self.plan = replan_course(course=self._course(which), by=self.by, now=self.now, wishes=wishes)

    def replan_and_book(self, which: int) -> None:
        self.replan(which)
        self.book(which)

    def pin(self, which: int) -> None:
        pin_session(session=self._pick(which, PLANNED), pinned=which % 2 == 0, by=self.by, now=self.now)

    def confirm(self, which: int) -> None:
        attendance.confirm_session(session=self._pick(which, PLANNED), by=self.by, now=self.now)

    def attend(self, which: int) -> None:
        session = self._next_session()
        if which % 3:
            attendance.arrive_session(session=session, by=self.by, now=self.now)
        if which % 2:
            attendance.start_session(session=session, by=self.by, now=self.now)
        attendance.complete_session(session=session, by=self.by, now=self.now)

    def attend_visit(self, which: int) -> None:
        for session in attendance.arrive_visit(visit=self._next_session().visit, by=self.by, now=self.now):
            attendance.complete_session(session=session, by=self.by, now=self.now)

    def break_off(self, which: int) -> None:
        session = attendance.start_session(session=self._next_session(), by=self.by, now=self.now)
        attendance.stop_session_early(session=session, reason="dizzy", by=self.by, now=self.now)

    def send_home(self, which: int) -> None:
        session = attendance.arrive_session(session=self._next_session(), by=self.by, now=self.now)
        attendance.mark_not_treated(session=session, reason="fever", by=self.by, now=self.now)

    def miss(self, which: int) -> None:
        attendance.mark_no_show(session=self._next_session(), by=self.by, now=self.now)

    def _move(self, session: Session, which: int) -> None:
        first = max(self.desk.clinic.local_date(self.now), factories.MONDAY)
        starts = free_starts(session=session, first_day=first, days=12, now=self.now)
        if not starts:
            raise DomainError
        start = starts[(which * 7) % len(starts)]
        moved = move_session(session=session, starts_at=start.starts_at, by=self.by, now=self.now)
        assert moved.time.starts_at == start.starts_at

    # --- What there is ----------------------------------------------------------------------------------------------

    def _courses(self) -> list[Course]:
        rows = Course.objects.select_related("clinic", "patient", "procedure", "programme")
        return list(rows.filter(pk__in=self.courses).order_by("pk"))

    def _course(self, which: int) -> Course:
        return self._courses()[which % 2]

    def _stored_plan(self) -> Plan:
        if self.plan is None:
            raise DomainError
        return Plan.objects.select_related("clinic", "patient").get(pk=self.plan.pk)

    def _sessions(self, statuses: object = LIVE) -> list[Session]:
        rows = Session.objects.filter(course__in=self.courses, status__in=statuses)
        return list(
            rows.select_related(
                "course__clinic", "course__patient", "course__procedure", "course__programme", "appointment", "visit"
            ).order_by("pk")
        )

    def _pick(self, which: int, statuses: object) -> Session:
        found = self._sessions(statuses)
        if not found:
            raise DomainError
        return found[which % len(found)]

    def _next_session(self) -> Session:
        """The earliest that nobody has accounted for; it is its time by then."""
        session = min(self._sessions(PLANNED), key=lambda session: session.time.starts_at, default=None)
        if session is None:
            raise DomainError
        self.now = max(self.now, session.time.starts_at + dt.timedelta(minutes=5))
        return session

    def _visit(self, which: int) -> Visit:
        found = list(Visit.objects.filter(patient=self.patient, live=True).order_by("starts_at"))
        if not found:
            raise DomainError
        return found[which % len(found)]

    # --- What must hold ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        sessions = self._sessions(list(Status))
        placed = [s for s in sessions if s.status in PLACED]
        for course in self._courses():
            own = [s for s in sessions if s.course_id == course.pk]
            live = sorted(s.number for s in own if s.status in LIVE)
            assert live == list(range(course.done_before + 1, course.sessions_total + 1))
            is_done = all(s.status in DONE for s in own if s.status in LIVE)
            assert (course.status == Course.Status.FINISHED) == is_done
        self._check_places(sessions, placed)
        self._check_visits(sessions, placed)
        self._check_messages()
        assert not Task.objects.filter(patient=self.patient).exists()
        assert not any(s.to_replace for s in sessions)

    def _check_places(self, sessions: list[Session], placed: list[Session]) -> None:
        taken = {r.appointment_id: r for r in Reservation.objects.filter(resource=self.patient.pk, live=True)}
        assert set(taken) == {s.appointment_id for s in placed}
        assert len(taken) == len(placed)
        for session in placed:
            own = taken[session.appointment_id]
            assert session.time.live
            assert own.starts_at <= session.time.starts_at < session.time.ends_at <= own.ends_at
            assert (own.held_until is not None) == (session.status == Status.HELD)
            assert (session.seat is not None) == session.course.procedure.is_group
        for session in sessions:
            if session.status not in PLACED and session.appointment is not None:
                assert session.time.seats or not session.time.live
            if session.status == Status.UNPLACED:
                assert session.appointment is None
                assert session.visit is None

    def _check_visits(self, sessions: list[Session], placed: list[Session]) -> None:
        standing = [s for s in placed if s.status != Status.HELD]
        visits = {v.pk: v for v in Visit.objects.filter(patient=self.patient)}
        for session in standing:
            visit = visits[session.visit_id]
            assert visit.live
            assert visit.date == self.desk.clinic.local_date(session.time.starts_at)
        for visit in visits.values():
            own = [s for s in standing if s.visit_id == visit.pk]
            missed = [s for s in sessions if s.visit_id == visit.pk and s.status in MISSED]
            if not visit.live:
                assert not own
            elif own and not missed:
                assert visit.starts_at == min(s.time.starts_at for s in own)
                assert visit.ends_at == max(s.time.ends_at for s in own)
            else:
                assert missed
                assert all(visit.starts_at <= s.time.starts_at and s.time.ends_at <= visit.ends_at for s in own)
            sequence, starts_at, ends_at = self.told.get(visit.uid, (-1, visit.starts_at, visit.ends_at))
            assert visit.sequence >= sequence
            assert visit.sequence > sequence or (starts_at, ends_at) == (visit.starts_at, visit.ends_at)
            self.told[visit.uid] = (visit.sequence, visit.starts_at, visit.ends_at)

    def _check_messages(self) -> None:
        visits = {v.uid: v for v in Visit.objects.filter(patient=self.patient)}
        for message in Message.objects.filter(patient=self.patient, status__in=Message.UNSENT):
            for uid, told in message.visits_by_uid().items():
                visit = visits[uid]
                if message.kind == Message.Kind.CANCELLATION:
                    assert not visit.live
                    continue
                assert visit.live
                assert (told.starts_at, told.ends_at) == (visit.starts_at, visit.ends_at)
                if message.kind == Message.Kind.REMINDER:
                    assert visit.sessions.filter(status__in=PLANNED).exists()


def tell_stories(desk: Desk, group: GroupClass) -> Callable[[], None]:
    @settings(
        max_examples=6,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        steps=st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 30)), min_size=14, max_size=20),
    )
    def tell(steps: list[tuple[str, int]]) -> None:
        story = Story(desk, group)
        for verb, which in steps:
            story.tell(verb, which)
            story.check()
        for which in (0, 1):  # the next patient finds the clinic empty again
            story.tell("let_go", which)
            story.tell("pause", which)

    return tell


def test_nothing_owed_is_lost_and_everything_that_tells_of_a_time_agrees(desk: Desk) -> None:
    group = factories.GroupClassFactory(clinic=desk.clinic, capacity=2)
    for day in range(0, 28, 7):
        for weekday in (0, 2, 4):
            with transaction.atomic():  # a meeting and its reservations are held to each other at commit
                factories.class_meeting(group, date=factories.MONDAY + dt.timedelta(days=day + weekday))
    tell_stories(desk, group)()
