"""Is this a problem at all?  One flaw per field, before any solving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .rule_validity import find_rule_flaws
from .types import SLOTS_PER_DAY, CourseRequest, Flaw, Problem, ProblemError, Stay, Strength


def require_valid(problem: Problem) -> None:
    """Raises ProblemError with every flaw of the problem."""
    flaws = tuple(find_flaws(problem))
    if flaws:
        raise ProblemError(flaws)


def find_flaws(problem: Problem) -> Iterator[Flaw]:
    """What is wrong with the problem: codes are short nouns, fields those of the types."""
    days = problem.horizon.days
    if not problem.courses:
        yield Flaw(None, "courses", "empty")
    if len(problem.patient.free) != days:
        yield Flaw(None, "patient.free", "wrong_length")
    for key, count in Counter(c.key for c in problem.courses).items():
        if count > 1:
            yield Flaw(key, "key", "not_unique")
    for course in problem.courses:
        yield from _course_flaws(problem, course, days)
    yield from find_rule_flaws(problem)


def _course_flaws(problem: Problem, course: CourseRequest, days: int) -> Iterator[Flaw]:
    def flaw(field: str, code: str) -> Flaw:
        return Flaw(course.key, field, code)

    if course.sessions < 1:
        yield flaw("sessions", "not_positive")
    if not 0 < course.slots <= SLOTS_PER_DAY:
        yield flaw("slots", "not_positive" if course.slots <= 0 else "too_long")
    if course.gap_min < 1:
        yield flaw("gap_min", "not_positive")
    if course.gap_max is not None and course.gap_max < course.gap_min:
        yield flaw("gap_max", "below_gap_min")
    if course.per_week is not None and course.per_week < 1:
        yield flaw("per_week", "not_positive")
    if not 0 <= course.start_day < days:
        yield flaw("start_day", "outside_horizon")
    if course.finish_day is not None and course.finish_day < course.start_day:
        yield flaw("finish_day", "before_start")
    yield from _time_flaws(course, days)
    yield from _change_flaws(course, days)
    yield from _resource_flaws(problem, course, days)


def _time_flaws(course: CourseRequest, days: int) -> Iterator[Flaw]:
    def flaw(field: str, code: str) -> Flaw:
        return Flaw(course.key, field, code)

    if course.window is not None and course.window_strength is not Strength.NONE:
        start, end = course.window
        if not 0 <= start < end <= SLOTS_PER_DAY:
            yield flaw("window", "not_an_interval")
        elif course.series is None and course.window_strength is Strength.MUST and end - start < course.slots:
            yield flaw("window", "shorter_than_session")
    if not course.weekdays <= frozenset(range(7)):
        yield flaw("weekdays", "unknown")
    if any(not 0 <= d < days for d in (*course.done_days, *(p.day for p in course.pinned))):
        yield flaw("pinned", "outside_horizon")
    if len({p.day for p in course.pinned}) < len(course.pinned):
        yield flaw("pinned", "twice_a_day")


def _change_flaws(course: CourseRequest, days: int) -> Iterator[Flaw]:
    def flaw(field: str, code: str) -> Flaw:
        return Flaw(course.key, field, code)

    if any(not 0 <= f.day < days or not 0 <= f.slot < SLOTS_PER_DAY for f in course.former):
        yield flaw("former", "outside_horizon")
    if len({f.day for f in course.former}) < len(course.former):
        yield flaw("former", "twice_a_day")
    elif sum(f.stay is Stay.MUST for f in course.former) > course.sessions:
        yield flaw("former", "more_than_sessions")
    if course.hours is not None:
        start, end = course.hours
        if not 0 <= start < end <= SLOTS_PER_DAY:
            yield flaw("hours", "not_an_interval")
        elif course.series is None and end - start < course.slots:
            yield flaw("hours", "shorter_than_session")


def _resource_flaws(problem: Problem, course: CourseRequest, days: int) -> Iterator[Flaw]:
    named = {"therapists": [o.therapist for o in course.therapists] + [o.hands for o in course.therapists if o.hands]}
    named["rooms"] = [r.room for r in course.rooms] + [d for r in course.rooms for d in r.devices]
    for field, ids in named.items():
        for resource in ids:
            masks = problem.resources.get(resource)
            if masks is None:
                yield Flaw(course.key, field, "unknown")
                break
            if len(masks.free) != days:
                yield Flaw(course.key, field, "wrong_length")
                break
