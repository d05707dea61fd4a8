"""Why a session has no place: the first filter after which no start is left."""

from __future__ import annotations

from functools import reduce
from operator import or_

from courses.planning import masks, weights
from courses.planning.types import SLOTS_PER_DAY, CourseRequest, Masks, Strength, TherapistOption

from .rhythm import Rhythm
from .starts import Calendar
from .types import BookedSession, Obstacle, RepairCourse, RepairProblem


def find_obstacle(
    problem: RepairProblem,
    course: RepairCourse,
    *,
    calendar: Calendar | None = None,
    at: BookedSession | None = None,
    therapist: int | None = None,
) -> tuple[Obstacle | None, dict[str, object]]:
    """What keeps one session of the course from being placed alone, with what to say it with; None where nothing does.

    at: only that day and slot; therapist: only this one.
    """
    request = course.request
    calendar = calendar or Calendar(problem)
    days = _days(problem, course)
    if at is not None:
        days = [d for d in days if d == at.day]
    if request.series is not None:
        return _in_classes(problem, course, days, at)
    options = [o for o in request.therapists if therapist is None or o.therapist == therapist]
    accepted = [o for o in options if weights.accepts(request, o)]
    params: dict[str, object] = {"therapists": tuple(o.therapist for o in accepted or options), "days": len(days)}
    wanted = calendar.bits_of_days(days, _hours(request, at))
    obstacle: Obstacle | None = None
    if request.needs_therapist and not options:
        obstacle = Obstacle.NOT_QUALIFIED
    elif request.needs_therapist and not accepted:
        obstacle = Obstacle.AGAINST_MUST
    elif not days:
        obstacle = Obstacle.NO_DAY
    elif request.needs_therapist:
        obstacle, wanted = _among_therapists(calendar, request, accepted, days, wanted)
    return obstacle or _besides_therapists(calendar, course, wanted), params


def _among_therapists(
    calendar: Calendar, request: CourseRequest, accepted: list[TherapistOption], days: list[int], wanted: int
) -> tuple[Obstacle | None, int]:
    """What is in the way among the therapists; the starts they leave."""
    valid = [o for o in accepted if o.valid_days is None or any(o.valid_days >> d & 1 for d in days)]
    if not valid:
        return Obstacle.NOT_QUALIFIED, 0
    resources = calendar.problem.resources
    left = wanted
    for obstacle, starts in (
        (Obstacle.OFF_SHIFT, [_present(calendar, resources[o.therapist].works, request, o) for o in valid]),
        (Obstacle.ABSENT, [_present(calendar, resources[o.therapist].present, request, o) for o in valid]),
        (Obstacle.THERAPIST_BUSY, [calendar.therapist_starts(request, o) for o in valid]),
    ):
        left = wanted & reduce(or_, starts, 0)
        if not left:
            return obstacle, 0
    return None, left


def _besides_therapists(calendar: Calendar, course: RepairCourse, wanted: int) -> Obstacle | None:
    request = course.request
    if request.needs_room:
        rooms = (calendar.starts(r.room, request.slots, request.room_margins) for r in request.rooms)
        if not wanted & reduce(or_, rooms, 0):
            return Obstacle.NO_ROOM
        wanted &= calendar.room_starts(request)
        if not wanted:
            return Obstacle.NO_DEVICE
    rest = request.patient_margins
    free = masks.join_days(calendar.problem.patients[course.patient].free)
    if not wanted & masks.starts_for(free, request.slots, rest.before, rest.after):
        return Obstacle.PATIENT_BUSY
    return None


def _days(problem: RepairProblem, course: RepairCourse) -> list[int]:
    booked, barred = problem.patients[course.patient].booked, course.request.not_same_day_with
    usable = Rhythm(problem.horizon, course.request).usable_days()
    return [d for d in usable if not booked.get(d, frozenset()) & barred]


def _hours(request: CourseRequest, at: BookedSession | None, slots: int | None = None) -> int:
    """Mask of one day: starts within hours that are a must, at the given one only."""
    first, end = 0, SLOTS_PER_DAY
    if request.window is not None and request.window_strength is Strength.MUST:
        first, end = request.window
    mask = masks.interval(0, first, end - (slots or request.slots) + 1)
    return mask if at is None else mask & 1 << at.slot


def _present(calendar: Calendar, days: Masks, request: CourseRequest, option: TherapistOption) -> int:
    margins = request.therapist_margins
    starts = masks.starts_for(masks.join_days(days), request.slots, margins.before, margins.after)
    if option.valid_days is None:
        return starts
    return starts & calendar.bits_of_days([d for d in range(calendar.days) if option.valid_days >> d & 1])


def _in_classes(
    problem: RepairProblem, course: RepairCourse, days: list[int], at: BookedSession | None
) -> tuple[Obstacle | None, dict[str, object]]:
    request = course.request
    series = request.series or ()
    accepted = [s for s in series if s.therapist is None or weights.accepts(request, s.therapist)]
    params: dict[str, object] = {"days": len(days)}
    if not accepted:
        return (Obstacle.AGAINST_MUST if series else Obstacle.NOT_QUALIFIED), params
    if not days:
        return Obstacle.NO_DAY, params
    meetings = [m for s in accepted for m in s.meetings if m.day in days]
    meetings = [m for m in meetings if _hours(request, at, m.slots) >> m.slot & 1]
    if not meetings:
        return Obstacle.OFF_SHIFT, params
    meetings = [m for m in meetings if m.held]
    if not meetings:
        return Obstacle.ABSENT, params
    meetings = [m for m in meetings if m.seats_free > 0]
    if not meetings:
        return Obstacle.CLASS_FULL, params
    rest = request.patient_margins
    free = problem.patients[course.patient].free
    for m in meetings:
        wanted = masks.interval(0, m.slot - rest.before, m.slot + m.slots + rest.after)
        if free[m.day] & wanted == wanted:
            return None, params
    return Obstacle.PATIENT_BUSY, params
