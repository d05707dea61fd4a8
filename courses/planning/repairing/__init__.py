"""Repair: sessions of many patients re-placed together when a therapist, a room or a device falls out.

    repair(problem, budget=...)              -> Repair             fewest unplaced first, then least change
    verify_repair(problem, repair)           -> list[Violation]    re-checks a repair without the solver
    hand_over(problem, ...)                  -> Handover           one substitute takes over at the same times
    swap_shifts(problem, ...)                -> Handover           two therapists exchange days
    set_down(problem, moves)                 -> RepairProblem      what is left once these moves are settled

ortools is imported by `repair` alone, when it is called.
"""
