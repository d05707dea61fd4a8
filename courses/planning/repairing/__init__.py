"""Repair: sessions of many patients re-placed together when a therapist, a room or a device falls out.

    repair(problem, budget=...)              -> Repair             fewest unplaced first, then least change
    verify_repair(problem, repair)           -> list[Violation]    re-checks a repair without the solver
    hand_over(problem, ...)                  -> Handover           one substitute takes over at the same times
    swap_shifts(problem, ...)                -> Handover           two therapists exchange days
    set_down(problem, moves)                 -> RepairProblem      what is left once these moves are settled

ortools is imported by `repair` alone, when it is called.
"""

from .handover import exchange_shifts, hand_over, swap_shifts
from .settling import set_down
from .solving import repair
from .types import Repair, RepairBudget, RepairProblem
from .verification import verify_repair

__all__ = [
    "Repair",
    "RepairBudget",
    "RepairProblem",
    "exchange_shifts",
    "hand_over",
    "repair",
    "set_down",
    "swap_shifts",
    "verify_repair",
]
