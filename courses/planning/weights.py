"""The cost of a plan, piece by piece; see `types.Profile` for the weights.

One definition for the solvers; the tests count costs on their own.
"""

from __future__ import annotations

from .types import CourseRequest, Problem, Profile, Strength, TherapistOption

IMPOSSIBLE = 10**6  # a cost from here on means "cannot be"; sums and differences move it, so compare with >=
NEVER = 2 * IMPOSSIBLE  # stays beyond IMPOSSIBLE whatever costs below zero are added: holes filled, an early finish
QUARTER = 3  # slots
ANCHORS = tuple(range(7 * 12, 19 * 12, 6))  # the 24 half hours from 07:00 a programme may usually start at
LONG_GAP = 4  # calendar days; a longer hole costs


def visit_weight(problem: Problem) -> int:
    return problem.profile.visit + (problem.profile.combined_visit if problem.combine_visits else 0)


def arrival_cost(profile: Profile, *, quarter: int, anchor: int) -> int:
    """Cost of starting a visit in the given quarter of the day when the usual arrival is slot `anchor`."""
    return profile.arrival * abs(quarter - anchor // QUARTER) // 2


def window_cost(profile: Profile, course: CourseRequest, slot: int, slots: int | None = None) -> int:
    """Cost of a session's lying outside the wished part of the day, 0 without such a wish."""
    if course.window is None or course.window_strength is not Strength.WISH:
        return 0
    start, end = course.window
    outside = max(0, start - slot) + max(0, slot + (slots or course.slots) - end)
    return profile.window * -(-outside // QUARTER) + (profile.window_missed if outside else 0)


def weekday_cost(profile: Profile, course: CourseRequest, weekday: int) -> int:
    wished = course.weekdays_strength is Strength.WISH and course.weekdays
    return profile.weekday if wished and weekday not in course.weekdays else 0


def therapist_cost(profile: Profile, course: CourseRequest, option: TherapistOption | None) -> int:
    """Cost per session of a therapist who is not the preferred one or does not speak the wished language."""
    cost = 0
    therapist = option.therapist if option else None
    if course.therapist_strength is Strength.WISH and course.preferred_therapist not in (None, therapist):
        cost += profile.therapist
    languages = option.languages if option else frozenset()
    if course.language_strength is Strength.WISH and course.languages and not course.languages & languages:
        cost += profile.language
    return cost


def extra_therapist_weight(profile: Profile, course: CourseRequest) -> int:
    """Cost of each therapist of the course beyond the first: the course's own figure, else that of its dearest tag."""
    own = course.extra_therapist
    if own is None:
        tagged = [profile.extra_therapist[tag] for tag in course.tags if tag in profile.extra_therapist]
        own = max(tagged, default=profile.extra_therapist_default)
    return own * profile.extra_therapist_factor


def gap_cost(profile: Profile, course: CourseRequest, *, gap: int, calendar_days: int) -> int:
    """Cost of a gap of `gap` days of the course's unit that lasts so many calendar days."""
    if course.free_gaps:
        return 0
    return profile.gap * (gap - course.gap_min) + profile.hole * max(0, calendar_days - LONG_GAP)


def finish_cost(profile: Profile, course: CourseRequest, last_day: int) -> int:
    return profile.finish * (last_day - course.start_day)


def wait_added(span: tuple[int, int] | None, start: int, end: int) -> int:
    """Slots of waiting that a session start..end adds to a visit of the given span; negative when it fills a hole."""
    if span is None:
        return 0
    return max(0, span[0] - start) + max(0, end - span[1]) - (end - start)


def movement_cost(profile: Profile, course: CourseRequest, *, day: int, slot: int, therapist: int | None) -> int:
    """Cost of a session's not being where one was until now, 0 for a course without former times."""
    if not course.former:
        return 0
    here = next((f for f in course.former if f.day == day), None)
    if here is not None:
        if (here.slot, here.therapist) == (slot, therapist):
            return 0
        quarters, same = -(-abs(slot - here.slot) // QUARTER), here.therapist == therapist
    else:
        quarters = min(-(-abs(slot - f.slot) // QUARTER) for f in course.former)
        same = any(f.therapist == therapist for f in course.former)
    cost = profile.moved + profile.moved_time * quarters
    return cost + (0 if same else profile.moved_therapist) + (0 if here is not None else profile.moved_day)


def accepts(course: CourseRequest, option: TherapistOption) -> bool:
    """No must of the course rules the therapist out."""
    if course.gender and option.gender != course.gender:
        return False
    if option.therapist in course.excluded_therapists:
        return False
    if course.language_strength is Strength.MUST and course.languages and not course.languages & option.languages:
        return False
    must = course.therapist_strength is Strength.MUST and course.preferred_therapist is not None
    return not must or option.therapist == course.preferred_therapist
