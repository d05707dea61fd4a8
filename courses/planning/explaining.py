"""Why there is no plan: one reason per course, the waterfall behind it, and the concessions that open one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

from . import masks, weights
from .classes import accepted_series, keeps_rules
from .conceding import find_concessions, find_partial
from .easing import without_rules
from .ground import Ground
from .reaching import fits, most_sessions
from .solving import plan
from .table import ruled_starts, starts_window, usable_days
from .types import (
    SLOTS_PER_DAY,
    Budget,
    ClassMeeting,
    ClassSeries,
    CourseExplanation,
    CourseRequest,
    Explanation,
    Filter,
    Masks,
    Patient,
    Plan,
    Problem,
    Reason,
    ResourceDays,
    Strength,
    TherapistOption,
    WaterfallStep,
)
from .validity import require_valid

QUICK = Budget(steps=12)


def explain(problem: Problem, *, concessions: bool = True) -> Explanation | None:
    """Why the problem has no plan, and what would open one; None if it has a plan.

    The reason is that of the first course that does not fit even alone; where each fits alone but not all together, it
    is `fully_booked`, or `kept_apart` where rules are in the way, with course None.  Raises ProblemError for a problem
    that is none.
    """
    require_valid(problem)
    ground = Ground(problem)
    courses = tuple(explain_course(ground, c) for c in problem.courses)
    failing = [c for c in courses if not c.alone]
    if not failing and (len(courses) == 1 or isinstance(plan(problem, budget=QUICK), Plan)):
        return None
    reason = failing[0].reason if failing else _reason_together(problem)
    return Explanation(
        reason=reason or Reason.FULLY_BOOKED,
        course=failing[0].course if failing else None,
        courses=courses,
        concessions=find_concessions(problem, courses) if concessions else (),
        partial=find_partial(problem, courses) if concessions else None,
    )


def _reason_together(problem: Problem) -> Reason:
    free = tuple(replace(c, not_same_day_with=frozenset()) for c in problem.courses)
    if not problem.rules and free == problem.courses:
        return Reason.FULLY_BOOKED
    eased = plan(replace(problem, rules=(), courses=free), budget=QUICK)
    return Reason.KEPT_APART if isinstance(eased, Plan) else Reason.FULLY_BOOKED


def explain_course(ground: Ground, course: CourseRequest) -> CourseExplanation:
    """One course by itself, the other courses of the problem left out."""
    alone = fits(ground, course)
    reason = None if alone else find_reason(ground.problem, course)
    steps, left = waterfall(ground, course)
    return CourseExplanation(
        course=course.key,
        alone=alone,
        reason=reason,
        waterfall=steps,
        longest_hole=longest_hole(ground, course, left),
        gap_max=None if course.series is not None else course.gap_max,
        most_sessions=course.sessions if alone else most_sessions(ground, course),
        sessions=course.sessions,
    )


def find_reason(problem: Problem, course: CourseRequest) -> Reason:
    """The first reason that holds for a course that cannot be placed alone."""
    static = _missing(course)
    if static is not None:
        return static
    if not _has_shift(problem, course):
        return Reason.NO_SHIFT_AT_REQUESTED_TIME
    if course.series is not None and _opens(problem, course, seats=True):
        return Reason.CLASS_FULL
    if not _opens(problem, course, seats=True, held=True, masks_of=lambda r: r.works, patient_free=True):
        return Reason.WINDOW_TOO_SHORT
    if _opens(problem, course, held=True, masks_of=_without_absence):
        return Reason.REQUIRED_THERAPIST_ABSENT
    alone = replace(course, not_same_day_with=frozenset())
    if fits(Ground(without_rules(replace(problem, courses=(alone,)), alone)), alone):
        return Reason.KEPT_APART
    return Reason.FULLY_BOOKED


def _missing(course: CourseRequest) -> Reason | None:
    """Nobody, or no room, of the kind asked for."""
    if course.series is None and not course.needs_therapist:
        return Reason.NO_ROOM if course.needs_room and not course.rooms else None
    options = [s.therapist for s in course.series if s.therapist] if course.series else list(course.therapists)
    if course.therapist_strength is Strength.MUST and course.preferred_therapist is not None:
        options = [o for o in options if o.therapist == course.preferred_therapist]
    if not options:
        return Reason.NO_QUALIFIED_THERAPIST
    options = [o for o in options if o.therapist not in course.excluded_therapists]
    if not options:
        return Reason.NO_OTHER_THERAPIST
    if course.gender and all(o.gender != course.gender for o in options):
        return Reason.NO_THERAPIST_OF_REQUESTED_GENDER
    if not any(weights.accepts(course, o) for o in options):
        return Reason.NO_THERAPIST_OF_REQUESTED_LANGUAGE
    if course.series is None and course.needs_room and not course.rooms:
        return Reason.NO_ROOM
    return None


def _has_shift(problem: Problem, course: CourseRequest) -> bool:
    """An accepted therapist's shift, or class, falls in the days and hours that are musts."""
    ground = Ground(_bare(problem))
    days = usable_days(ground, replace(course, pinned=(), done_days=(), excluded_days=frozenset()))
    if course.series is not None:
        return any(
            m.day in days and starts_window(course, m.slots) >> m.slot & 1
            for s in accepted_series(course)
            for m in s.meetings
        )
    window = starts_window(course)
    if not course.needs_therapist:
        return bool(days) and bool(window)
    margins = course.therapist_margins
    return any(
        masks.starts_for(problem.resources[o.therapist].works[d], course.slots, margins.before, margins.after) & window
        for o in course.therapists
        if weights.accepts(course, o)
        for d in days
        if o.valid_days is None or o.valid_days >> d & 1
    )


