"""From a good draft to the best plan: which exact search fits the courses, and the bound that comes with it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from . import weights
from .classes import Enrolment, enrolment_costs, enrolments
from .costing import arrival_costs, plan_cost
from .ground import Ground
from .joint import JointSearch, Placement, suits
from .programme import Search, solve_one
from .single import solve_course
from .types import CourseRequest, Key, Plan, PlannedSession
from .verification import verify
from .weights import ANCHORS, IMPOSSIBLE

MANY = 48  # open combinations from which quick looks for a better plan save time
LOOKS = {1: 0, 2: 2, 3: 2, 4: 4}  # how many, by courses


def prove(search: Search) -> tuple[int, bool]:
    """Improve the search's draft until a bound meets it or the budget is spent.

    Gives (lower bound of any plan's cost, whether it is proven that there is no plan).
    """
    if search.spent():
        return (loose_bound(search) if search.best else 0), False
    courses = search.problem.courses
    classes = [c for c in courses if c.series is not None]
    others = tuple(c for c in courses if c.series is None)
    if suits(search.ground, others):
        if not classes:
            return _prove_jointly(search, others)
        if len(classes) == 1 and len(others) <= 2:
            return _prove_beside_class(search, classes[0], others)
    _improve_by_groups(search)
    return loose_bound(search), False


def _known(search: Search) -> int:
    return search.best.cost if search.best else IMPOSSIBLE


def _prove_jointly(search: Search, courses: tuple[CourseRequest, ...]) -> tuple[int, bool]:
    joint = JointSearch(search.ground, courses, best=_known(search))
    if search.best is None:
        before = joint.combinations
        placed = joint.open_any()
        search.combinations += joint.combinations - before
        if placed is None:
            return 0, joint.complete
        _take(search, joint, placed)
    _exhaust(search, joint)
    return joint.bound, False


def _exhaust(search: Search, joint: JointSearch, fixed: Placement = ()) -> None:
    """Work through a joint search, keeping what it finds beside the fixed sessions."""
    if joint.exhausted:
        return
    joint.refine()
    looks = LOOKS[len(joint.courses)] if len(joint.bound_of) > MANY else 0
    while not joint.exhausted and not search.spent():
        search.rounds += 1
        if looks == 0 and len(joint.courses) > 1:
            joint.tailor()
        before = joint.combinations
        placed = joint.glance() if looks > 0 else joint.step()
        looks -= 1
        search.combinations += joint.combinations - before
        if placed is not None:
            _take(search, joint, (*fixed, *placed))


def _take(search: Search, joint: JointSearch, placed: Placement) -> None:
    """Keep what a joint search found; where margins of two courses collide in a resource it is only a bound."""
    sessions = tuple(s for _, own in placed for s in own)
    if verify(search.problem, Plan(sessions, 0, 0, False)):
        joint.floor = min(joint.floor, float(joint.best))
        joint.best = _known(search)
        return
    search.keep(dict(placed))


def _prove_beside_class(search: Search, course: CourseRequest, others: tuple[CourseRequest, ...]) -> tuple[int, bool]:
    """Every enrolment of the one class course, the other courses planned exactly around each."""
    ground = search.ground
    options = sorted(
        ((enrolment_costs(ground, course, e, ANCHORS), i, e) for i, e in enumerate(enrolments(ground, course))),
        key=lambda option: (min(option[0]), option[1]),
    )
    bound = IMPOSSIBLE
    for costs, _, enrolment in options:
        if search.spent():
            return min(bound, loose_bound(search)), False
        bound = min(bound, _prove_beside(search, course, others, enrolment, costs))
    if search.best is None:
        return 0, bound >= IMPOSSIBLE
    return min(bound, search.best.cost), False


def _prove_beside(
    search: Search,
    course: CourseRequest,
    others: tuple[CourseRequest, ...],
    enrolment: Enrolment,
    costs: list[int],
) -> int:
    """The least cost of any plan with this enrolment, as far as it is below the best plan known."""
    own = enrolment.sessions(course)
    ground = search.ground.beside(own)
    elsewhere = dict(zip(ANCHORS, costs, strict=True))
    fixed: Placement = ((course.key, own),)
    if len(others) == 1:
        search.rounds += 1
        solution = solve_course(ground, others[0], anchor_costs=elsewhere)
        if solution is None:
            return IMPOSSIBLE
        search.combinations += solution.combinations
        search.keep({course.key: own, others[0].key: solution.sessions})
        return solution.bound
    joint = JointSearch(ground, others, best=_known(search), anchor_costs=elsewhere)
    if search.best is None and not joint.exhausted:
        placed = joint.open_any()
        if placed is None:
            return IMPOSSIBLE if joint.complete else 0
        _take(search, joint, (*fixed, *placed))
    _exhaust(search, joint, fixed)
    return joint.bound


def _improve_by_groups(search: Search) -> None:
    """Three courses at a time, or two where no three suit, exactly, around the others; twice round at most."""
    if search.best is None:
        _open_by_groups(search)
    courses = search.problem.courses
    sized = [[g for g in combinations(courses, size) if suits(search.ground, g)] for size in (3, 2)]
    groups = sized[0] or sized[1]
    for _ in range(2):
        before = _known(search)
        for group in groups:
            if search.best is None or search.spent():
                return
            keys = {c.key for c in group}
            fixed = tuple((k, own) for k, own in search.best.placed if k not in keys)
            taken = [s for _, own in fixed for s in own]
            joint = JointSearch(
                search.ground.beside(taken), group, best=search.best.cost, anchor_costs=_costs_beside(search, taken)
            )
            _exhaust(search, joint, fixed)
        if _known(search) == before:
            return


def _costs_beside(search: Search, taken: list[PlannedSession]) -> dict[int, int]:
    """What the taken sessions cost by themselves for each usual arrival time, their courses' own costs included."""
    arrivals = arrival_costs(search.problem, taken)
    keys = {s.course for s in taken}
    alone = replace(search.problem, courses=tuple(c for c in search.problem.courses if c.key in keys))
    rest = plan_cost(alone, taken) - min(arrivals.values()) if taken else 0
    return {a: rest + cost for a, cost in arrivals.items()}


def _open_by_groups(search: Search) -> None:
    """A first plan where no order gives one: some courses exactly together, then the others in turn around them."""
    courses = search.problem.courses
    for size in (3, 2):
        for group in combinations(courses, size):
            if search.best is not None or search.spent():
                return
            if not suits(search.ground, group):
                continue
            search.rounds += 1
            placed = JointSearch(search.ground, group).open_any()
            if placed is None:
                continue
            done = dict(placed)
            _fill_around(search, done, [c for c in courses if c.key not in done])


def _fill_around(search: Search, done: dict[Key, tuple[PlannedSession, ...]], rest: list[CourseRequest]) -> None:
    for course in rest:
        own = search.place(course, [s for sessions in done.values() for s in sessions])
        if own is None:
            return
        done[course.key] = own
    if not verify(search.problem, Plan(tuple(s for own in done.values() for s in own), 0, 0, False)):
        search.settle(done)


def loose_bound(search: Search) -> int:
    """A bound that holds for any number of courses: each at its best if visits, waiting and arrivals were free.

    The patient must still come on as many new days as the longest course has sessions; where visits are booked already,
    sessions may fill their holes, which is worth at most their own length.
    """
    problem = search.problem
    free = replace(problem.profile, visit=0, combined_visit=0, wait=0, arrival=0)
    eased = replace(problem, profile=free)
    total = 0
    for course in problem.courses:
        solution = solve_one(Ground(eased), course)
        total += solution.bound if solution else 0
        if problem.patient.visits:
            lengths = [m.slots for s in course.series or () for m in s.meetings] or [course.slots]
            total -= problem.profile.wait * course.sessions * max(lengths)
    longest = max(c.sessions for c in problem.courses)
    return total + weights.visit_weight(problem) * max(0, longest - len(problem.patient.visits))
