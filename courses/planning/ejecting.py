"""Placing a whole caseload: what does not fit makes room for itself.

The best order to book in gives a start.  Then a prescription without a plan is tried in place of one or two of those
that hold what it needs; they are planned again on what is left, and whoever finds no place then may drive out others in
turn, to a small depth.  What is gained is kept, all else is put back.  With what is left of the budget, neighbours on
the calendar are taken off together and placed anew in other orders, where that costs less.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, permutations

from .caseload import (
    QUICK,
    Caseload,
    CaseloadPlan,
    Prescription,
    SharedCalendar,
    one_after_another,
    orders,
    result,
    tightness,
)
from .ground import Ground
from .programme import solve_one
from .solving import plan
from .types import Budget, CourseRequest, Key, NoPlan, Plan, PlannedSession

DEPTH = 2  # how many times one who is driven out may drive out another
RIVALS = 10  # tried one at a time
PAIRED = 5  # tried two at a time
SEED = 1

Progress = Callable[[int, int], None]


def plan_caseload(
    caseload: Caseload,
    *,
    budget: Budget,
    start: CaseloadPlan | None = None,
    each: Budget = QUICK,
    progress: Progress = lambda _steps, _unplaced: None,
) -> CaseloadPlan:
    """All prescriptions together: fewest unplaced, then fewest sessions unplaced, then least cost.

    Never worse than `start`, nor, without one, than any order.  budget: a step is one prescription planned; `each` is
    what that one gets.  The plans are verified beside one another.
    """
    if start is None:
        found = [one_after_another(caseload, order, name=name, budget=each) for name, order in orders(caseload).items()]
        start = min(found, key=lambda one: one.rank)
    search = _Ejection(caseload, start, budget, each, progress)
    search.run()
    return result(search.calendar, "together", steps=search.steps)


@dataclass(slots=True)
class _Ejection:
    caseload: Caseload
    start: CaseloadPlan
    budget: Budget
    each: Budget
    progress: Progress
    calendar: SharedCalendar = field(init=False)
    steps: int = 0
    _began: float = 0.0
    _by_key: dict[Key, Prescription] = field(default_factory=dict)
    _tight: dict[Key, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calendar = SharedCalendar(self.caseload)
        self._by_key = {one.key: one for one in self.caseload.prescriptions}
        self._tight = {one.key: tightness(one.problem) for one in self.caseload.prescriptions}
        self._began = self.budget.clock() if self.budget.clock else 0.0
        for key, placed in self.start.plans.items():
            self.calendar.take(key, placed)

    # -- budget and figures

    def spent(self) -> bool:
        if self.budget.cancelled is not None and self.budget.cancelled():
            return True
        if self.budget.steps is not None and self.steps >= self.budget.steps:
            return True
        if self.budget.seconds is None or self.budget.clock is None:
            return False
        return self.budget.clock() - self._began >= self.budget.seconds

    def unplaced(self) -> list[Prescription]:
        return [one for one in self.caseload.prescriptions if one.key not in self.calendar.plans]

    def rank(self) -> tuple[int, int, int]:
        left = self.unplaced()
        cost = sum(placed.cost for placed in self.calendar.plans.values())
        return len(left), sum(one.sessions for one in left), cost

    def place(self, one: Prescription) -> bool:
        self.steps += 1
        found = plan(self.calendar.problem(one), budget=self.each)
        if isinstance(found, NoPlan):
            return False
        self.calendar.take(one.key, found)
        return True

    def restore(self, plans: dict[Key, Plan]) -> None:
        for key in [k for k, placed in self.calendar.plans.items() if plans.get(k) is not placed]:
            self.calendar.release(key)
        for key, placed in plans.items():
            if key not in self.calendar.plans:
                self.calendar.take(key, placed)

    # -- the search

    def run(self) -> None:
        possible = [one for one in self.unplaced() if self._fits_alone(one)]
        self._place_all(possible)
        self._cheapen()

    def _fits_alone(self, one: Prescription) -> bool:
        """Whether it has a plan on the calendar as it was; others are impossible whatever moves."""
        self.steps += 1
        return not isinstance(plan(one.problem, budget=self.each), NoPlan)

    def _place_all(self, wanted: list[Prescription]) -> None:
        """Until each has a place or none can be given one more."""
        while True:
            before = self.rank()
            keys = {one.key for one in wanted}
            left = [one for one in self.unplaced() if one.key in keys or self._was_driven_out(one)]
            for one in sorted(left, key=lambda p: -self._tight[p.key]):
                if self.spent():
                    return
                self._make_room(one)
                self.progress(self.steps, len(self.unplaced()))
            if self.rank() >= before:
                return

    def _was_driven_out(self, one: Prescription) -> bool:
        return one.key in self.start.plans

    def _make_room(self, one: Prescription) -> None:
        """Place it if that leaves fewer without a plan, or fewer sessions; else all stays as it was."""
        before, plans = self.rank(), dict(self.calendar.plans)
        for out in self._sets_of_rivals(one):
            if self.spent():
                return
            if self._instead(one, out, DEPTH, {one.key}) and self.rank() < before:
                return
            self.restore(plans)

    def _sets_of_rivals(self, one: Prescription) -> Iterator[tuple[Key, ...]]:
        yield ()
        rivals = self._rivals(one)
        yield from ((key,) for key in rivals[:RIVALS])
        yield from combinations(rivals[:PAIRED], 2)

    def _instead(self, one: Prescription, out: tuple[Key, ...], depth: int, fixed: set[Key]) -> bool:
        """Place it without those others, then them again; whether nobody is left without a place."""
        for key in out:
            self.calendar.release(key)
        if not self.place(one):
            return False
        lost = [self._by_key[key] for key in sorted(out, key=lambda key: -self._tight[key])]
        lost = [other for other in lost if not self.place(other)]
        if not lost:
            return True
        return len(lost) == 1 and depth > 0 and self._drive_on(lost[0], depth - 1, fixed | {lost[0].key})

    def _drive_on(self, one: Prescription, depth: int, fixed: set[Key]) -> bool:
        plans = dict(self.calendar.plans)
        for key in [k for k in self._rivals(one) if k not in fixed][: RIVALS // 2]:
            if self.spent():
                return False
            if self._instead(one, (key,), depth, fixed):
                return True
            self.restore(plans)
        return False

    def _rivals(self, one: Prescription) -> list[Key]:
        """Those placed that hold most of what it needs, its scarcest courses counting most."""
        problem = self.calendar.problem(one)
        ground = Ground(problem)
        weights: dict[int, float] = {}
        for course in one.problem.courses:
            scarce = 4.0 if solve_one(ground, course) is None else 1.0
            for choice, share in _choices(course):
                weights |= {key: max(weights.get(key, 0.0), scarce * share / len(choice)) for key in choice}
        first, last = one.problem.horizon.first_day, one.last_day
        found: dict[Key, float] = {}
        for key, placed in self.calendar.plans.items():
            offset = (self._by_key[key].problem.horizon.first_day - first).days
            held = sum(
                weights.get(resource, 0.0)
                for s in placed.sessions
                if 0 <= s.day + offset <= (last - first).days
                for resource in _holds(s)
            )
            if held:
                found[key] = held
        position = {p.key: i for i, p in enumerate(self.caseload.prescriptions)}
        return sorted(found, key=lambda key: (-found[key], position[key]))

    def _cheapen(self) -> None:
        """Take one and its nearest rivals off, place them in other orders, keep what costs less in all."""
        rng = random.Random(SEED)  # noqa: S311 - the same every time, on purpose
        stale = 0
        while stale < 2 * len(self.calendar.plans) and not self.spent():
            placed = [p for p in self.caseload.prescriptions if p.key in self.calendar.plans]
            if not placed:
                return
            one = placed[int(rng.random() * len(placed))]
            rivals = [key for key in self._rivals(one) if key != one.key][:6]
            picked = (
                sorted({rivals[int(rng.random() * len(rivals))] for _ in range(2)}, key=rivals.index) if rivals else []
            )
            stale = 0 if self._reorder([one, *(self._by_key[key] for key in picked)]) else stale + 1
            self.progress(self.steps, len(self.unplaced()))

    def _reorder(self, group: list[Prescription]) -> bool:
        plans, best = dict(self.calendar.plans), self.rank()
        kept = None
        for order in permutations(group):
            if self.spent():
                break
            for one in group:
                if one.key in self.calendar.plans:
                    self.calendar.release(one.key)
            if all(self.place(one) for one in order) and self.rank() < best:
                best, kept = self.rank(), dict(self.calendar.plans)
            self.restore(plans)
        if kept is None:
            return False
        self.restore(kept)
        return True


def _choices(course: CourseRequest) -> Iterator[tuple[set[int], float]]:
    """What any session takes one of, and how much that counts; meetings are negative numbers."""
    yield {o.therapist for o in course.therapists}, 1.0
    yield {d for r in course.rooms for d in r.devices}, 0.5
    yield {r.room for r in course.rooms}, 0.25
    yield {-m.meeting for s in course.series or () for m in s.meetings}, 1.0


def _holds(session: PlannedSession) -> Iterator[int]:
    if session.meeting is not None:
        yield -session.meeting
        return
    yield from (r for r in (session.therapist, session.device, session.room) if r is not None)
