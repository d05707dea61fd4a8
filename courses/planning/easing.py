"""The families of concessions: what each must would be given up for, from a little to all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from .ground import Ground
from .reaching import fits
from .rules import Apart, DayLimit, OpensAfter, Rule, SameDay, selects
from .types import SLOTS_PER_DAY, CourseRequest, Key, Problem, Relaxation, Strength

HALF_HOUR = 6  # slots
FURTHEST_HOURS = 8  # half hours by which a window is moved at one end before any time of day is offered
MOST_MORE_DAYS = 4  # by which the maximal gap is eased
MOST_MORE_A_WEEK = 3

# How much is given up: changing the hour is less than changing the person, that less than waiting a month.
SIZES = {
    Relaxation.WINDOW: 4,
    Relaxation.WEEKDAYS: 4,
    Relaxation.EXCLUDED: 4,
    Relaxation.FINISH: 4,
    Relaxation.LANGUAGE: 5,
    Relaxation.GAP: 5,
    Relaxation.WEEKLY: 5,
    Relaxation.THERAPIST: 6,
    Relaxation.ROOM: 8,
    Relaxation.SEQUENCING: 10,
    Relaxation.GENDER: 12,
    Relaxation.FEWER: 14,
}


@dataclass(frozen=True, slots=True)
class Step:
    """A course eased so far; params and size are those of `Change`."""

    course: CourseRequest
    params: tuple[tuple[str, object], ...] = ()
    size: int = 0


Giving = Callable[[CourseRequest], Step]


@dataclass(frozen=True, slots=True)
class Ease:
    """One family for one course.

    widest: all of it given up; ladders: rows of smaller steps, each step of a row opening at least what the one before
    it does.
    """

    change: Relaxation
    key: Key
    widest: Giving
    ladders: tuple[tuple[Giving, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Eased:
    """A problem with some of its musts given up, and how much of each."""

    problem: Problem
    given: tuple[tuple[Ease, Giving, Step], ...] = ()

    @property
    def size(self) -> int:
        return sum(step.size for _, _, step in self.given)

    def course(self, key: Key) -> CourseRequest:
        return next(c for c in self.problem.courses if c.key == key)

    def give_up(self, ease: Ease, by: Giving | None = None) -> Eased:
        by = by or ease.widest
        step = by(self.course(ease.key))
        problem = _with_course(self.problem, step.course)
        if ease.change is Relaxation.SEQUENCING:
            problem = without_rules(problem, step.course)
        return Eased(problem, (*self.given, (ease, by, step)))

    def fits(self, key: Key) -> bool:
        """Whether the course could be placed if it were the only one."""
        return fits(Ground(self.problem), self.course(key))


def eases(problem: Problem, course: CourseRequest, *, most_sessions: int) -> Iterator[Ease]:
    """The families that give up something for this course, in the order of `Relaxation`."""
    makers: dict[Relaxation, Ease | None] = {
        Relaxation.WINDOW: _ease_window(course),
        Relaxation.WEEKDAYS: _ease_weekdays(problem, course),
        Relaxation.THERAPIST: _ease_therapist(course),
        Relaxation.GENDER: _simple(course, Relaxation.GENDER, bool(course.gender), gender=""),
        Relaxation.LANGUAGE: _simple(
            course,
            Relaxation.LANGUAGE,
            bool(course.languages) and course.language_strength is Strength.MUST,
            language_strength=Strength.WISH,
        ),
        Relaxation.GAP: _ease_gap(course),
        Relaxation.WEEKLY: _ease_weekly(course),
        Relaxation.EXCLUDED: _simple(
            course, Relaxation.EXCLUDED, bool(course.excluded_days), excluded_days=frozenset()
        ),
        Relaxation.FINISH: _ease_finish(problem, course),
        Relaxation.ROOM: _simple(
            course, Relaxation.ROOM, bool(course.other_rooms), rooms=(*course.rooms, *course.other_rooms)
        ),
        Relaxation.SEQUENCING: _ease_sequencing(problem, course),
        Relaxation.FEWER: _ease_number(course, most_sessions),
    }
    yield from (ease for ease in makers.values() if ease is not None)


def tighten(eased: Eased, ease: Ease) -> Eased:
    """The smallest step of the ease with which its course still fits alone, all of it where no ladder leads there."""
    best: tuple[int, Eased] | None = None
    for ladder in ease.ladders:
        low, high = 0, len(ladder) - 1
        if not eased.give_up(ease, ladder[high]).fits(ease.key):
            continue
        while low < high:
            middle = (low + high) // 2
            if eased.give_up(ease, ladder[middle]).fits(ease.key):
                high = middle
            else:
                low = middle + 1
        if best is None or low < best[0]:
            best = (low, eased.give_up(ease, ladder[low]))
    return best[1] if best else eased.give_up(ease)


def _with_course(problem: Problem, course: CourseRequest) -> Problem:
    return replace(problem, courses=tuple(course if c.key == course.key else c for c in problem.courses))


def _simple(course: CourseRequest, change: Relaxation, applies: bool, **fields: object) -> Ease | None:
    if not applies:
        return None
    return Ease(change, course.key, lambda c: Step(replace(c, **fields), size=SIZES[change]))  # type: ignore[arg-type]


def _ease_window(course: CourseRequest) -> Ease | None:
    """Half hours more at one end of the part of the day, else any time of it."""
    is_must = course.window is not None and course.window_strength is Strength.MUST
    window = course.window if is_must else course.hours
    if window is None:
        return None

    def widest(c: CourseRequest) -> Step:
        strength = Strength.WISH if is_must else c.window_strength
        return Step(replace(c, window_strength=strength, hours=None), size=SIZES[Relaxation.WINDOW])

    def moved(first: int, end: int) -> Giving:
        size = 1 + ((window[0] - first) + (end - window[1])) // (2 * HALF_HOUR)

        def step(c: CourseRequest) -> Step:
            fields: dict[str, object] = {"hours": None, "window": (first, end)} if is_must else {"hours": (first, end)}
            return Step(replace(c, **fields), (("window", (first, end)),), min(size, SIZES[Relaxation.WINDOW]))  # type: ignore[arg-type]

        return step

    steps = range(1, FURTHEST_HOURS + 1)
    earlier = tuple(moved(window[0] - HALF_HOUR * n, window[1]) for n in steps if window[0] >= HALF_HOUR * n)
    later = tuple(
        moved(window[0], window[1] + HALF_HOUR * n) for n in steps if window[1] + HALF_HOUR * n <= SLOTS_PER_DAY
    )
    return Ease(Relaxation.WINDOW, course.key, widest, tuple(ladder for ladder in (earlier, later) if ladder))


def _ease_weekdays(problem: Problem, course: CourseRequest) -> Ease | None:
    """One weekday more, say Saturday; else any."""
    if not course.weekdays or course.weekdays_strength is not Strength.MUST:
        return None
    first = problem.horizon.first_day.weekday()
    open_ = {(first + d) % 7 for d, opening in enumerate(problem.horizon.opening) if opening}

    def more(weekday: int) -> Giving:
        return lambda c: Step(replace(c, weekdays=c.weekdays | {weekday}), (("weekdays", (weekday,)),), 2)

    return Ease(
        Relaxation.WEEKDAYS,
        course.key,
        lambda c: Step(replace(c, weekdays_strength=Strength.WISH), size=SIZES[Relaxation.WEEKDAYS]),
        tuple((more(weekday),) for weekday in sorted(open_ - course.weekdays)),
    )


def _ease_therapist(course: CourseRequest) -> Ease | None:
    is_must = course.preferred_therapist is not None and course.therapist_strength is Strength.MUST
    strength = Strength.WISH if is_must else course.therapist_strength
    applies = is_must or bool(course.excluded_therapists)
    return _simple(course, Relaxation.THERAPIST, applies, therapist_strength=strength, excluded_therapists=frozenset())


def _ease_gap(course: CourseRequest) -> Ease | None:
    chained = course.sessions + len(course.pinned) + bool(course.done_days) > 1
    if course.series is not None or course.gap_max is None or not chained:
        return None
    widest = course.gap_max

    def longer(days: int) -> Giving:
        gap = widest + days
        return lambda c: Step(replace(c, gap_max=gap), (("gap_max", gap),), SIZES[Relaxation.GAP] + days - 1)

    ladder = tuple(longer(days) for days in range(1, MOST_MORE_DAYS + 1))
    return Ease(Relaxation.GAP, course.key, ladder[-1], (ladder,))


def _ease_weekly(course: CourseRequest) -> Ease | None:
    if course.series is not None or course.per_week is None or course.per_week >= 6 or course.sessions < 2:
        return None
    most = course.per_week

    def more(count: int) -> Giving:
        return lambda c: Step(
            replace(c, per_week=most + count), (("per_week", most + count),), SIZES[Relaxation.WEEKLY] + count - 1
        )

    ladder = tuple(more(n) for n in range(1, min(MOST_MORE_A_WEEK, 6 - most) + 1))
    return Ease(Relaxation.WEEKLY, course.key, ladder[-1], (ladder,))


def _ease_finish(problem: Problem, course: CourseRequest) -> Ease | None:
    """Later by as many days as it takes."""
    end, last = course.finish_day, problem.horizon.days - 1
    if end is None or end >= last:
        return None

    def later(day: int) -> Giving:
        return lambda c: Step(
            replace(c, finish_day=day), (("finish_day", day),), SIZES[Relaxation.FINISH] + (day - end) // 3
        )

    ladder = tuple(later(day) for day in range(end + 1, last + 1))
    return Ease(Relaxation.FINISH, course.key, ladder[-1], (ladder,))


def _ease_number(course: CourseRequest, most: int) -> Ease | None:
    if not 0 < most < course.sessions:
        return None
    size = SIZES[Relaxation.FEWER] + course.sessions - most

    def fewer(c: CourseRequest) -> Step:
        return Step(replace(c, sessions=most), (("sessions", most),), size)

    return Ease(Relaxation.FEWER, course.key, fewer)


def _ease_sequencing(problem: Problem, course: CourseRequest) -> Ease | None:
    """Without the rules that set this course's procedure beside others; a doctor's to give up."""
    if problem == without_rules(problem, course) and not course.not_same_day_with:
        return None
    return _simple(course, Relaxation.SEQUENCING, True, not_same_day_with=frozenset())


def without_rules(problem: Problem, course: CourseRequest) -> Problem:
    """The problem without the rules that set this course's procedure beside others."""
    courses = tuple(
        replace(c, not_same_day_with=c.not_same_day_with - {course.procedure})
        if course.procedure in c.not_same_day_with
        else c
        for c in problem.courses
    )
    return replace(problem, courses=courses, rules=tuple(r for r in problem.rules if not _concerns(r, course)))


def _concerns(rule: Rule, course: CourseRequest) -> bool:
    match rule:
        case SameDay(first, then):
            selectors = (first, then)
        case Apart(one, other):
            selectors = (one, other)
        case DayLimit(selector):
            selectors = (selector, selector)
        case OpensAfter():
            return rule.course == course.key
        case _:
            return False
    return any(selects(s, course.procedure, course.tags) for s in selectors)
