"""Can the rules of a problem be kept at all?  Asked before any solving."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, permutations

from .rulebook import known_courses
from .rules import Apart, DayLimit, Key, NotTogether, OpensAfter, Review, SameDay, selects
from .types import CourseRequest, Flaw, Problem


def find_rule_flaws(problem: Problem) -> Iterator[Flaw]:
    """One flaw per rule that is none, and per pair of courses that rules forbid; cycles name a course of theirs."""
    courses = {c.key: c for c in problem.courses}
    for rule in problem.rules:
        match rule:
            case SameDay():
                if rule.rest < 0 or (rule.lag is not None and rule.lag < rule.rest):
                    yield Flaw(None, "rules", "lag_below_rest")
                if rule.ordered and rule.first == rule.then:
                    yield Flaw(None, "rules", "order_of_itself")
            case Apart():
                if rule.days < 0:
                    yield Flaw(None, "rules", "negative_days")
            case DayLimit():
                if rule.most < 1:
                    yield Flaw(None, "rules", "not_positive")
            case NotTogether():
                yield from _forbidden_pairs(problem, rule)
            case OpensAfter():
                yield from _opening_flaws(problem, courses, rule)
            case Review():
                yield from _review_flaws(problem, courses, rule)
    yield from _cycles(problem)


def _is_of(course: CourseRequest, selector: str) -> bool:
    return selects(selector, course.procedure, course.tags)


def _forbidden_pairs(problem: Problem, rule: NotTogether) -> Iterator[Flaw]:
    for a, b in combinations(problem.courses, 2):
        if (_is_of(a, rule.one) and _is_of(b, rule.other)) or (_is_of(a, rule.other) and _is_of(b, rule.one)):
            yield Flaw(b.key, "procedure", "not_together")


def _opening_flaws(problem: Problem, courses: dict[Key, CourseRequest], rule: OpensAfter) -> Iterator[Flaw]:
    if not {rule.course, rule.after} <= known_courses(problem):
        yield Flaw(None, "rules", "unknown_course")
    elif not 1 <= rule.sessions <= _total(problem, courses, rule.after):
        yield Flaw(rule.course, "rules", "more_than_there_are")


def _review_flaws(problem: Problem, courses: dict[Key, CourseRequest], rule: Review) -> Iterator[Flaw]:
    if not {rule.course, rule.of} <= known_courses(problem):
        yield Flaw(None, "rules", "unknown_course")
        return
    most = _total(problem, courses, rule.of)
    if list(rule.after) != sorted(set(rule.after)) or not all(1 <= n <= most for n in rule.after):
        yield Flaw(rule.course, "rules", "more_than_there_are")
    if _total(problem, courses, rule.course) != len(rule.after):
        yield Flaw(rule.course, "sessions", "not_the_reviews")
    if rule.within < 0:
        yield Flaw(rule.course, "rules", "negative_days")


def _total(problem: Problem, courses: dict[Key, CourseRequest], key: Key) -> int:
    course = courses.get(key)
    if course is None:
        return sum(s.course == key for s in problem.patient.sessions)
    return len(course.done_days) + len(course.pinned) + course.sessions


def _cycles(problem: Problem) -> Iterator[Flaw]:
    """Orders on a day, and openings, that lead back to where they began."""
    orders: dict[Key, set[Key]] = {c.key: set() for c in problem.courses}
    for rule in problem.rules:
        if isinstance(rule, SameDay) and rule.ordered:
            for a, b in permutations(problem.courses, 2):
                if _is_of(a, rule.first) and _is_of(b, rule.then):
                    orders[b.key].add(a.key)
    openings: dict[Key, set[Key]] = {c.key: set() for c in problem.courses}
    for rule in problem.rules:
        if isinstance(rule, OpensAfter) and rule.course in openings:
            openings[rule.course].add(rule.after)
    for graph in (orders, openings):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            yield Flaw(error.args[1][0], "rules", "cycle")
