"""Small random problems, and their answers by trying everything.

The costs here are counted from the words of `types.Profile`, not with the planner's code.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import combinations, product

from courses.planning import Plan, PlannedSession, Problem, verify
from courses.planning.types import (
    FULL_DAY,
    ClassMeeting,
    ClassSeries,
    CourseRequest,
    FormerSession,
    GapUnit,
    Horizon,
    Margins,
    Patient,
    PinnedSession,
    ResourceDays,
    RoomOption,
    Stay,
    Strength,
    TherapistOption,
)

FIRST_DAY = date(2026, 11, 30)  # a Monday
DAWN, DUSK = 8 * 12, 11 * 12 + 6


def mask(*intervals: tuple[int, int]) -> int:
    return sum(((1 << (b - a)) - 1) << a for a, b in intervals)


def resource(days: int, free: tuple[int, ...], *, twice: tuple[int, ...] | None = None) -> ResourceDays:
    works = (mask((DAWN, DUSK)),) * days
    return ResourceDays(works, works, free, twice)


def random_mask(rng: random.Random, density: float) -> int:
    found = 0
    at = DAWN
    while at < DUSK:
        length = rng.randint(2, 9)
        if rng.random() < density:
            found |= mask((at, min(at + length, DUSK)))
        at += length
    return found


def random_resource(rng: random.Random, days: int, density: float, *, twice: bool = False) -> ResourceDays:
    free = tuple(random_mask(rng, density) for _ in range(days))
    second = tuple(m & random_mask(rng, 0.6) for m in free) if twice else None
    return resource(days, free, twice=second)


def random_course(
    rng: random.Random, days: int, *, key: int, therapists: tuple[int, ...], most: int = 3
) -> CourseRequest:
    options = tuple(
        TherapistOption(
            t,
            valid_days=None if rng.random() < 0.8 else rng.getrandbits(days),
            gender=rng.choice("FM"),
            languages=frozenset(rng.sample(["en", "ru", "pl"], 2)),
            hands=40 if rng.random() < 0.2 else None,
        )
        for t in therapists
    )
    gap_min = rng.randint(1, 2)
    # Strengths are drawn so that most courses stay feasible.
    strength = lambda: rng.choice([Strength.NONE, Strength.NONE, Strength.WISH, Strength.WISH, Strength.MUST])  # noqa: E731
    window_at = rng.randint(DAWN, DUSK - 16)
    return CourseRequest(
        key=key,
        procedure=f"P{key}",
        sessions=rng.randint(1, most),
        slots=rng.randint(2, 4),
        therapists=options,
        rooms=(RoomOption(20, (30, 31)), RoomOption(21, (32,))) if rng.random() < 0.3 else (RoomOption(22),),
        therapist_margins=Margins(rng.randint(0, 1), rng.randint(0, 1)),
        device_margins=Margins(0, rng.randint(0, 1)),
        patient_margins=Margins(0, rng.randint(0, 2)),
        hands_on_start=1,
        hands_on_end=rng.randint(0, 1),
        gap_min=gap_min,
        gap_max=rng.choice([gap_min, gap_min + 1, gap_min + 2, None]),
        gap_unit=rng.choice([GapUnit.OPENING, GapUnit.CALENDAR]),
        per_week=rng.choice([None, None, 1, 2, 3]),
        start_day=rng.randint(0, 3),
        finish_day=rng.choice([None, days - 1, days - 2]),
        weekdays=frozenset(rng.sample(range(6), rng.randint(2, 5))),
        weekdays_strength=strength(),
        window=(window_at, window_at + rng.randint(8, 16)),
        window_strength=strength(),
        preferred_therapist=rng.choice(therapists),
        therapist_strength=strength(),
        gender=rng.choice(["", "", "", "F"]),
        languages=frozenset({"en"}),
        language_strength=rng.choice([Strength.NONE, Strength.WISH]),
        excluded_days=frozenset(rng.sample(range(days), rng.randint(0, 1))),
        tags=frozenset(rng.sample(["massage", "device", "manual"], rng.randint(0, 2))),
    )


def random_problem(seed: int, *, courses: int = 1, days: int = 11, density: float = 0.35, most: int = 3) -> Problem:
    """A problem small enough to try everything, with most of what a request can ask for."""
    rng = random.Random(seed)
    therapists = (10, 11, 12)[: rng.randint(1, 3)]
    resources = {t: random_resource(rng, days, density, twice=rng.random() < 0.3) for t in therapists}
    resources |= {r: random_resource(rng, days, 0.9, twice=r == 20) for r in (20, 21, 22, 30, 31, 32, 40)}
    opening = tuple((FIRST_DAY.weekday() + d) % 7 != 6 and rng.random() < 0.95 for d in range(days))
    patient_free = [FULL_DAY if rng.random() < 0.6 else random_mask(rng, 0.7) for _ in range(days)]
    visits = {}
    for day in rng.sample(range(days), rng.randint(0, 2)):
        start = rng.randint(DAWN, DUSK - 6)
        visits[day] = (start, start + 5)
        patient_free[day] &= ~mask((start, start + 5))
    requests = [random_course(rng, days, key=k, therapists=therapists, most=most) for k in range(courses)]
    if rng.random() < 0.3 and courses == 1:
        requests[0] = replace(requests[0], done_days=(rng.randint(0, 2),), resuming=rng.random() < 0.3, start_day=3)
    elif rng.random() < 0.3 and courses == 1:
        requests[0] = replace(requests[0], pinned=(PinnedSession(rng.randint(2, 8), DAWN, rng.choice(therapists)),))
    elif rng.random() < 0.4 and courses > 1:
        requests[1] = replace(requests[1], not_same_day_with=frozenset({"P0"}))
    return Problem(
        horizon=Horizon(FIRST_DAY, opening),
        patient=Patient(tuple(patient_free), visits, {}),
        resources=resources,
        courses=tuple(requests),
        combine_visits=rng.random() < 0.3,
    )


def with_former(problem: Problem, seed: int) -> Problem:
    """The problem with former times for all its courses, some of sessions that may or must stay, and demands."""
    rng = random.Random(seed)
    courses = []
    for course in problem.courses:
        by_day = candidates(problem, replace(course, window=None, weekdays=frozenset(), gender=""))
        chosen = rng.sample(sorted(by_day), min(len(by_day), rng.randint(1, course.sessions)))
        former = []
        for day in chosen:
            there = rng.choice(by_day[day])
            stay = rng.choice([Stay.FREE, Stay.FREE, Stay.MAY, Stay.MAY, Stay.MUST])
            former.append(FormerSession(day, there.slot, there.therapist, there.room, there.device, stay))
        hours = rng.choice([None, None, (DAWN + 12, DUSK)])
        excluded = frozenset({rng.choice([10, 11])}) if rng.random() < 0.2 else frozenset()
        courses.append(replace(course, former=tuple(former), hours=hours, excluded_therapists=excluded))
    return replace(problem, courses=tuple(courses))


def with_class(problem: Problem, seed: int) -> Problem:
    """The problem with its last course made an enrolment."""
    rng = random.Random(seed)
    series = []
    for number in range(rng.randint(1, 3)):
        slot = rng.randint(DAWN, DUSK - 9)
        meetings = tuple(
            ClassMeeting(100 * number + d, d, slot, 9, rng.choice([0, 1, 2, 3]), rng.random() < 0.9)
            for d in range(number % 2, problem.horizon.days, 2)
            if problem.horizon.opening[d]
        )
        series.append(ClassSeries(number, TherapistOption(rng.choice([10, 11]), gender="F"), meetings, room=22))
    courses = (*problem.courses[:-1], replace(problem.courses[-1], series=tuple(series), pinned=(), done_days=()))
    return replace(problem, courses=courses)


# -- trying everything --------------------------------------------------------------------------------------------


def candidates(problem: Problem, course: CourseRequest) -> dict[int, list[PlannedSession]]:
    """Day -> every single session that breaks no rule by itself, one room and device each."""
    found: dict[int, list[PlannedSession]] = {}
    former = tuple(replace(f, stay=Stay.MAY) if f.stay is Stay.MUST else f for f in course.former)
    lone = replace(course, sessions=1, gap_max=None, gap_min=1, per_week=None, pinned=(), done_days=(), former=former)
    shut = {p.day for p in course.pinned} | set(course.done_days)
    places = [(r.room, d) for r in course.rooms for d in (r.devices or (None,))] or [(None, None)]
    for day in range(problem.horizon.days):
        if day in shut:
            continue
        for slot, option in product(range(DAWN, DUSK), course.therapists):
            treated = mask((slot, slot + course.slots))
            if problem.resources[option.therapist].free[day] & problem.patient.free[day] & treated != treated:
                continue  # most starts; asking the checker about each would take long
            for room, device in places:
                session = PlannedSession(course.key, 1, day, slot, course.slots, option.therapist, room, device)
                if not verify(replace(problem, courses=(lone,)), Plan((session,), 0, 0, False)):
                    found.setdefault(day, []).append(session)
                    break
    for f in course.former:
        if f.stay is Stay.MUST:
            found[f.day] = [s for s in found.get(f.day, []) if (s.slot, s.therapist) == (f.slot, f.therapist)]
    return {day: sessions for day, sessions in found.items() if sessions}


def best_by_trying(problem: Problem) -> int | None:
    """The optimum's cost, None if the problem has no plan."""
    options = [list(placements(problem, c)) for c in problem.courses]
    best = None
    for combination in product(*options):
        sessions = tuple(s for placement in combination for s in placement)
        cost = cost_by_hand(problem, sessions)
        if best is not None and cost >= best:
            continue
        if len(options) > 1 and not any(_sound(problem, v) for v in room_variants(problem, sessions)):
            continue
        best = cost
    return best


