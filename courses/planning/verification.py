"""Does a plan keep every must?  Checked slot by slot, with nothing of the planners' own arithmetic.

It shares only the types with the solver, on purpose: a mistake there must not hide here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from .rule_checks import check_rules
from .types import (
    CourseRequest,
    FormerSession,
    GapUnit,
    Key,
    Margins,
    Plan,
    PlannedSession,
    Problem,
    Stay,
    Strength,
    TherapistOption,
    Violation,
)


def verify(problem: Problem, plan: Plan) -> list[Violation]:
    """Every rule the plan breaks, [] for a sound plan.  Wishes are not rules."""
    requests = {c.key: c for c in problem.courses}
    found = [Violation("unknown_course", s.course, s.number) for s in plan.sessions if s.course not in requests]
    sessions = [s for s in plan.sessions if s.course in requests and 0 <= s.day < problem.horizon.days]
    found += [
        Violation("outside_horizon", s.course, s.number)
        for s in plan.sessions
        if s.course in requests and not 0 <= s.day < problem.horizon.days
    ]
    for course in problem.courses:
        own = sorted((s for s in sessions if s.course == course.key), key=lambda s: (s.day, s.slot))
        found += _check_numbers(course, own)
        found += _check_fixed(course, own)
        for session in own:
            found += _check_day(problem, course, session)
            if not _has_stayed(course, session):
                found += _check_hours(course, session)
            if course.series is None:
                found += _check_staff(problem, course, session)
                found += _check_place(course, session)
        if course.series is None:
            found += _check_rhythm(problem, course, own)
        else:
            found += _check_class(course, own)
    found += _check_patient(problem, requests, sessions)
    found += _check_resources(problem, requests, sessions)
    found += _check_exclusions(problem, requests, sessions)
    found += check_rules(problem, requests, sessions)
    return found


def _check_numbers(course: CourseRequest, own: list[PlannedSession]) -> Iterator[Violation]:
    if len(own) != course.sessions:
        yield Violation("wrong_count", course.key, params={"planned": len(own), "asked": course.sessions})
    if [s.number for s in own] != list(range(1, len(own) + 1)):
        yield Violation("wrong_numbers", course.key)


def _check_day(problem: Problem, course: CourseRequest, session: PlannedSession) -> Iterator[Violation]:
    if not problem.horizon.opening[session.day]:
        yield Violation("closed", course.key, session.number, {"day": session.day})
    if _has_stayed(course, session):
        return
    if session.day < course.start_day:
        yield Violation("before_start", course.key, session.number, {"day": session.day})
    if course.finish_day is not None and session.day > course.finish_day:
        yield Violation("after_finish", course.key, session.number, {"day": session.day})
    if session.day in course.excluded_days:
        yield Violation("excluded_day", course.key, session.number, {"day": session.day})
    weekday = (problem.horizon.first_day + timedelta(days=session.day)).weekday()
    if course.weekdays and course.weekdays_strength is Strength.MUST and weekday not in course.weekdays:
        yield Violation("wrong_weekday", course.key, session.number, {"weekday": weekday})


def _has_stayed(course: CourseRequest, session: PlannedSession) -> bool:
    """It is where a session was that may stay there whatever the course's musts say."""
    return any(
        f.stay is not Stay.FREE and (f.day, f.slot, f.therapist) == (session.day, session.slot, session.therapist)
        for f in course.former
    )


def keeps_musts(problem: Problem, course: CourseRequest, place: FormerSession) -> bool:
    """Whether a session at this time, with this therapist, keeps the musts of its course that concern it alone."""
    bare = replace(course, former=())
    session = PlannedSession(course.key, 1, place.day, place.slot, course.slots, place.therapist)
    options = [*course.therapists, *(s.therapist for s in course.series or () if s.therapist)]
    option = next((o for o in options if o.therapist == place.therapist), None)
    broken = [*_check_day(problem, bare, session), *_check_hours(bare, session)]
    return not broken and (option is None or not list(_fits_wishes(bare, option)))


