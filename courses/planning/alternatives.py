"""Several plans to choose from, each the best by its own profile, and what each costs against the others.

A profile promises one figure: *earliest finish* the last day, *fewest visits* the days the patient has to come, *same
therapist* the changes of therapist.  The promise comes first and the profile's weights decide among what keeps it; of
the plans returned none beats another at what that one promises.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .costing import plan_cost, plan_stats
from .ground import Ground
from .reaching import earliest_end
from .solving import plan
from .types import (
    PROFILES,
    SLOT_MINUTES,
    Budget,
    CourseRequest,
    NoPlan,
    Plan,
    PlannedSession,
    Problem,
)

THREE = ("earliest_finish", "fewest_visits", "same_therapist")
LARGEST_WEIGHT, LARGEST_SUM = 5000, 400_000  # of what is promised; all costs together stay below `IMPOSSIBLE`
LEAST_SHARE = 0.05  # seconds for a profile whose predecessors have spent everything


@dataclass(frozen=True, slots=True)
class Figures:
    """What people compare plans by; of each, except the first day and the usual time, less is better.

    visits: days on which the patient has to come who otherwise would not; changes: therapists of each course beyond
    its first, over all courses; therapists: different people; usual_slot: when visits usually start.
    """

    first_day: int
    last_day: int
    visits: int
    wait_minutes: int
    therapists: int
    changes: int
    broken_wishes: int
    usual_slot: int | None


COMPARED = ("last_day", "visits", "wait_minutes", "therapists", "changes", "broken_wishes")
_PROMISES = {"earliest_finish": "last_day", "fewest_visits": "visits", "same_therapist": "changes"}


@dataclass(frozen=True, slots=True)
class Alternative:
    """A plan, and the profiles it is the best for: more than one where they coincide.

    best_in: the figures of `COMPARED` in which no alternative is better and at least one is worse.
    `plan.cost`, `bound` and `proven` are those of its first profile, among plans that keep the profile's promise.
    """

    profiles: tuple[str, ...]
    plan: Plan
    figures: Figures
    best_in: tuple[str, ...] = ()


def alternatives(
    problem: Problem, profiles: Sequence[str] = THREE, budget: Budget | None = None
) -> tuple[Alternative, ...] | NoPlan:
    """The best plan by each of the profiles (names of `PROFILES`), in their order, those that coincide as one.

    Plans coincide when all figures that people compare are equal.  The budget's steps are for each profile, its
    seconds for all of them together.  Raises ProblemError for a problem that is none.
    """
    budget = budget or Budget()
    started = budget.clock() if budget.clock else 0.0
    solved: dict[str, Plan] = {}
    for number, name in enumerate(profiles):
        share = _share(budget, started, len(profiles) - number)
        found = _solve(replace(problem, profile=PROFILES[name]), share)
        if isinstance(found, NoPlan):
            if found.proven or (not solved and number == len(profiles) - 1):
                return found
            continue
        solved[name] = found
    chosen = {name: _best_of(problem, name, solved) for name in profiles}
    return _compare(_merge(problem, chosen))


def figures_of(problem: Problem, sessions: Iterable[PlannedSession]) -> Figures:
    """Counted from the sessions alone."""
    sessions = list(sessions)
    days = sorted({s.day for s in sessions})
    stats = plan_stats(problem, sessions, combinations=0, rounds=0)
    return Figures(
        first_day=days[0],
        last_day=days[-1],
        visits=len(set(days) - set(problem.patient.visits)),
        wait_minutes=stats.wait_slots * SLOT_MINUTES,
        therapists=stats.therapists,
        changes=sum(_changes(course, sessions) for course in problem.courses),
        broken_wishes=stats.broken_wishes,
        usual_slot=stats.arrival_slot,
    )


def differences(one: Figures, other: Figures) -> dict[str, int]:
    """By how much `one` is worse than the other in each compared figure; negative where it is better."""
    return {name: getattr(one, name) - getattr(other, name) for name in COMPARED}


def _changes(course: CourseRequest, sessions: list[PlannedSession]) -> int:
    used = {s.therapist for s in sessions if s.course == course.key} | {p.therapist for p in course.pinned}
    return max(0, len(used - {None}) - 1)


def _share(budget: Budget, started: float, left: int) -> Budget:
    if budget.seconds is None or budget.clock is None:
        return budget
    remaining = budget.seconds - (budget.clock() - started)
    return replace(budget, seconds=max(LEAST_SHARE, remaining / left))


def _solve(problem: Problem, budget: Budget) -> Plan | NoPlan:
    """The best plan by the problem's profile, its promise before everything else."""
    weight = min(LARGEST_WEIGHT, LARGEST_SUM // max(1, sum(c.sessions for c in problem.courses)))
    match problem.profile.name:
        case "earliest_finish":
            return _finish_first(problem, budget)
        case "fewest_visits":
            strict = replace(problem, profile=replace(problem.profile, visit=weight, combined_visit=0))
        case "same_therapist":
            courses = tuple(replace(c, extra_therapist=1) for c in problem.courses)
            strict = replace(problem, courses=courses, profile=replace(problem.profile, extra_therapist_factor=weight))
        case _:
            return plan(problem, budget=budget)
    found = plan(strict, budget=budget)
    return found if isinstance(found, NoPlan) else _recost(problem, found)


def _recost(problem: Problem, found: Plan) -> Plan:
    """A plan found under stricter weights, with its cost and bound under the problem's own.

    What it keeps of the promise costs the same for every plan that keeps it as well.
    """
    cost = plan_cost(problem, found.sessions)
    bound = cost if found.proven else min(cost, max(0, found.bound - (found.cost - cost)))
    return replace(found, cost=cost, bound=bound, proven=bound == cost)


def _finish_first(problem: Problem, budget: Budget) -> Plan | NoPlan:
    """The earliest last day first: a plan, then others under ever tighter caps until none is left to be found."""
    started = budget.clock() if budget.clock else 0.0
    best = plan(problem, budget=budget)
    if isinstance(best, NoPlan):
        return best
    low = _earliest(problem)
    while (last := best.sessions[-1].day) > low:
        middle = (low + last) // 2
        found = plan(_capped(problem, middle), budget=_share(budget, started, 2))
        if isinstance(found, Plan):
            best = found
        elif found.proven:
            low = middle + 1
        else:
            return replace(best, bound=min(best.bound, best.cost - 1), proven=False)
    capped = plan(_capped(problem, last), budget=_share(budget, started, 1))
    return capped if isinstance(capped, Plan) else best


def _capped(problem: Problem, last: int) -> Problem:
    def cap(course: CourseRequest) -> CourseRequest:
        return replace(course, finish_day=last if course.finish_day is None else min(course.finish_day, last))

    return replace(problem, courses=tuple(cap(c) for c in problem.courses))


def _earliest(problem: Problem) -> int:
    """No plan ends before this day: the latest of the days on which each course could end if it were alone."""
    ends = [course.start_day for course in problem.courses]
    for course in problem.courses:
        alone = None if course.pinned else earliest_end(Ground(replace(problem, courses=(course,))), course)
        ends.append(alone or 0)
    return max(ends)


def _best_of(problem: Problem, name: str, solved: dict[str, Plan]) -> Plan:
    """Of all plans found the one that keeps the profile's promise best.

    Of several that keep it alike, one that another beats in some figure and loses to in none is not worth showing; then
    the profile's weights decide.
    """
    own = replace(problem, profile=PROFILES[name])
    figures = {candidate: figures_of(own, found.sessions) for candidate, found in solved.items()}
    if name in _PROMISES:
        promised = min(getattr(f, _PROMISES[name]) for f in figures.values())
        figures = {c: f for c, f in figures.items() if getattr(f, _PROMISES[name]) == promised}
    worth = [c for c, f in figures.items() if not any(_beats(other, f) for other in figures.values())]
    costs = {candidate: plan_cost(own, solved[candidate].sessions) for candidate in worth}
    best = min(worth, key=lambda candidate: (costs[candidate], candidate != name))
    if best == name:
        return solved[name]
    bound = min(solved[name].bound, costs[best]) if name in solved else 0
    return replace(solved[best], cost=costs[best], bound=bound, proven=bound == costs[best])


def _beats(one: Figures, other: Figures) -> bool:
    values = differences(one, other).values()
    return max(values) <= 0 and min(values) < 0


def _merge(problem: Problem, chosen: dict[str, Plan]) -> list[Alternative]:
    """Plans with the same figures as one; it keeps the cost and bound of a profile by which it is proven, if any."""
    found: dict[tuple[int, ...], Alternative] = {}
    for name, one in chosen.items():
        figures = figures_of(problem, one.sessions)
        key = (figures.first_day, *(getattr(figures, figure) for figure in COMPARED))
        known = found.get(key)
        if known is None:
            found[key] = Alternative((name,), one, figures)
        elif one.proven and not known.plan.proven:
            found[key] = Alternative((name, *known.profiles), one, figures)
        else:
            found[key] = replace(known, profiles=(*known.profiles, name))
    return list(found.values())


def _compare(found: list[Alternative]) -> tuple[Alternative, ...]:
    def best_in(one: Alternative) -> tuple[str, ...]:
        names = []
        for name in COMPARED:
            values = [getattr(a.figures, name) for a in found]
            if getattr(one.figures, name) == min(values) < max(values):
                names.append(name)
        return tuple(names)

    return tuple(replace(one, best_in=best_in(one)) for one in found)
