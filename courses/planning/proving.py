"""From a good draft to the best plan: which exact search fits the courses, and the bound that comes with it."""

from __future__ import annotations

from dataclasses import replace

from . import weights
from .classes import Enrolment, enrolment_costs, enrolments
from .closing import exhaust, known_cost, take
from .ground import Ground
from .joint import JointSearch, Placement, suits
from .many import improve_by_groups
from .programme import Search, solve_one
from .single import solve_course
from .types import CourseRequest
from .weights import ANCHORS, IMPOSSIBLE


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
    improve_by_groups(search)
    return loose_bound(search), False


def _prove_jointly(search: Search, courses: tuple[CourseRequest, ...]) -> tuple[int, bool]:
    joint = JointSearch(search.ground, courses, best=known_cost(search))
    if search.best is None:
        before = joint.combinations
        placed = joint.open_any()
        search.combinations += joint.combinations - before
        if placed is None:
            return 0, joint.complete
        take(search, joint, placed)
    exhaust(search, joint)
    return joint.bound, False


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
    joint = JointSearch(ground, others, best=known_cost(search), anchor_costs=elsewhere)
    if search.best is None and not joint.exhausted:
        placed = joint.open_any()
        if placed is None:
            return IMPOSSIBLE if joint.complete else 0
        take(search, joint, (*fixed, *placed))
    exhaust(search, joint, fixed)
    return joint.bound


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
