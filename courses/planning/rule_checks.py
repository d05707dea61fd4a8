"""Does a plan keep the rules between procedures?  Pair by pair, with nothing of the planners' own arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from .rules import Apart, DayLimit, NotTogether, OpensAfter, Review, SameDay, selects
from .types import CourseRequest, Key, PlannedSession, Problem, Violation


@dataclass(frozen=True, slots=True)
class _Event:
    """A session of the patient, planned (number > 0) or there already."""

    course: Key | None
    number: int
    procedure: str
    tags: frozenset[str]
    day: int
    start: int
    end: int

    def is_of(self, selector: str) -> bool:
        return selects(selector, self.procedure, self.tags)


def check_rules(
    problem: Problem, requests: dict[Key, CourseRequest], sessions: list[PlannedSession]
) -> Iterator[Violation]:
    """Every rule that planned sessions break among themselves or beside what is booked."""
    if not problem.rules:
        return
    events = [_event(requests[s.course], s) for s in sessions]
    events += [
        _Event(b.course, 0, b.procedure, b.tags, b.day, b.slot, b.slot + b.slots) for b in problem.patient.sessions
    ]
    events.sort(key=lambda e: (e.day, e.start))
    for a, b in combinations(events, 2):
        # What was booked before is not the plan's doing, and one course keeps its own rhythm.
        if (a.number or b.number) and (a.course is None or a.course != b.course):
            yield from _check_pair(problem, a, b)
    yield from _check_limits(problem, events)
    for rule in problem.rules:
        if isinstance(rule, OpensAfter) and rule.course in requests:
            yield from _check_opening(problem, rule, requests, sessions)
        elif isinstance(rule, Review) and rule.course in requests:
            yield from _check_review(problem, rule, requests, sessions)


def _event(course: CourseRequest, s: PlannedSession) -> _Event:
    return _Event(s.course, s.number, course.procedure, course.tags, s.day, s.slot, s.slot + s.slots)


def _check_pair(problem: Problem, a: _Event, b: _Event) -> Iterator[Violation]:
    """a starts before b or with it."""
    named = a if a.number else b
    for rule in problem.rules:
        code = None
        if isinstance(rule, SameDay) and a.day == b.day:
            code = _spacing_fault(rule, a, b)
        elif isinstance(rule, Apart) and b.day - a.day <= rule.days:
            if (a.is_of(rule.one) and b.is_of(rule.other)) or (a.is_of(rule.other) and b.is_of(rule.one)):
                code = "too_near"
        elif isinstance(rule, NotTogether) and a.number and b.number:
            if (a.is_of(rule.one) and b.is_of(rule.other)) or (a.is_of(rule.other) and b.is_of(rule.one)):
                code = "not_together"
        elif isinstance(rule, Review) and a.day == b.day and (a.course, b.course) == (rule.course, rule.of):
            code = "review_before_session"
        if code is not None:
            yield Violation(code, named.course, named.number, {"with": (b if named is a else a).procedure})


def _spacing_fault(rule: SameDay, a: _Event, b: _Event) -> str | None:
    forward = a.is_of(rule.first) and b.is_of(rule.then)
    backward = a.is_of(rule.then) and b.is_of(rule.first)
    if not forward and not backward:
        return None
    if rule.ordered and not forward:
        return "wrong_order"
    if b.start - a.end < rule.rest:
        return "too_little_rest"
    if rule.lag is not None and b.start - a.end > rule.lag:
        return "too_late_after"
    return None


def _check_limits(problem: Problem, events: list[_Event]) -> Iterator[Violation]:
    for rule in problem.rules:
        if not isinstance(rule, DayLimit):
            continue
        for day in sorted({e.day for e in events if e.number}):
            found = [e for e in events if e.day == day and e.is_of(rule.selector)]
            planned = [e for e in found if e.number]
            if len(found) > rule.most and planned:
                yield Violation("too_many_a_day", planned[-1].course, planned[-1].number, {"most": rule.most})


def _days(problem: Problem, course: CourseRequest | None, key: Key, sessions: list[PlannedSession]) -> list[int]:
    if course is None:  # not asked for
        return sorted(s.day for s in problem.patient.sessions if s.course == key)
    own = [s.day for s in sessions if s.course == key]
    return sorted([*course.done_days, *(p.day for p in course.pinned), *own])


def _check_opening(
    problem: Problem, rule: OpensAfter, requests: dict[Key, CourseRequest], sessions: list[PlannedSession]
) -> Iterator[Violation]:
    course = requests[rule.course]
    days = _days(problem, course, rule.course, sessions)
    known = _days(problem, requests.get(rule.after), rule.after, sessions)
    if course.done_days or not days or not known:
        return
    if len(known) < rule.sessions or days[0] <= known[rule.sessions - 1]:
        yield Violation("opens_too_early", course.key, 1, {"after": rule.after, "sessions": rule.sessions})


def _check_review(
    problem: Problem, rule: Review, requests: dict[Key, CourseRequest], sessions: list[PlannedSession]
) -> Iterator[Violation]:
    visits = _days(problem, requests[rule.course], rule.course, sessions)
    known = _days(problem, requests.get(rule.of), rule.of, sessions)
    if not known:
        return
    planned = {s.day: s.number for s in sessions if s.course == rule.course}
    for day, after in zip(visits, rule.after, strict=False):
        if day not in planned:
            continue
        if after > len(known) or day < known[after - 1] or day - known[after - 1] > rule.within:
            yield Violation("review_not_after_session", rule.course, planned[day], {"after": after})
        elif after < len(known) and day >= known[after]:
            yield Violation("review_after_next_session", rule.course, planned[day], {"after": after})
