"""Concessions: minimal sets of musts to give up, each as little as opens a plan, solved, and what they bring.

A set is minimal where none of its parts opens a plan by itself.  Sets of up to three families are tried: of a course
that does not fit even alone all of them; of courses that only do not fit together as many as the time allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations, product

from .costing import by_day
from .easing import Ease, Eased, Giving, eases, tighten
from .ground import Ground
from .programme import solve_one
from .reaching import earliest_end, most_sessions
from .solving import plan
from .types import (
    EARLIEST_FINISH,
    Budget,
    Change,
    Concession,
    CourseExplanation,
    CourseRequest,
    Key,
    Plan,
    PlannedSession,
    Problem,
    Relaxation,
)

LARGEST_SET = 3
MOST_PLANS = 10  # sets tried on several courses together, a tenth of a second each
MOST_PER_COURSE = 4  # minimal sets of one stuck course that are tried beside those of another
MOST_CUTS = 4  # tries for an earlier finish of several courses together
MOST_SHOWN = 4
QUICK = Budget(steps=4, last_resort=2)

Names = frozenset[tuple[Key, Relaxation]]


def find_concessions(problem: Problem, explained: tuple[CourseExplanation, ...]) -> tuple[Concession, ...]:
    """The smallest sets of changes that open a plan, best first; () if none of those tried does.

    explained: the courses of the problem.
    """
    most = {e.course: e.most_sessions for e in explained}
    stuck = [e.course for e in explained if not e.alone]
    sets = _of_stuck(problem, stuck, most) if stuck else _of_all(problem, most)
    found: list[tuple[int, Concession]] = []
    opened: list[Names] = []
    tried = 0
    for eased in sets:
        names = frozenset((ease.key, ease.change) for ease, _, _ in eased.given)
        if any(smaller <= names for smaller in opened):
            continue
        if tried >= MOST_PLANS or len(found) >= MOST_SHOWN:
            break
        tried += 1
        solved = _open(problem, eased, tight=bool(stuck))
        if solved is not None:
            opened.append(names)
            found.append((solved[0].size, _concession(*solved)))
    found.sort(key=lambda pair: (pair[0], pair[1].last_day, pair[1].plan.cost))
    return tuple(concession for _, concession in found)


def _of_stuck(problem: Problem, stuck: list[Key], most: dict[Key, int]) -> list[Eased]:
    """Sets that let every course that is stuck alone fit alone, the smallest first."""
    per_course = [_minimal_sets(problem, key, most[key]) for key in stuck]
    if len(stuck) > 1:
        per_course = [own[:MOST_PER_COURSE] for own in per_course]
    joined = []
    for combination in product(*per_course):
        eased = Eased(problem)
        for one in combination:
            for ease, by, _ in one.given:
                eased = eased.give_up(ease, by)
        joined.append(eased)
    return sorted(joined, key=lambda eased: eased.size)


def _minimal_sets(problem: Problem, key: Key, most_sessions: int) -> list[Eased]:
    """Every minimal set of families with which the course fits alone, cut to what it takes, the smallest first."""
    course = next(c for c in problem.courses if c.key == key)
    families = list(eases(problem, course, most_sessions=most_sessions))
    found: list[Eased] = []
    opened: list[set[Relaxation]] = []
    for group in _groups(families):
        changes = {ease.change for ease in group}
        if any(smaller <= changes for smaller in opened):
            continue
        if _give_up(problem, [(ease, ease.widest) for ease in group]).fits(key):
            opened.append(changes)
            found.append(_tighten_all(problem, group))
    return sorted(found, key=lambda eased: eased.size)


def _of_all(problem: Problem, most: dict[Key, int]) -> Iterator[Eased]:
    """Sets for courses of which each fits alone: those of one course before those of two or three."""
    families = [ease for c in problem.courses for ease in eases(problem, c, most_sessions=most[c.key])]
    for group in _groups(families):
        yield _give_up(problem, [(ease, ease.widest) for ease in group])


def _groups(families: list[Ease]) -> Iterator[tuple[Ease, ...]]:
    for count in range(1, LARGEST_SET + 1):
        yield from combinations(families, count)


def _give_up(problem: Problem, giving: Iterable[tuple[Ease, Giving]]) -> Eased:
    eased = Eased(problem)
    for ease, by in giving:
        eased = eased.give_up(ease, by)
    return eased


def _tighten_all(problem: Problem, group: tuple[Ease, ...]) -> Eased:
    """Each ease of a group cut, one after another, to what its course takes to fit alone."""
    giving = {ease.change: (ease, ease.widest) for ease in group}
    for ease in group:
        others = [pair for change, pair in giving.items() if change is not ease.change]
        giving[ease.change] = (ease, tighten(_give_up(problem, others), ease).given[-1][1])
    return _give_up(problem, giving.values())


def _open(problem: Problem, eased: Eased, *, tight: bool) -> tuple[Eased, Plan] | None:
    """The plan with these concessions.  Where several courses need more than one by one, all of it is given up.

    tight: the steps are cut already.
    """
    if tight:
        found = plan(eased.problem, budget=QUICK)
        if isinstance(found, Plan):
            return eased, found
        if len(problem.courses) == 1:
            return None
    widest = _give_up(problem, [(ease, ease.widest) for ease, _, _ in eased.given])
    late = [ease for ease, _, _ in widest.given if ease.change is Relaxation.FINISH]
    if late:
        return _cut_finish(problem, widest, {ease.key for ease in late})
    found = plan(widest.problem, budget=QUICK)
    return (widest, found) if isinstance(found, Plan) else None


def _cut_finish(problem: Problem, widest: Eased, keys: set[Key]) -> tuple[Eased, Plan] | None:
    """A later finish of these courses, as early as a few tries find for all courses together."""
    soon = plan(replace(widest.problem, profile=EARLIEST_FINISH), budget=QUICK)
    if not isinstance(soon, Plan):
        return None
    ends = {key: max(s.day for s in soon.sessions if s.course == key) for key in keys}

    def until(last: int) -> Eased:
        return _give_up(problem, [(ease, by_day_of(ease, last) or by) for ease, by, _ in widest.given])

    def by_day_of(ease: Ease, last: int) -> Giving | None:
        if ease.change is not Relaxation.FINISH:
            return None
        asked = next(c.finish_day for c in problem.courses if c.key == ease.key) or 0
        return ease.ladders[0][max(0, min(last, ends[ease.key]) - asked - 1)]

    high = max(ends.values())
    alone = [earliest_end(Ground(widest.problem), widest.course(key)) for key in keys]
    low = max(day if day is not None else high for day in alone)
    found = plan(until(high).problem, budget=QUICK)
    for _ in range(MOST_CUTS):
        if low >= high:
            break
        middle = (low + high) // 2
        sooner = plan(until(middle).problem, budget=QUICK)
        if isinstance(sooner, Plan):
            high, found = middle, sooner
        else:
            low = middle + 1
    return (until(high), found) if isinstance(found, Plan) else None


def _concession(eased: Eased, found: Plan) -> Concession:
    changes = []
    for ease, _, step in eased.given:
        params = dict(step.params)
        if ease.change in {Relaxation.THERAPIST, Relaxation.GENDER, Relaxation.LANGUAGE}:
            own = {s.therapist for s in found.sessions if s.course == ease.key}
            params["therapists"] = tuple(sorted(t for t in own if t is not None))
        changes.append(Change(ease.key, ease.change, params))
    days = list(by_day(found.sessions))
    return Concession(tuple(changes), found, days[0], days[-1])


def find_partial(problem: Problem, explained: tuple[CourseExplanation, ...]) -> Plan | None:
    """A plan of as many sessions as were made to fit with every must kept; None where not one fits.

    Of courses that do not fit alone their most; if that is still too much together, each course takes as many as there
    is room for beside those before it, first come first or last come first.
    """
    most = {e.course: e.most_sessions for e in explained}
    courses = tuple(replace(c, sessions=most[c.key]) for c in problem.courses if most[c.key])
    if not courses:
        return None
    if not all(e.alone for e in explained):
        whole = plan(replace(problem, courses=courses), budget=QUICK)
        if isinstance(whole, Plan):
            return whole
    fewer = replace(problem, courses=courses)
    counts = max(_in_turn(fewer, courses), _in_turn(fewer, courses[::-1]), key=lambda found: sum(found.values()))
    kept = tuple(replace(c, sessions=counts[c.key]) for c in courses if counts[c.key])
    found = plan(replace(problem, courses=kept), budget=QUICK)
    return found if isinstance(found, Plan) else None


def _in_turn(problem: Problem, order: tuple[CourseRequest, ...]) -> dict[Key, int]:
    """How many sessions each course gets when one after another takes all it can."""
    counts: dict[Key, int] = {}
    taken: list[PlannedSession] = []
    for course in order:
        ground = Ground(problem).beside(taken)
        counts[course.key] = most_sessions(ground, course)
        solution = solve_one(ground, replace(course, sessions=counts[course.key])) if counts[course.key] else None
        taken += solution.sessions if solution else ()
    return counts