def _check_fixed(course: CourseRequest, own: list[PlannedSession]) -> Iterator[Violation]:
    there = {(s.day, s.slot, s.therapist) for s in own}
    for f in course.former:
        if f.stay is Stay.MUST and (f.day, f.slot, f.therapist) not in there:
            yield Violation("fixed_session_moved", course.key, params={"day": f.day, "slot": f.slot})


def _check_hours(course: CourseRequest, session: PlannedSession) -> Iterator[Violation]:
    if course.hours is not None and not course.hours[0] <= session.slot <= course.hours[1] - session.slots:
        yield Violation("outside_window", course.key, session.number, {"slot": session.slot})
        return
    if course.window is None or course.window_strength is not Strength.MUST:
        return
    if session.slot < course.window[0] or session.slot + session.slots > course.window[1]:
        yield Violation("outside_window", course.key, session.number, {"slot": session.slot})


def _fits_wishes(course: CourseRequest, option: TherapistOption) -> Iterator[str]:
    if course.gender and option.gender != course.gender:
        yield "wrong_gender"
    required = course.preferred_therapist if course.therapist_strength is Strength.MUST else None
    if required not in {None, option.therapist} or option.therapist in course.excluded_therapists:
        yield "wrong_therapist"
    if course.language_strength is Strength.MUST and course.languages and not option.languages & course.languages:
        yield "wrong_language"


def _check_staff(problem: Problem, course: CourseRequest, session: PlannedSession) -> Iterator[Violation]:
    if session.slots != course.slots:
        yield Violation("wrong_length", course.key, session.number)
    if not course.needs_therapist:
        return
    option = next((o for o in course.therapists if o.therapist == session.therapist), None)
    if option is None:
        yield Violation("not_qualified", course.key, session.number, {"therapist": session.therapist})
        return
    if option.valid_days is not None and not option.valid_days & (1 << session.day):
        yield Violation("not_qualified", course.key, session.number, {"therapist": session.therapist})
    for code in () if _has_stayed(course, session) else _fits_wishes(course, option):
        yield Violation(code, course.key, session.number, {"therapist": session.therapist})
    if option.hands is None:
        return
    end = session.slot + session.slots
    wanted = [*range(session.slot, session.slot + course.hands_on_start), *range(end - course.hands_on_end, end)]
    hands = problem.resources[option.hands].free[session.day]
    if any(not hands & (1 << slot) for slot in wanted):
        yield Violation("hands_busy", course.key, session.number, {"therapist": session.therapist})


def _check_place(course: CourseRequest, session: PlannedSession) -> Iterator[Violation]:
    if not course.needs_room:
        return
    option = next((r for r in course.rooms if r.room == session.room), None)
    if option is None:
        yield Violation("wrong_room", course.key, session.number, {"room": session.room})
    elif option.devices and session.device not in option.devices:
        yield Violation("wrong_device", course.key, session.number, {"device": session.device})


def _check_rhythm(problem: Problem, course: CourseRequest, own: list[PlannedSession]) -> Iterator[Violation]:
    """Gaps, one a day, weekly maximum; pinned and done sessions count."""
    planned = {s.day: s.number for s in own}
    fixed = {p.day for p in course.pinned}
    days = sorted([s.day for s in own] + [p.day for p in course.pinned])
    if any(count > 1 for count in Counter(days).values()) or set(days) & set(course.done_days):
        yield Violation("twice_a_day", course.key)
    since = max(course.done_days, default=None)
    for day in days:
        if since is not None:
            gap = _gap(problem, course, since, day)
            resumed = course.resuming and since in course.done_days
            if gap < course.gap_min:
                yield Violation("gap_too_short", course.key, planned.get(day), {"gap": gap, "least": course.gap_min})
            if course.gap_max is not None and gap > course.gap_max and not resumed:
                yield Violation("gap_too_long", course.key, planned.get(day), {"gap": gap, "most": course.gap_max})
        since = day
    if course.per_week is None:
        return
    weeks: Counter[tuple[int, int]] = Counter()
    for day in sorted(set(planned) | fixed | set(course.done_days)):
        week = (problem.horizon.first_day + timedelta(days=day)).isocalendar()[:2]
        weeks[week] += 1
        if weeks[week] == course.per_week + 1:
            yield Violation("too_many_a_week", course.key, planned.get(day), {"most": course.per_week})


