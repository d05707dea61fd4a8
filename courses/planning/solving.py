"""`plan`: one problem in, a plan or an honest "no plan" out."""

from __future__ import annotations

from .costing import plan_cost, plan_stats
from .ground import Ground
from .programme import Search, search_in_orders, solve_one
from .proving import prove
from .types import Budget, NoPlan, Plan, PlannedSession, PlanStats, Problem
from .validity import require_valid

FIRST_DRAFTS = 2


def plan(problem: Problem, *, budget: Budget | None = None) -> Plan | NoPlan:
    """The best plan found for all courses of the problem together, with a bound that says how good it is.

    One course is solved exactly (see `Plan.proven`).  Raises ProblemError for a problem that is none.
    """
    require_valid(problem)
    ground = Ground(problem)
    if len(problem.courses) == 1:
        return _plan_one(ground)
    return _plan_several(ground, budget or Budget())


def _plan_one(ground: Ground) -> Plan | NoPlan:
    solution = solve_one(ground, ground.problem.courses[0])
    if solution is None:
        return NoPlan(proven=True)
    return _finish(ground.problem, solution.sessions, solution.bound, combinations=solution.combinations, rounds=1)


def _plan_several(ground: Ground, budget: Budget) -> Plan | NoPlan:
    problem = ground.problem
    search = Search(ground, budget)
    for course in problem.courses:
        if solve_one(ground, course) is None:
            return NoPlan(proven=True)
    search_in_orders(search, enough=FIRST_DRAFTS)
    bound, impossible = prove(search)
    draft = search.best
    if draft is None:
        return NoPlan(proven=impossible, stats=PlanStats(search.combinations, search.rounds))
    return _finish(problem, draft.sessions, bound, combinations=search.combinations, rounds=search.rounds)


def _finish(
    problem: Problem, sessions: tuple[PlannedSession, ...], bound: int, *, combinations: int, rounds: int
) -> Plan:
    cost = plan_cost(problem, sessions)
    return Plan(
        sessions=tuple(sorted(sessions, key=lambda s: (s.day, s.slot, str(s.course)))),
        cost=cost,
        bound=min(bound, cost),
        proven=bound >= cost,
        stats=plan_stats(problem, sessions, combinations=combinations, rounds=rounds),
    )
