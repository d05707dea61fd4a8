"""Concessions: give up one must, solve again, and say what it brings; pairs where one is not enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from .costing import by_day
from .ground import Ground
from .programme import solve_one
from .solving import plan
from .types import (
    Budget,
    Change,
    Concession,
    CourseExplanation,
    CourseRequest,
    Key,
    Plan,
    Problem,
    Profile,
    Relaxation,
    Strength,
)

MOST_SOLVES, MOST_JOINT_SOLVES = 80, 24  # groups of changes tried: for one course, for several
MOST_SHOWN = 6
ONLY_FINISH = Profile(
    name="only_finish",
    visit=0,
    finish=1,
    wait=0,
    arrival=0,
    gap=0,
    hole=0,
    stub=0,
    window=0,
    window_missed=0,
    weekday=0,
    therapist=0,
    language=0,
    extra_therapist_factor=0,
    combined_visit=0,
    moved=0,
    moved_day=0,
    moved_time=0,
    moved_therapist=0,
)
QUICK = Budget(steps=12)

# How much is given up: changing the hour is less than changing the person, that less than waiting a month.
SIZES = {
    Relaxation.WINDOW: 4,
    Relaxation.WEEKDAYS: 4,
    Relaxation.LANGUAGE: 5,
    Relaxation.GAP: 5,
    Relaxation.WEEKLY: 5,
    Relaxation.THERAPIST: 6,
    Relaxation.FINISH: 4,
    Relaxation.GENDER: 12,
    Relaxation.FEWER: 14,
}


@dataclass(frozen=True, slots=True)
class _Ease:
    """One change to try: the course as it would be asked for then."""

    change: Relaxation
    course: CourseRequest
    size: int


def find_concessions(problem: Problem, explained: tuple[CourseExplanation, ...]) -> tuple[Concession, ...]:
    """The smallest sets of changes that open a plan, each solved, best first; () if none of those tried does.

    explained: the courses of the problem; only those that do not fit alone are changed, all of them if each fits alone.
    """
    stuck = {e.course for e in explained if not e.alone} or {e.course for e in explained}
    most = {e.course: e.most_sessions for e in explained}
    eases = [e for c in problem.courses if c.key in stuck for e in _eases(problem, c, most_sessions=most[c.key])]
    found: list[tuple[int, Concession]] = []
    solves = 0
    most_solves = MOST_SOLVES if len(problem.courses) == 1 else MOST_JOINT_SOLVES
    for count in (1, 2):
        for group in combinations(eases, count):
            if count > 1 and not _belong_together(group, stuck, alone=all(e.alone for e in explained)):
                continue
            if solves >= most_solves:
                break
            eased = _apply(problem, group)
            if not all(_fits_alone(eased, c) for c in eased.courses):
                continue
            solves += 1
            concession = _try(problem, eased, group)
            if concession is not None:
                found.append((_size(problem, group, concession), concession))
        if found:
            break
    found.sort(key=lambda pair: (pair[0], pair[1].last_day, pair[1].plan.cost))
    return tuple(concession for _, concession in found[:MOST_SHOWN])


def _belong_together(group: tuple[_Ease, ...], stuck: set[Key], *, alone: bool) -> bool:
    """Two changes of different kinds of one course, or one for each of two courses that are stuck."""
    keys = {e.course.key for e in group}
    if len(keys) == 1:
        return len({e.change for e in group}) == len(group) and (len(stuck) == 1 or alone)
    return True


def _eases(problem: Problem, course: CourseRequest, *, most_sessions: int) -> Iterator[_Ease]:
    def ease(change: Relaxation, **fields: object) -> _Ease:
        return _Ease(change, replace(course, **fields), SIZES[change])  # type: ignore[arg-type]

    if course.window is not None and course.window_strength is Strength.MUST:
        yield ease(Relaxation.WINDOW, window_strength=Strength.WISH)
    if course.weekdays and course.weekdays_strength is Strength.MUST:
        yield ease(Relaxation.WEEKDAYS, weekdays_strength=Strength.WISH)
    if course.languages and course.language_strength is Strength.MUST:
        yield ease(Relaxation.LANGUAGE, language_strength=Strength.WISH)
    if course.preferred_therapist is not None and course.therapist_strength is Strength.MUST:
        yield ease(Relaxation.THERAPIST, therapist_strength=Strength.WISH)
    if course.gender:
        yield ease(Relaxation.GENDER, gender="")
    if course.series is None:
        if course.gap_max is not None and course.sessions > 1:
            yield ease(Relaxation.GAP, gap_max=course.gap_max + 1)
        if course.per_week is not None and course.per_week < 6 and course.sessions > 1:
            yield ease(Relaxation.WEEKLY, per_week=course.per_week + 1)
    last = problem.horizon.days - 1
    if course.finish_day is not None and course.finish_day < last:
        yield ease(Relaxation.FINISH, finish_day=last)
    if 0 < most_sessions < course.sessions:
        yield ease(Relaxation.FEWER, sessions=most_sessions)


def _apply(problem: Problem, group: tuple[_Ease, ...]) -> Problem:
    courses = {c.key: c for c in problem.courses}
    for ease in group:
        courses[ease.course.key] = _merge(courses[ease.course.key], ease)
    return replace(problem, courses=tuple(courses[c.key] for c in problem.courses))


def _fits_alone(problem: Problem, course: CourseRequest) -> bool:
    return solve_one(Ground(problem), course) is not None


def _try(problem: Problem, eased: Problem, group: tuple[_Ease, ...]) -> Concession | None:
    """The eased problem solved, a later finish cut to the earliest that does."""
    if any(e.change is Relaxation.FINISH for e in group):
        tightened = _tighten(eased, {e.course.key for e in group if e.change is Relaxation.FINISH}, problem)
        if tightened is None:
            return None
        eased = tightened
    found = plan(eased, budget=QUICK)
    if not isinstance(found, Plan):
        return None
    final = {c.key: c for c in eased.courses}
    changes = tuple(Change(e.course.key, e.change, _params(e, final[e.course.key], found)) for e in group)
    days = list(by_day(found.sessions))
    return Concession(changes, found, days[0], days[-1])


def _merge(course: CourseRequest, ease: _Ease) -> CourseRequest:
    """The course with the field that the change is about taken from it."""
    fields = {
        Relaxation.WINDOW: "window_strength",
        Relaxation.WEEKDAYS: "weekdays_strength",
        Relaxation.LANGUAGE: "language_strength",
        Relaxation.THERAPIST: "therapist_strength",
        Relaxation.GENDER: "gender",
        Relaxation.GAP: "gap_max",
        Relaxation.WEEKLY: "per_week",
        Relaxation.FINISH: "finish_day",
        Relaxation.FEWER: "sessions",
    }
    name = fields[ease.change]
    return replace(course, **{name: getattr(ease.course, name)})


def _tighten(eased: Problem, keys: set[Key], asked: Problem) -> Problem | None:
    """The earliest finish at which each of these courses fits, moved on where the courses together need more."""
    wanted = {c.key: c.finish_day or 0 for c in asked.courses}
    last = eased.horizon.days - 1
    ends: dict[Key, int] = {}
    for course in eased.courses:
        if course.key not in keys:
            continue
        simple = replace(eased, profile=ONLY_FINISH, courses=(course,))
        solution = solve_one(Ground(simple), course)
        if solution is None:
            return None
        ends[course.key] = max(s.day for s in solution.sessions)

    def moved(later: int) -> Problem:
        courses = tuple(
            replace(c, finish_day=max(min(ends[c.key] + later, last), wanted[c.key])) if c.key in ends else c
            for c in eased.courses
        )
        return replace(eased, courses=courses)

    if len(eased.courses) == 1 or _has_plan(moved(0)):
        return moved(0)
    low, high = 0, last - min(ends.values())
    if not _has_plan(moved(high)):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _has_plan(moved(middle)) else (middle, high)
    return moved(high)


def _has_plan(problem: Problem) -> bool:
    return isinstance(plan(problem, budget=QUICK), Plan)


def _params(ease: _Ease, course: CourseRequest, found: Plan) -> dict[str, object]:
    own = [s for s in found.sessions if s.course == course.key]
    if ease.change is Relaxation.GAP:
        return {"gap_max": course.gap_max}
    if ease.change is Relaxation.WEEKLY:
        return {"per_week": course.per_week}
    if ease.change is Relaxation.FINISH:
        return {"finish_day": course.finish_day}
    if ease.change is Relaxation.FEWER:
        return {"sessions": course.sessions}
    if ease.change in {Relaxation.THERAPIST, Relaxation.GENDER, Relaxation.LANGUAGE}:
        return {"therapists": tuple(sorted({s.therapist for s in own if s.therapist is not None}))}
    return {}


def _size(problem: Problem, group: tuple[_Ease, ...], concession: Concession) -> int:
    """How much the group gives up: its families, days of delay, sessions given up."""
    wanted = {c.key: c for c in problem.courses}
    size = sum(e.size for e in group)
    for change in concession.changes:
        asked = wanted[change.course]
        if change.relaxation is Relaxation.FINISH and asked.finish_day is not None:
            size += (int(str(change.params["finish_day"])) - asked.finish_day) // 3
        if change.relaxation is Relaxation.FEWER:
            size += asked.sessions - int(str(change.params["sessions"]))
    return size
