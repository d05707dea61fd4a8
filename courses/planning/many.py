"""More courses than can be planned jointly to the end: a few at a time, around the others.

Three at a time first, then four, with a quick look each; when looks bring nothing any more, each group to the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

from .closing import advance, exhaust, known_cost
from .costing import arrival_costs, plan_cost
from .joint import JointSearch, Placement, suits
from .programme import Search
from .types import CourseRequest, Key, Plan, PlannedSession
from .verification import verify

LOOK, LOOK_STATES = 8, 2000  # combinations and states of a quick look
Group = tuple[CourseRequest, ...]


def improve_by_groups(search: Search) -> None:
    """Make the draft better until no group can be placed better around the others, or the budget is spent."""
    if search.best is None:
        _open_by_groups(search)
    three, four = _groups(search, 3) or _groups(search, 2), _groups(search, 4)
    passes = [(three, False), (four, False), (three, True), (four, True)]
    at = 0
    while at < len(passes) and search.best is not None:
        groups, to_the_end = passes[at]
        before = known_cost(search)
        for group in groups:
            if search.spent():
                return
            _improve(search, group, to_the_end=to_the_end)
        # After any gain the cheap passes come first again, and looks at three are always followed by looks at four.
        at = at + 1 if at == 0 or known_cost(search) == before else 0


def _groups(search: Search, size: int) -> list[Group]:
    return [g for g in combinations(search.problem.courses, size) if suits(search.ground, g)]


def _improve(search: Search, group: Group, *, to_the_end: bool) -> None:
    if search.best is None:
        return
    keys = {c.key for c in group}
    fixed: Placement = tuple((k, own) for k, own in search.best.placed if k not in keys)
    taken = [s for _, own in fixed for s in own]
    costs = _costs_beside(search, taken)
    joint = JointSearch(search.ground.beside(taken), group, best=search.best.cost, anchor_costs=costs)
    if to_the_end:
        exhaust(search, joint, fixed)
    elif not joint.exhausted:
        joint.refine()
        if not joint.exhausted:
            advance(search, joint, lambda: joint.glance(LOOK, most_states=LOOK_STATES), fixed)
            return
    search.rounds += 1


def _costs_beside(search: Search, taken: list[PlannedSession]) -> dict[int, int]:
    """What the taken sessions cost by themselves for each usual arrival time, their courses' own costs included."""
    arrivals = arrival_costs(search.problem, taken)
    keys = {s.course for s in taken}
    alone = replace(search.problem, courses=tuple(c for c in search.problem.courses if c.key in keys))
    rest = plan_cost(alone, taken) - min(arrivals.values()) if taken else 0
    return {a: rest + cost for a, cost in arrivals.items()}


def _open_by_groups(search: Search) -> None:
    """A first plan where no order gives one: some courses exactly together, then the others in turn around them."""
    for group in _opening_groups(search):
        if search.best is not None or search.spent():
            return
        search.rounds += 1
        placed = JointSearch(search.ground, group).open_any()
        if placed is None:
            continue
        done = dict(placed)
        _fill_around(search, done, [c for c in search.problem.courses if c.key not in done])


def _opening_groups(search: Search) -> Iterator[Group]:
    for size in (4, 3, 2):
        yield from _groups(search, size)


def _fill_around(search: Search, done: dict[Key, tuple[PlannedSession, ...]], rest: list[CourseRequest]) -> None:
    for course in rest:
        own = search.place(course, [s for sessions in done.values() for s in sessions])
        if own is None:
            return
        done[course.key] = own
    if not verify(search.problem, Plan(tuple(s for own in done.values() for s in own), 0, 0, False)):
        search.settle(done)
