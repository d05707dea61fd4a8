"""Several courses of one patient: one after another in several orders, then each again around the others.

Every course shares visits with what is already placed.  The result is a plan no single course can improve, with a lower
bound; `joint` closes the gap where it can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from .classes import solve_classes
from .costing import arrival_costs, plan_cost
from .ground import Ground
from .single import CourseSolution, solve_course
from .types import Budget, CourseRequest, Key, PlannedSession

ORDERS = 24


@dataclass(frozen=True, slots=True)
class Draft:
    """A complete placement of all courses."""

    placed: tuple[tuple[Key, tuple[PlannedSession, ...]], ...]
    cost: int

    @property
    def sessions(self) -> tuple[PlannedSession, ...]:
        return tuple(s for _, sessions in self.placed for s in sessions)


def solve_one(
    ground: Ground, course: CourseRequest, *, anchor_costs: dict[int, int] | None = None
) -> CourseSolution | None:
    """The cheapest placement of a course of either kind on a ground."""
    if course.series is not None:
        return solve_classes(ground, course, anchor_costs=anchor_costs)
    return solve_course(ground, course, anchor_costs=anchor_costs)


class Search:
    """The state of one search over several courses: what it spent and the best draft so far."""

    def __init__(self, ground: Ground, budget: Budget) -> None:
        self.ground, self.budget = ground, budget
        self.problem = ground.problem
        self.combinations = 0
        self.rounds = 0
        self.best: Draft | None = None
        self._started = budget.clock() if budget.clock else 0.0

    def spent(self) -> bool:
        """Whether to stop.  Before a first plan is found the budget stretches."""
        if self.budget.cancelled is not None and self.budget.cancelled():
            return True
        stretch = 1 if self.best else self.budget.last_resort
        if self.budget.steps is not None and self.rounds >= self.budget.steps * stretch:
            return True
        if self.budget.seconds is None or self.budget.clock is None:
            return False
        return self.budget.clock() - self._started >= self.budget.seconds * stretch

    def keep(self, placed: dict[Key, tuple[PlannedSession, ...]]) -> Draft:
        """A draft of what is placed, remembered if it is the best."""
        ordered = tuple((c.key, placed[c.key]) for c in self.problem.courses)
        draft = Draft(ordered, plan_cost(self.problem, [s for _, ss in ordered for s in ss]))
        if self.best is None or draft.cost < self.best.cost:
            self.best = draft
        return draft

    def place(
        self, course: CourseRequest, others: list[PlannedSession], *, anchored: bool = True
    ) -> tuple[PlannedSession, ...] | None:
        """The course around the sessions of others; None if it does not fit."""
        self.rounds += 1
        ground = self.ground.beside(others) if others else self.ground
        costs = arrival_costs(self.problem, others) if others and anchored else None
        solution = solve_one(ground, course, anchor_costs=costs)
        if solution is None:
            return None
        self.combinations += solution.combinations
        return solution.sessions

    def in_turn(self, order: tuple[CourseRequest, ...]) -> dict[Key, tuple[PlannedSession, ...]] | None:
        """All courses, one after another; None as soon as one does not fit."""
        placed: dict[Key, tuple[PlannedSession, ...]] = {}
        taken: list[PlannedSession] = []
        for course in order:
            sessions = self.place(course, taken)
            if sessions is None:
                return None
            placed[course.key] = sessions
            taken += sessions
        return placed

    def settle(self, placed: dict[Key, tuple[PlannedSession, ...]]) -> Draft:
        """Re-optimise one course at a time around the others until none gets better."""
        draft = self.keep(placed)
        stale = 0
        while stale < len(self.problem.courses):
            for course in self.problem.courses:
                if self.spent():
                    return draft
                others = [s for key, sessions in draft.placed for s in sessions if key != course.key]
                again = self.place(course, others)
                changed = dict(draft.placed) | ({course.key: again} if again is not None else {})
                better = self.keep(changed)
                if better.cost < draft.cost:
                    draft, stale = better, 0
                else:
                    stale += 1
                if stale >= len(self.problem.courses):
                    break
        return draft


def orders(courses: tuple[CourseRequest, ...]) -> Iterator[tuple[CourseRequest, ...]]:
    """Orders to try: all for up to four courses, else rotations of the given one and of its reverse."""
    if len(courses) <= 4:
        yield from permutations(courses)
        return
    for base in (courses, courses[::-1]):
        for i in range(len(base)):
            yield base[i:] + base[:i]


def search_in_orders(search: Search, *, enough: int) -> Draft | None:
    """The best of the first drafts that orders give, `enough` of them, settled; None if no order fits all courses."""
    seen: set[tuple[PlannedSession, ...]] = set()
    for order in orders(search.problem.courses):
        if search.spent() or len(seen) >= enough:
            break
        placed = search.in_turn(order)
        if placed is not None:
            seen.add(search.keep(placed).sessions)
    if search.best is not None:
        search.settle(dict(search.best.placed))
    return search.best