def _bare(problem: Problem) -> Problem:
    """Nothing that the patient has booked rules a day out."""
    return replace(problem, patient=replace(problem.patient, booked={}, sessions=()))


def _without_absence(resource: ResourceDays) -> Masks:
    """Free, had there been no absence; what was booked in it before counts as free, for it must be re-placed."""
    return tuple(f | (w & ~p) for w, p, f in zip(resource.works, resource.present, resource.free, strict=True))


def _opens(
    problem: Problem,
    course: CourseRequest,
    *,
    seats: bool = False,
    held: bool = False,
    masks_of: Callable[[ResourceDays], Masks] | None = None,
    patient_free: bool = False,
) -> bool:
    """Whether the course alone fits with unlimited seats, with every class held, with other free time."""
    series = course.series
    if series is not None:
        series = tuple(_open_series(s, seats=seats, held=held) for s in series)
    eased = replace(course, series=series)
    resources: Mapping[int, ResourceDays] = problem.resources
    if masks_of is not None:
        rooms = {r.room for r in course.rooms} | {d for r in course.rooms for d in r.devices}
        everyone = patient_free
        resources = {
            key: replace(r, free=masks_of(r)) if everyone or key not in rooms else r for key, r in resources.items()
        }
    patient = problem.patient
    if patient_free:
        patient = Patient(free=(masks.interval(0, 0, SLOTS_PER_DAY),) * problem.horizon.days)
    eased_problem = replace(problem, resources=resources, patient=patient, courses=(eased,))
    return fits(Ground(eased_problem), eased)


def _open_series(series: ClassSeries, *, seats: bool, held: bool) -> ClassSeries:
    meetings = tuple(
        replace(m, seats_free=max(m.seats_free, 1) if seats else m.seats_free, held=m.held or held)
        for m in series.meetings
    )
    return replace(series, meetings=meetings)


def waterfall(ground: Ground, course: CourseRequest) -> tuple[tuple[WaterfallStep, ...], list[int]]:
    """Days left after each filter, in the order of `Filter`, and the days left after all of them."""
    anytime = replace(course, weekdays_strength=Strength.NONE, window_strength=Strength.NONE)
    open_days = usable_days(Ground(_bare(ground.problem)), anytime)
    if course.series is not None:
        return _class_waterfall(ground, course, open_days)
    layers = _layers(ground, course)
    steps = [WaterfallStep(Filter.OPENING, len(open_days))]
    days = open_days
    for step in (Filter.WORKS, Filter.PRESENT, Filter.FREE, Filter.ROOM, Filter.DEVICE, Filter.PATIENT):
        days = [d for d in days if layers[step][d]]
        steps.append(WaterfallStep(step, len(days)))
    layer = layers[Filter.PATIENT]
    if _is_ruled(ground, course):
        layer = tuple(a & b for a, b in zip(layer, _ruled_layer(ground, course), strict=True))
        days = [d for d in days if layer[d]]
        steps.append(WaterfallStep(Filter.RULES, len(days)))
    on_weekdays = set(usable_days(ground, replace(course, window_strength=Strength.NONE)))
    days = [d for d in days if d in on_weekdays]
    steps.append(WaterfallStep(Filter.WEEKDAYS, len(days)))
    window = starts_window(course)
    days = [d for d in days if layer[d] & window]
    steps.append(WaterfallStep(Filter.WINDOW, len(days)))
    return tuple(steps), days


def _is_ruled(ground: Ground, course: CourseRequest) -> bool:
    return bool(ground.rulebook) or bool(course.not_same_day_with)


def _ruled_layer(ground: Ground, course: CourseRequest) -> Masks:
    """Starts of each day that rules between procedures allow beside what is booked."""
    barred = ground.rulebook.barred_days(course, ground.fixed)
    starts = masks.split_days(ruled_starts(ground, course), ground.days)
    return tuple(0 if d in barred or ground.excludes(course, d) else m for d, m in enumerate(starts))


