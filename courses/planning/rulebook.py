"""What the rules between procedures come to for the courses of one problem, in the solvers' terms.

Everything here is asked about one course beside sessions that are fixed (booked, or taken by other courses), or about
a pair of courses; `patterns` and `sweep` make joint searches of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from . import masks
from .rules import Apart, DayLimit, OpensAfter, Review, SameDay, selects
from .types import SLOTS_PER_DAY, CourseRequest, Key, PlannedSession, Problem

NO_LIMIT = SLOTS_PER_DAY  # a lag no day is long enough for


class Spacing(NamedTuple):
    """Slots from the end of the earlier of two sessions of one day to the start of the later."""

    least: int = 0
    most: int = NO_LIMIT


class Kind(NamedTuple):
    """What rules look at: a course, known by its key, or a session booked already."""

    course: Key | None
    procedure: str
    tags: frozenset[str]

    def is_of(self, selector: str) -> bool:
        return selects(selector, self.procedure, self.tags)


class Fixed(NamedTuple):
    """A session that stays: half-open slots of its day."""

    kind: Kind
    start: int
    end: int


def kind_of(course: CourseRequest) -> Kind:
    return Kind(course.key, course.procedure, course.tags)


@dataclass(slots=True)
class RuleBook:
    """The rules of one problem.  Spacings of pairs are kept, as patterns ask for the same ones again and again."""

    problem: Problem
    same_day: list[SameDay] = field(init=False)
    apart_rules: list[Apart] = field(init=False)
    limits: list[DayLimit] = field(init=False)
    openings: list[OpensAfter] = field(init=False)
    reviews: list[Review] = field(init=False)
    booked: Mapping[int, tuple[Fixed, ...]] = field(init=False)
    _spacings: dict[tuple[Kind, Kind], Spacing | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        rules = self.problem.rules
        self.same_day = [r for r in rules if isinstance(r, SameDay)]
        self.apart_rules = [r for r in rules if isinstance(r, Apart)]
        self.limits = [r for r in rules if isinstance(r, DayLimit)]
        # Of a part of a programme, only the rules for its courses; those they follow may be booked already.
        asked, known = {c.key for c in self.problem.courses}, known_courses(self.problem)
        self.openings = [r for r in rules if isinstance(r, OpensAfter) and r.course in asked and r.after in known]
        self.reviews = [r for r in rules if isinstance(r, Review) and r.course in asked and r.of in known]
        booked: dict[int, list[Fixed]] = defaultdict(list)
        for s in self.problem.patient.sessions:
            booked[s.day].append(Fixed(Kind(s.course, s.procedure, s.tags), s.slot, s.slot + s.slots))
        self.booked = {day: tuple(sessions) for day, sessions in booked.items()}

    def __bool__(self) -> bool:
        return bool(self.problem.rules)

    # -- one day ------------------------------------------------------------------------------------------------------

    def spacing(self, earlier: Kind, later: Kind) -> Spacing | None:
        """How far one must follow the other on a day; None where this order is not allowed."""
        if not self.problem.rules:
            return Spacing()
        pair = (earlier, later)
        if pair not in self._spacings:
            self._spacings[pair] = self._spacing(earlier, later)
        return self._spacings[pair]

    def _spacing(self, earlier: Kind, later: Kind) -> Spacing | None:
        least, most = 0, NO_LIMIT
        for rule in self.same_day:
            forward = earlier.is_of(rule.first) and later.is_of(rule.then)
            backward = earlier.is_of(rule.then) and later.is_of(rule.first)
            if rule.ordered and backward and not forward:
                return None
            if forward or (backward and not rule.ordered):
                least = max(least, rule.rest)
                most = most if rule.lag is None else min(most, rule.lag)
        for review in self.reviews:
            if (earlier.course, later.course) == (review.course, review.of):
                return None
        return Spacing(least, most) if least <= most else None

    def exceeds_limit(self, kinds: Collection[Kind]) -> bool:
        """More sessions of a tag than a day may hold."""
        return any(sum(kind.is_of(limit.selector) for kind in kinds) > limit.most for limit in self.limits)

    def starts(self, course: CourseRequest, slots: int, fixed: Iterable[Fixed]) -> int:
        """Mask of the starts of a day at which a session keeps its spacing to the sessions that are fixed there."""
        own = kind_of(course)
        allowed = masks.interval_mask(0, SLOTS_PER_DAY)
        for other in fixed:
            if other.kind.course == course.key:
                continue
            suits = 0
            if (before := self.spacing(own, other.kind)) is not None:
                last = other.start - before.least - slots
                suits |= masks.interval_mask(other.start - before.most - slots, last + 1)
            if (after := self.spacing(other.kind, own)) is not None:
                suits |= masks.interval_mask(other.end + after.least, other.end + after.most + 1)
            allowed &= suits
        return allowed

    # -- across days --------------------------------------------------------------------------------------------------

    def apart(self, one: Kind, other: Kind) -> int:
        """The least number of calendar days between sessions of both; 0 where they may share a day."""
        days = [
            rule.days + 1
            for rule in self.apart_rules
            if (one.is_of(rule.one) and other.is_of(rule.other)) or (one.is_of(rule.other) and other.is_of(rule.one))
        ]
        return max(days, default=0)

    def barred_days(self, course: CourseRequest, fixed: Mapping[int, tuple[Fixed, ...]]) -> set[int]:
        """Days on which the course may not be because of what is fixed on them or near them."""
        own = kind_of(course)
        barred: set[int] = set()
        for day, sessions in fixed.items():
            others = [s.kind for s in sessions if s.kind.course != course.key]
            distance = max((self.apart(own, kind) for kind in others), default=0)
            barred |= set(range(day - distance + 1, day + distance))
            if self.exceeds_limit([*others, own]):
                barred.add(day)
        return barred

    # -- along courses ------------------------------------------------------------------------------------------------

    def number_windows(
        self, course: CourseRequest, taken: Mapping[Key, Collection[PlannedSession]]
    ) -> dict[int, tuple[int, int]]:
        """Session number (1 = the first ever, those given counted) → first and last day it may lie on, beside the
        courses in `taken`.  Numbers without a window are missing.
        """
        windows: dict[int, tuple[int, int]] = {}
        for number, low, high in self._windows(course, taken):
            before = windows.get(number, (0, self.problem.horizon.days - 1))
            windows[number] = (max(before[0], low), min(before[1], high))
        return windows

    def _windows(
        self, course: CourseRequest, taken: Mapping[Key, Collection[PlannedSession]]
    ) -> Iterator[tuple[int, int, int]]:
        end = self.problem.horizon.days - 1
        courses = {c.key: c for c in self.problem.courses}
        days = {key: self._days_of(key, courses.get(key), taken.get(key, ())) for key in known_courses(self.problem)}
        for rule in self.openings:
            if courses[rule.course].done_days:
                continue  # it has opened
            if rule.course == course.key and len(days[rule.after]) >= rule.sessions:
                yield 1, days[rule.after][rule.sessions - 1] + 1, end
            elif rule.after == course.key and days[rule.course]:
                yield rule.sessions, 0, days[rule.course][0] - 1
        for review in self.reviews:
            known = days.get(review.of, [])
            if review.course == course.key:
                for number, after in enumerate(review.after, start=1):
                    if after <= len(known):
                        last = known[after] - 1 if after < len(known) else end
                        yield number, known[after - 1], min(last, known[after - 1] + review.within)
            elif review.of == course.key:
                for after, day in zip(review.after, days[review.course], strict=False):
                    yield after, day - review.within, day
                    yield after + 1, day + 1, end

    def _days_of(self, key: Key, course: CourseRequest | None, taken: Iterable[PlannedSession]) -> list[int]:
        """Days of a course's sessions in order: given, pinned, and taken; of one not asked for, those booked."""
        if course is None:
            return sorted(s.day for s in self.problem.patient.sessions if s.course == key)
        return sorted([*course.done_days, *(p.day for p in course.pinned), *(s.day for s in taken)])


def known_courses(problem: Problem) -> set[Key]:
    """Courses that a rule can speak of: those asked for, and those with sessions booked."""
    booked = {s.course for s in problem.patient.sessions if s.course is not None}
    return {c.key for c in problem.courses} | booked
