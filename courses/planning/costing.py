"""The cost and the figures of a finished plan, counted from its sessions alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from . import weights
from .types import CourseRequest, GapUnit, PlannedSession, PlanStats, Problem, Strength, TherapistOption
from .weights import ANCHORS, QUARTER


def option_of(course: CourseRequest, session: PlannedSession) -> TherapistOption | None:
    """The therapist option, or the class's instructor, behind a session."""
    for series in course.series or ():
        if series.series == session.series:
            return series.therapist
    return next((o for o in course.therapists if o.therapist == session.therapist), None)


def gap_between(problem: Problem, course: CourseRequest, earlier: int, later: int) -> int:
    """Days from one session to the next in the course's unit; see `CourseRequest`."""
    if course.gap_unit is GapUnit.CALENDAR:
        return later - earlier
    own = {p.day for p in course.pinned} | set(course.done_days)
    opening = problem.horizon.opening
    return sum(1 for d in range(earlier + 1, later + 1) if opening[d] or d in own)


def by_day(sessions: Iterable[PlannedSession]) -> dict[int, list[PlannedSession]]:
    """Day -> its sessions in time order, days ascending."""
    days: dict[int, list[PlannedSession]] = defaultdict(list)
    for session in sorted(sessions, key=lambda s: (s.day, s.slot)):
        days[session.day].append(session)
    return dict(days)


def wait_of(problem: Problem, day: int, sessions: list[PlannedSession]) -> int:
    """Slots of waiting that the sessions of one day add to it."""
    span = problem.patient.visits.get(day)
    added = 0
    for s in sessions:
        added += weights.wait_added(span, s.slot, s.slot + s.slots)
        old = span or (s.slot, s.slot + s.slots)
        span = (min(old[0], s.slot), max(old[1], s.slot + s.slots))
    return added


def arrival_quarters(problem: Problem, sessions: Iterable[PlannedSession]) -> list[int]:
    """The quarter of the day in which each new visit starts."""
    return [s[0].slot // QUARTER for d, s in by_day(sessions).items() if d not in problem.patient.visits]


def arrival_costs(problem: Problem, sessions: Iterable[PlannedSession]) -> dict[int, int]:
    """What each usual arrival time would cost these sessions."""
    quarters = arrival_quarters(problem, sessions)
    return {a: sum(weights.arrival_cost(problem.profile, quarter=q, anchor=a) for q in quarters) for a in ANCHORS}


def course_cost(problem: Problem, course: CourseRequest, sessions: list[PlannedSession]) -> int:
    """What a course costs by itself: wishes, stubs, gaps, finish and further therapists."""
    profile = problem.profile
    cost = 0
    first = problem.horizon.first_day.weekday()
    for s in sessions:
        option = option_of(course, s)
        cost += weights.window_cost(profile, course, s.slot, s.slots)
        cost += weights.weekday_cost(profile, course, (first + s.day) % 7)
        cost += weights.therapist_cost(profile, course, option)
        cost += profile.stub * _stubs(problem, course, s)
        cost += weights.movement_cost(profile, course, day=s.day, slot=s.slot, therapist=s.therapist)
    days = sorted([s.day for s in sessions] + [p.day for p in course.pinned])
    if days:
        cost += weights.finish_cost(profile, course, days[-1])
    if course.series is not None:
        return cost
    if course.done_days and not course.resuming:
        days.insert(0, max(course.done_days))
    for earlier, later in pairwise(days):
        gap = gap_between(problem, course, earlier, later)
        cost += weights.gap_cost(profile, course, gap=gap, calendar_days=later - earlier)
    used = {s.therapist for s in sessions} | {p.therapist for p in course.pinned}
    used.discard(None)
    return cost + weights.extra_therapist_weight(profile, course) * max(0, len(used) - 1)


def _stubs(problem: Problem, course: CourseRequest, session: PlannedSession) -> int:
    if session.therapist is None or session.meeting is not None:
        return 0
    resource = problem.resources[session.therapist]
    if resource.free_twice is not None:
        return 0
    free = resource.free[session.day]
    start = session.slot - course.therapist_margins.before
    end = session.slot + session.slots + course.therapist_margins.after
    before = 0
    while before < 4 and start - before > 0 and free >> (start - before - 1) & 1:
        before += 1
    after = 0
    while after < 4 and free >> (end + after) & 1:
        after += 1
    return (1 <= before <= 3) + (1 <= after <= 3)


def plan_cost(problem: Problem, sessions: Iterable[PlannedSession]) -> int:
    """The cost of a whole plan at its best arrival time."""
    sessions = list(sessions)
    cost = min(arrival_costs(problem, sessions).values())
    for day, group in by_day(sessions).items():
        cost += problem.profile.wait * wait_of(problem, day, group)
        cost += 0 if day in problem.patient.visits else weights.visit_weight(problem)
    return cost + sum(course_cost(problem, c, [s for s in sessions if s.course == c.key]) for c in problem.courses)


def plan_stats(problem: Problem, sessions: Iterable[PlannedSession], *, combinations: int, rounds: int) -> PlanStats:
    """The figures people compare plans by."""
    sessions = list(sessions)
    days = by_day(sessions)
    costs = arrival_costs(problem, sessions)
    return PlanStats(
        combinations=combinations,
        rounds=rounds,
        visits=len(days),
        wait_slots=sum(wait_of(problem, day, group) for day, group in days.items()),
        therapists=len({s.therapist for s in sessions if s.therapist is not None}),
        broken_wishes=sum(
            broken_wishes(problem, c, [s for s in sessions if s.course == c.key]) for c in problem.courses
        ),
        arrival_slot=min(costs, key=lambda a: (costs[a], a)) if sessions else None,
    )


def broken_wishes(problem: Problem, course: CourseRequest, sessions: list[PlannedSession]) -> int:
    """How many of the course's wishes (part of the day, weekdays, therapist, language) any session breaks."""
    profile = problem.profile
    first = problem.horizon.first_day.weekday()
    broken = 0
    broken += any(weights.window_cost(profile, course, s.slot, s.slots) for s in sessions)
    broken += any(weights.weekday_cost(profile, course, (first + s.day) % 7) for s in sessions)
    options = [option_of(course, s) for s in sessions]
    wished = course.therapist_strength is Strength.WISH and course.preferred_therapist is not None
    broken += wished and any(o is None or o.therapist != course.preferred_therapist for o in options)
    speaks = course.language_strength is Strength.WISH and course.languages
    broken += bool(speaks) and any(o is None or not course.languages & o.languages for o in options)
    return broken