def _sound(problem: Problem, sessions: tuple[PlannedSession, ...]) -> bool:
    return not verify(problem, Plan(sessions, 0, 0, False))


def room_variants(problem: Problem, sessions: tuple[PlannedSession, ...]) -> Iterator[tuple[PlannedSession, ...]]:
    """Margins may collide in a room: other rooms and devices for the same times."""
    courses = {c.key: c for c in problem.courses}
    choices = []
    for s in sessions:
        if s.meeting is not None:
            choices.append([s])
            continue
        rooms = courses[s.course].rooms
        choices.append([replace(s, room=r.room, device=d) for r in rooms for d in (r.devices or (None,))] or [s])
    yield sessions
    yield from product(*choices)


def placements(problem: Problem, course: CourseRequest) -> Iterator[tuple[PlannedSession, ...]]:
    """Every way to place one course alone that breaks no rule."""
    alone = replace(problem, courses=(course,))
    if course.series is not None:
        for series in course.series:
            held = [m for m in series.meetings if m.held]
            for first in range(len(held) - course.sessions + 1):
                chosen = tuple(
                    PlannedSession(
                        course.key,
                        n,
                        m.day,
                        m.slot,
                        m.slots,
                        series.therapist.therapist,
                        22,
                        None,
                        series.series,
                        m.meeting,
                    )
                    for n, m in enumerate(held[first : first + course.sessions], start=1)
                )
                if _sound(alone, chosen):
                    yield chosen
        return
    by_day = candidates(problem, course)
    for days in combinations(sorted(by_day), course.sessions):
        shell = tuple(replace(by_day[d][0], number=n) for n, d in enumerate(days, start=1))
        if not _sound(alone, shell):
            continue
        for chosen in product(*(by_day[d] for d in days)):
            yield tuple(replace(s, number=n) for n, s in enumerate(chosen, start=1))