def _gap(problem: Problem, course: CourseRequest, earlier: int, later: int) -> int:
    if course.gap_unit is GapUnit.CALENDAR:
        return later - earlier
    counted = 0
    day = earlier
    while day < later:
        day += 1
        own = day in course.done_days or any(p.day == day for p in course.pinned)
        counted += problem.horizon.opening[day] or own
    return counted


def _check_class(course: CourseRequest, own: list[PlannedSession]) -> Iterator[Violation]:
    names = {s.series for s in own}
    series = next((s for s in course.series or () if names == {s.series}), None)
    if series is None:
        yield Violation("not_one_series", course.key)
        return
    for code in _fits_wishes(course, series.therapist) if series.therapist else ():
        yield Violation(code, course.key)
    held = [m for m in series.meetings if m.held]
    positions = []
    for session in own:
        at = next((i for i, m in enumerate(held) if m.meeting == session.meeting), None)
        if at is None or (held[at].day, held[at].slot, held[at].slots) != (session.day, session.slot, session.slots):
            yield Violation("class_not_held", course.key, session.number)
            return
        if held[at].seats_free < 1:
            yield Violation("class_full", course.key, session.number)
        positions.append(at)
    if positions != list(range(positions[0], positions[0] + len(positions))):
        yield Violation("not_consecutive", course.key)


def _footprint(session: PlannedSession, margins: Margins) -> range:
    return range(session.slot - margins.before, session.slot + session.slots + margins.after)


def _check_patient(
    problem: Problem, requests: dict[Key, CourseRequest], sessions: list[PlannedSession]
) -> Iterator[Violation]:
    taken: dict[tuple[int, int], PlannedSession] = {}
    for session in sessions:
        free = problem.patient.free[session.day]
        slots = _footprint(session, requests[session.course].patient_margins)
        if any(slot < 0 or not free & (1 << slot) for slot in slots):
            yield Violation("patient_busy", session.course, session.number, {"day": session.day})
        if any((session.day, slot) in taken for slot in slots):
            yield Violation("sessions_overlap", session.course, session.number, {"day": session.day})
        taken.update(dict.fromkeys(((session.day, slot) for slot in slots), session))


def _check_resources(
    problem: Problem, requests: dict[Key, CourseRequest], sessions: list[PlannedSession]
) -> Iterator[Violation]:
    """Each therapist, room and device has a place in every slot, the plan's own sessions counted together."""
    used: Counter[tuple[int, int, int]] = Counter()
    for session in sessions:
        if session.meeting is not None:
            continue
        course = requests[session.course]
        for role, resource, margins in (
            ("therapist", session.therapist, course.therapist_margins),
            ("room", session.room, course.room_margins),
            ("device", session.device, course.device_margins),
        ):
            if resource is None or resource not in problem.resources:
                continue
            masks = problem.resources[resource]
            layers = [masks.free, masks.free_twice or (0,) * problem.horizon.days]
            for slot in _footprint(session, margins):
                taken = used[resource, session.day, slot]
                used[resource, session.day, slot] += 1
                if slot < 0 or taken >= len(layers) or not layers[taken][session.day] & (1 << slot):
                    params = {"role": role, "resource": resource, "day": session.day, "slot": slot}
                    yield Violation("not_free", session.course, session.number, params)
                    break


def _check_exclusions(
    problem: Problem, requests: dict[Key, CourseRequest], sessions: list[PlannedSession]
) -> Iterator[Violation]:
    for session in sessions:
        course = requests[session.course]
        beside = set(problem.patient.booked.get(session.day, ()))
        for other in sessions:
            if other.day == session.day and other.course != session.course:
                other_course = requests[other.course]
                beside.add(other_course.procedure)
                if course.procedure in other_course.not_same_day_with:
                    yield Violation("not_same_day", course.key, session.number, {"with": other_course.procedure})
        for code in sorted(beside & course.not_same_day_with):
            yield Violation("not_same_day", course.key, session.number, {"with": code})
