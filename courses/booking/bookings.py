"""Booking a plan: all of it or none of it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

from django.db import connection
from django.utils.translation import gettext_lazy as _

from clinic.errors import Conflict, PlaceTaken
from clinic.locking import writing
from clinic.models import Reservation, User
from courses.booking.fresh import with_fresh_plan
from courses.booking.holds import again_without_expired_holds, release_hold
from courses.booking.lifecycle import activate_locked
from courses.booking.models import Course, Plan, Session, Visit
from courses.booking.placing import (
    Placement,
    lock_for,
    lock_sessions,
    place,
    require_ahead,
    require_current,
    require_open,
)
from courses.booking.transitions import ENDED, PLANNED, Status
from courses.booking.visits import Announcement, extend_visits, regroup_visits


def book_plan(*, plan: Plan, by: User | None, now: dt.datetime) -> Plan:
    """Book a proposed or held plan, tell the patient, and return it. Raises

    PlaceTaken, with the lost items and a fresh plan, where a time has gone meanwhile; Conflict where the plan is not
    open any more or a course has no signed referral though its procedure asks for one. Then nothing was written.
    """
    with with_fresh_plan(plan, by=by, now=now):
        try:
            book_as_planned(plan=plan, now=now)
        except PlaceTaken:
            _let_go(plan, by=by, now=now)
            raise
    return plan


def book_as_planned(*, plan: Plan, now: dt.datetime) -> Plan:
    """`book_plan` without another plan for those who lose the race, for whom nobody is there to look at one."""
    again_without_expired_holds(lambda: _book(plan, now=now), now=now)
    return plan


def _let_go(plan: Plan, *, by: User | None, now: dt.datetime) -> None:
    """What a hold still keeps must not stand in the way of the fresh plan that takes its place."""
    if plan.status == Plan.Status.HELD:
        with suppress(Conflict):
            release_hold(plan=plan, by=by, now=now)


def _book(plan: Plan, *, now: dt.datetime) -> None:
    with writing():
        sessions = lock_sessions(
            [item["session"] for item in plan.items], courses={item["course"] for item in plan.items}
        )
        _require_open(plan, sessions.values())
        _activate(sessions.values(), now=now)
        if plan.status == Plan.Status.HELD:
            _book_held(plan, sessions, now=now)
        else:
            _book_proposed(plan, sessions, now=now)


def _require_open(plan: Plan, sessions: Collection[Session]) -> None:
    """`plan` may be as old as the request: its sessions, read under lock, and `_finish` tell what became of it."""
    held = plan.status == Plan.Status.HELD
    if plan.status not in (Plan.Status.PROPOSED, Plan.Status.HELD) or not plan.items:
        raise Conflict(_("This plan is not open any more."), code="plan_not_open")
    moving = set(plan.request.get("moving", []))
    for session in sessions:
        allowed = {Status.HELD} if held else {Status.UNPLACED}
        if session.pk in moving:
            allowed = set(PLANNED) | {Status.UNPLACED}
        if session.status not in allowed or (held and session.plan_id != plan.pk):
            if held:
                raise Conflict(_("Hold expired, nothing booked. Find times again."), code="hold_expired")
            if session.status in ENDED:
                raise Conflict(code="changed_meanwhile")
            raise Conflict(_("Some of these sessions have a time already."), code="session_has_time")


def _activate(sessions: Collection[Session], *, now: dt.datetime) -> None:
    courses = {s.course_id: s.course for s in sessions}
    require_open(courses.values())
    for course in courses.values():
        if course.status == Course.Status.DRAFT:
            activate_locked(course, now=now)


def _book_held(plan: Plan, sessions: dict[int, Session], *, now: dt.datetime) -> None:
    placements = [Placement.parse(item, sessions[item["session"]]) for item in plan.items]
    require_ahead(placements, now=now)
    lock_for([], freeing=list(sessions.values()))
    gone = Session.objects.filter(pk__in=sessions, to_replace=True).values_list("pk", flat=True)
    if taken := sorted(gone):
        # An absence was recorded over the hold: it is told now rather than booked and moved later.
        raise PlaceTaken(code="plan_stale", details={"taken": taken})
    visits = extend_visits(
        clinic=plan.clinic, patient=plan.patient, spans=[(p.start, p.end) for p in placements], now=now
    )
    treatments = [s.appointment_id for s in sessions.values() if s.appointment_id and s.seat is None]
    meetings = [s.appointment_id for s in sessions.values() if s.appointment_id and s.seat is not None]
    kept = Reservation.objects.filter(appointment_id__in=treatments, live=True).update(held_until=None)
    if meetings:
        own = Reservation.objects.filter(appointment_id__in=meetings, resource_id=plan.patient_id, live=True)
        kept += own.update(held_until=None)
    by_visit: dict[int, list[int]] = {}
    for placement in placements:
        visit = visits[plan.clinic.local_date(placement.start)]
        by_visit.setdefault(visit.pk, []).append(placement.session.pk)
    if not kept or _confirm_sessions(plan, by_visit) != len(placements):
        raise PlaceTaken(code="hold_expired")
    _finish(plan, visits.values(), now=now)


def _confirm_sessions(plan: Plan, by_visit: dict[int, list[int]]) -> int:
    """Turn held sessions into booked ones with their visits, in one statement. Returns how many there were."""
    pairs = [(pk, visit) for visit, pks in by_visit.items() for pk in pks]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE courses_session s SET status = %s, held_until = NULL, visit_id = new.visit, version = version + 1 "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS new(session, visit) "
            "WHERE s.id = new.session AND s.status = %s AND s.plan_id = %s",
            [str(Status.BOOKED), [p[0] for p in pairs], [p[1] for p in pairs], str(Status.HELD), plan.pk],
        )
        return int(cursor.rowcount)


def _book_proposed(plan: Plan, sessions: dict[int, Session], *, now: dt.datetime) -> None:
    placements = [Placement.parse(item, sessions[item["session"]]) for item in plan.items]
    require_ahead(placements, now=now)
    if any(p.session.appointment_id is not None for p in placements):
        placements = _that_differ(placements)
    moving = [p.session for p in placements if p.session.appointment_id is not None]
    resources = lock_for(placements, freeing=moving)
    require_current(plan.versions, resources)
    spans = [(p.start, p.end) for p in placements]
    if moving:
        dates = {plan.clinic.local_date(start) for start, _end in spans}
        dates |= {plan.clinic.local_date(s.time.starts_at) for s in moving}
        place(
            placements,
            clinic=plan.clinic,
            resources=resources,
            status=Status.BOOKED,
            plan_id=plan.pk,
            now=now,
            visits=None,
        )
        changed = regroup_visits(clinic=plan.clinic, patient=plan.patient, dates=dates, now=now)
        _finish(plan, changed, now=now)
        return
    visits = extend_visits(clinic=plan.clinic, patient=plan.patient, spans=spans, now=now)
    place(
        placements,
        clinic=plan.clinic,
        resources=resources,
        status=Status.BOOKED,
        plan_id=plan.pk,
        now=now,
        visits={date: visit.pk for date, visit in visits.items()},
    )
    _finish(plan, visits.values(), now=now)


def _that_differ(placements: Sequence[Placement]) -> list[Placement]:
    """Without those sessions that a new plan leaves where they are: confirmed they stay confirmed."""
    stands: dict[int, set[tuple[int, dt.datetime, dt.datetime]]] = defaultdict(set)
    booked = [p.session.appointment_id for p in placements if p.session.appointment_id is not None]
    for taken in Reservation.objects.filter(appointment_id__in=booked, live=True):
        stands[taken.appointment_id].add((taken.resource_id, taken.starts_at, taken.ends_at))

    def stays(placement: Placement) -> bool:
        appointment = placement.session.appointment_id
        if appointment is None or placement.meeting is not None:
            return appointment is not None and appointment == placement.meeting
        return stands[appointment] == set(placement.takes)

    return [placement for placement in placements if not stays(placement)]


def _finish(plan: Plan, visits: Iterable[Visit], *, now: dt.datetime) -> None:
    # Guarded: a plan that moves booked sessions could otherwise be booked twice by two requests that read it before.
    still_open = Plan.objects.filter(pk=plan.pk, status__in=[Plan.Status.PROPOSED, Plan.Status.HELD])
    if not still_open.update(status=Plan.Status.BOOKED, held_until=None, booked_at=now):
        raise Conflict(_("This plan is not open any more."), code="plan_not_open")
    plan.status, plan.held_until, plan.booked_at = Plan.Status.BOOKED, None, now
    Announcement(plan.clinic, plan.patient, now).tell(visits, summary_key=f"plan:{plan.pk}")
