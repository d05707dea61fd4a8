"""Is this a repair problem at all?  One flaw per field, before any solving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from courses.planning.types import SLOTS_PER_DAY, Flaw, ProblemError

from .types import RepairCourse, RepairProblem


def require_valid(problem: RepairProblem) -> None:
    """Raises ProblemError with every flaw of the problem."""
    flaws = tuple(find_flaws(problem))
    if flaws:
        raise ProblemError(flaws)


def find_flaws(problem: RepairProblem) -> Iterator[Flaw]:
    for key, count in Counter(c.request.key for c in problem.courses).items():
        if count > 1:
            yield Flaw(key, "key", "not_unique")
    for resource, places in problem.resources.items():
        lengths = {len(m) for m in (places.works, places.present, *places.layers)}
        if lengths != {problem.horizon.days}:
            yield Flaw(None, f"resources.{resource}", "wrong_length")
    for course in problem.courses:
        yield from _course_flaws(problem, course)


def _course_flaws(problem: RepairProblem, course: RepairCourse) -> Iterator[Flaw]:
    request = course.request
    days = problem.horizon.days

    def flaw(field: str, code: str) -> Flaw:
        return Flaw(request.key, field, code)

    patient = problem.patients.get(course.patient)
    if patient is None:
        yield flaw("patient", "unknown")
    elif len(patient.free) != days:
        yield flaw("patient", "wrong_length")
    if not 0 < request.slots <= SLOTS_PER_DAY:
        yield flaw("slots", "not_positive" if request.slots <= 0 else "too_long")
    yield from _rhythm_flaws(course, days)
    keys = Counter(s.key for s in (*course.lost, *course.movable))
    if any(count > 1 for count in keys.values()):
        yield flaw("lost", "not_unique")
    named = {
        "therapists": [o.therapist for o in request.therapists]
        + [o.hands for o in request.therapists if o.hands is not None],
        "rooms": [r.room for r in request.rooms] + [d for r in request.rooms for d in r.devices],
    }
    for field, ids in named.items():
        if any(resource not in problem.resources for resource in ids):
            yield flaw(field, "unknown")


def _rhythm_flaws(course: RepairCourse, days: int) -> Iterator[Flaw]:
    request = course.request

    def flaw(field: str, code: str) -> Flaw:
        return Flaw(request.key, field, code)

    if request.gap_min < 1:
        yield flaw("gap_min", "not_positive")
    if request.gap_max is not None and request.gap_max < request.gap_min:
        yield flaw("gap_max", "below_gap_min")
    if request.per_week is not None and request.per_week < 1:
        yield flaw("per_week", "not_positive")
    if any(not 0 <= d < days for d in (*request.done_days, *(p.day for p in request.pinned))):
        yield flaw("pinned", "outside_horizon")
    if any(not 0 <= s.day < days for s in course.movable):
        yield flaw("movable", "outside_horizon")
