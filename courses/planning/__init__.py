"""The planner of therapy courses: pure functions over frozen values.

    plan(problem, budget=...)   -> Plan | NoPlan        the best dates for all courses of one patient
    alternatives(problem)       -> (Alternative, ...) | NoPlan     one plan for each of several profiles, compared
    explain(problem)            -> Explanation | None   why there are none, and what would open some
    verify(problem, plan)       -> list[Violation]      re-checks a plan without the solver

Nothing here reads a clock, a file or a database; the same problem always gives the same answer.
"""

from .alternatives import Alternative, alternatives
from .explaining import explain
from .solving import plan
from .types import Budget, NoPlan, Plan, PlannedSession, Problem, ProblemError
from .verification import verify

__all__ = [
    "Alternative",
    "Budget",
    "NoPlan",
    "Plan",
    "PlannedSession",
    "Problem",
    "ProblemError",
    "alternatives",
    "explain",
    "plan",
    "verify",
]