def _layers(ground: Ground, course: CourseRequest) -> dict[Filter, Masks]:
    """Starts of each day that pass all the filters up to one."""
    accepted: list[TherapistOption | None] = [o for o in course.therapists if weights.accepts(course, o)]
    if not course.needs_therapist:
        accepted = [None]
    rest = course.patient_margins
    patient = [masks.starts_for(m, course.slots, rest.before, rest.after) for m in ground.problem.patient.free]
    rooms, devices = _room_layers(ground.problem, course)
    every = masks.interval(0, 0, SLOTS_PER_DAY)
    found: dict[Filter, list[int]] = {}
    calendars: tuple[tuple[Filter, Callable[[ResourceDays], Masks]], ...] = (
        (Filter.WORKS, lambda r: r.works),
        (Filter.PRESENT, lambda r: r.present),
        (Filter.FREE, lambda r: r.free),
    )
    for name, masks_of in calendars:
        found[name] = [0] * ground.days
        for option in accepted:
            if option is None:
                found[name] = [every] * ground.days
                continue
            tm = course.therapist_margins
            for d, mask in enumerate(masks_of(ground.problem.resources[option.therapist])):
                if option.valid_days is None or option.valid_days >> d & 1:
                    found[name][d] |= masks.starts_for(mask, course.slots, tm.before, tm.after)
    found[Filter.ROOM] = [a & b for a, b in zip(found[Filter.FREE], rooms, strict=True)]
    found[Filter.DEVICE] = [a & b for a, b in zip(found[Filter.FREE], devices, strict=True)]
    found[Filter.PATIENT] = [a & b for a, b in zip(found[Filter.DEVICE], patient, strict=True)]
    return {name: tuple(layer) for name, layer in found.items()}


def _room_layers(problem: Problem, course: CourseRequest) -> tuple[list[int], list[int]]:
    """Starts of each day with a room free, and with a room and a device in it free."""
    days = problem.horizon.days
    if not course.needs_room:
        every = [masks.interval(0, 0, SLOTS_PER_DAY)] * days
        return every, every
    rooms, devices = [0] * days, [0] * days
    rm, dm = course.room_margins, course.device_margins
    for option in course.rooms:
        for d, mask in enumerate(problem.resources[option.room].free):
            room = masks.starts_for(mask, course.slots, rm.before, rm.after)
            rooms[d] |= room
            device = 0 if option.devices else room
            for key in option.devices:
                free = problem.resources[key].free[d]
                device |= masks.starts_for(free, course.slots, dm.before, dm.after)
            devices[d] |= room & device
    return rooms, devices


def _class_waterfall(
    ground: Ground, course: CourseRequest, open_days: list[int]
) -> tuple[tuple[WaterfallStep, ...], list[int]]:
    """Days of the accepted classes; a class has its room and devices, so those steps take nothing away."""
    meetings = [m for s in accepted_series(course) for m in s.meetings if m.day in set(open_days)]
    on_weekdays = set(usable_days(ground, replace(course, window_strength=Strength.NONE)))
    rest = course.patient_margins
    free = ground.problem.patient.free
    barred = ground.rulebook.barred_days(course, ground.fixed)

    def patient_free(m: ClassMeeting) -> bool:
        wanted = masks.interval(0, m.slot - rest.before, m.slot + m.slots + rest.after)
        return free[m.day] & wanted == wanted

    steps = [WaterfallStep(Filter.OPENING, len(open_days)), WaterfallStep(Filter.WORKS, len({m.day for m in meetings}))]
    filters: tuple[tuple[Filter, Callable[[ClassMeeting], object]], ...] = (
        (Filter.PRESENT, lambda m: m.held),
        (Filter.FREE, lambda m: m.seats_free > 0),
        (Filter.PATIENT, patient_free),
        (Filter.RULES, lambda m: m.day not in barred and keeps_rules(ground, course, m)),
        (Filter.WEEKDAYS, lambda m: m.day in on_weekdays),
        (Filter.WINDOW, lambda m: starts_window(course, m.slots) >> m.slot & 1),
    )
    for step, passes in filters:
        meetings = [m for m in meetings if passes(m)]
        if step is not Filter.RULES or _is_ruled(ground, course):
            steps.append(WaterfallStep(step, len({m.day for m in meetings})))
    return tuple(steps), sorted({m.day for m in meetings})


def longest_hole(ground: Ground, course: CourseRequest, days: list[int]) -> int:
    """The most days, in the course's unit, between two neighbouring days it could use."""
    opening = ground.problem.horizon.opening
    known = sorted({*days, *(p.day for p in course.pinned), *course.done_days})
    own = set(known)

    def gap(a: int, b: int) -> int:
        if course.gap_unit == "calendar":
            return b - a
        return sum(1 for d in range(a + 1, b + 1) if opening[d] or d in own)

    return max((gap(a, b) for a, b in pairwise(known)), default=0)
