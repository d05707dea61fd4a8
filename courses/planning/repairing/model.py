"""The assembly in whole numbers: CP-SAT, one worker, a fixed seed, a limit of deterministic time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any

import numpy as np

from .assembly import Assembly
from .matrix import INFINITE, Array, Matrix
from .placement import Placement

SEED = 20260907
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Limits:
    """low, high: of the objective, known beforehand; gap: good enough; work: deterministic time."""

    low: int
    high: int
    gap: float
    work: float
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """values: of all variables, None where nothing was found; bound: holds for the columns of the assembly."""

    values: Array | None
    bound: int
    work: float


def solve(assembly: Assembly, hint: Placement, limits: Limits, cancelled: Callable[[], bool]) -> Answer:
    """Minimise.  `cancelled` is asked now and then, in this thread; True from it ends the search."""
    from ortools.sat.python import cp_model

    matrix = assembly.matrix
    model = cp_model.CpModel()
    _write(model.proto, matrix, _hinted(assembly, hint), limits)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = SEED
    solver.parameters.max_deterministic_time = limits.work
    solver.parameters.relative_gap_limit = limits.gap
    if limits.seconds is not None:
        solver.parameters.max_time_in_seconds = limits.seconds
    with ThreadPoolExecutor(max_workers=1) as pool:
        # The search runs beside, so that the caller's functions are called in the caller's thread.
        running = pool.submit(solver.solve, model)
        while True:
            try:
                status = running.result(timeout=_POLL_SECONDS)
                break
            except NotYet:
                if cancelled():
                    solver.stop_search()
    work = float(solver.response_proto.deterministic_time)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        bound = limits.high + 1 if status == cp_model.INFEASIBLE else limits.low
        return Answer(None, bound, work)
    values = np.array(solver.response_proto.solution, dtype=np.int64)
    return Answer(values, int(np.ceil(solver.best_objective_bound - 1e-6)), work)


def _write(proto: Any, matrix: Matrix, hint: dict[int, int], limits: Limits) -> None:
    upper = matrix.upper.tolist()
    for bound in upper:
        proto.variables.add().domain.extend((0, bound))
    variable, coefficient, begins, _ = matrix.terms
    variables, coefficients, cuts = variable.tolist(), coefficient.tolist(), begins.tolist()
    # One term more, so that a row without any at the end does not point beyond.
    least = np.minimum.reduceat(np.append(coefficient, 1), begins[:-1])
    most = np.maximum.reduceat(np.append(coefficient, 1), begins[:-1])
    for row, (low, high) in enumerate(zip(matrix.low.tolist(), matrix.high.tolist(), strict=True)):
        first, end = cuts[row], cuts[row + 1]
        members = variables[first:end]
        is_sum = first < end and least[row] == most[row] == 1 and all(upper[v] == 1 for v in members)
        if is_sum and high == 1 and low in (1, -INFINITE):
            constraint = proto.constraints.add()
            (constraint.exactly_one if low == 1 else constraint.at_most_one).literals.extend(members)
            continue
        linear = proto.constraints.add().linear
        linear.vars.extend(members)
        linear.coeffs.extend(coefficients[first:end])
        linear.domain.extend((low, high))
    proto.objective.vars.extend(range(matrix.variables))
    proto.objective.coeffs.extend(matrix.cost.tolist())
    proto.objective.domain.extend((limits.low, limits.high))
    proto.solution_hint.vars.extend(hint.keys())
    proto.solution_hint.values.extend(hint.values())


def _hinted(assembly: Assembly, placement: Placement) -> dict[int, int]:
    """Values of columns, unplaced sessions, days and places, as the placement has them."""
    supply = assembly.supply
    position = {int(c): i for i, c in enumerate(assembly.columns.tolist())}
    hint = dict.fromkeys(range(len(assembly.columns)), 0)
    hint.update(dict.fromkeys((v for places in assembly.dealt.values() for _, v in places), 0))
    for session, variable in zip(assembly.optional.tolist(), assembly.unplaced.tolist(), strict=True):
        hint[variable] = int(placement.chosen[session] < 0)
    for column, place in zip(placement.chosen, placement.places, strict=True):
        if column not in position:
            continue
        hint[position[column]] = 1
        dealt = assembly.dealt.get((int(supply.group[column]), int(supply.at[column])), ())
        for p, variable in dealt:
            hint[variable] += p == place
    for course, used in assembly.used.items():
        for day, variable in used.items():
            hint[variable] = int(day in placement.days.get(course, ()))
    return hint


def read(assembly: Assembly, values: Array) -> Placement:
    """The placement an answer stands for."""
    starts, supply = assembly.starts, assembly.supply
    placement = Placement(starts, supply)
    left = {key: [p for p, v in places for _ in range(int(values[v]))] for key, places in assembly.dealt.items()}
    for column in assembly.columns[np.flatnonzero(values[: len(assembly.columns)])].tolist():
        g, at = int(supply.group[column]), int(supply.at[column])
        place: int | None = -1
        if (g, at) in left:
            booked = starts.sessions[starts.session[column]].booked
            place = min(left[g, at], key=lambda p: supply.groups[g].unlike(p, booked.room, booked.device))
            left[g, at].remove(place)
        elif g >= 0:
            place = placement.own_place(column)
        assert place is not None  # noqa: S101 - a start is only a column where a place is free
        placement.put(column, place)
    return placement