def cost_by_hand(problem: Problem, sessions: tuple[PlannedSession, ...]) -> int:
    total = sum(course_by_hand(problem, c, [s for s in sessions if s.course == c.key]) for c in problem.courses)
    visit = problem.profile.visit + (problem.profile.combined_visit if problem.combine_visits else 0)
    new_visits = []
    for day in {s.day for s in sessions}:
        today = sorted((s.slot, s.slot + s.slots) for s in sessions if s.day == day)
        booked = problem.patient.visits.get(day)
        intervals = today + ([booked] if booked else [])
        span = max(e for _, e in intervals) - min(s for s, _ in intervals)
        total += problem.profile.wait * (span - sum(e - s for s, e in intervals))
        if not booked:
            total += visit
            new_visits.append(today[0][0] // 3)
    arrivals = [
        sum(problem.profile.arrival * abs(quarter - half * 2) // 2 for quarter in new_visits) for half in range(14, 38)
    ]
    return total + min(arrivals)


def course_by_hand(problem: Problem, course: CourseRequest, own: list[PlannedSession]) -> int:
    weights = problem.profile
    options = {o.therapist: o for o in course.therapists}
    options |= {s.therapist.therapist: s.therapist for s in course.series or () if s.therapist}
    total = 0
    for s in own:
        outside = 0
        if course.window_strength is Strength.WISH:
            outside = max(0, course.window[0] - s.slot) + max(0, s.slot + s.slots - course.window[1])
        total += weights.window * ((outside + 2) // 3) + weights.window_missed * (outside > 0)
        if course.weekdays_strength is Strength.WISH and course.weekdays and s.day % 7 not in course.weekdays:
            total += weights.weekday
        if course.therapist_strength is Strength.WISH and s.therapist != course.preferred_therapist:
            total += weights.therapist
        if course.language_strength is Strength.WISH and "en" not in options[s.therapist].languages:
            total += weights.language
        total += movement_by_hand(problem, course, s)
        if s.meeting is None:
            total += weights.stub * stubs_by_hand(problem, course, s)
    fixed = [p.day for p in course.pinned]
    days = sorted([s.day for s in own] + fixed)
    total += weights.finish * (days[-1] - course.start_day)
    if course.series is not None:
        return total
    since = None if course.resuming or not course.done_days else max(course.done_days)
    counted = [o or d in fixed or d in course.done_days for d, o in enumerate(problem.horizon.opening)]
    for day in days:
        if since is not None:
            gap = day - since if course.gap_unit is GapUnit.CALENDAR else sum(counted[since + 1 : day + 1])
            if not course.free_gaps:
                total += weights.gap * (gap - course.gap_min) + weights.hole * max(0, day - since - 4)
        since = day
    used = {s.therapist for s in own} | {p.therapist for p in course.pinned}
    prices = [weights.extra_therapist[t] for t in course.tags] or [weights.extra_therapist_default]
    price = max(prices) if course.extra_therapist is None else course.extra_therapist
    return total + price * weights.extra_therapist_factor * (len(used) - 1)


def movement_by_hand(problem: Problem, course: CourseRequest, session: PlannedSession) -> int:
    weights = problem.profile
    if not course.former:
        return 0
    same_day = [f for f in course.former if f.day == session.day]
    near = same_day or course.former
    if any(f.slot == session.slot and f.therapist == session.therapist for f in same_day):
        return 0
    away = min((abs(f.slot - session.slot) + 2) // 3 for f in near)
    total = weights.moved + away * weights.moved_time
    total += 0 if same_day else weights.moved_day
    return total + (0 if session.therapist in {f.therapist for f in near} else weights.moved_therapist)


def stubs_by_hand(problem: Problem, course: CourseRequest, session: PlannedSession) -> int:
    masks = problem.resources[session.therapist]
    if masks.free_twice is not None:
        return 0
    free = masks.free[session.day]
    at = session.slot - course.therapist_margins.before - 1
    before = 0
    while at >= 0 and free >> at & 1:
        before, at = before + 1, at - 1
    at = session.slot + session.slots + course.therapist_margins.after
    after = 0
    while free >> at & 1:
        after, at = after + 1, at + 1
    return (before in (1, 2, 3)) + (after in (1, 2, 3))
