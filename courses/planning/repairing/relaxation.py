"""The relaxation in fractions: its prices, put on every start there is, give bounds and the columns worth having.

For any prices >= 0 of places, the sum of each session's cheapest choice at those prices, less what all places are
worth, is no more than any repair costs.  Taken over all starts on the grid, it bounds the whole problem and not only
the columns looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .assembly import Aim, Assembly
from .matrix import INFINITE, Array, Matrix
from .starts import Starts
from .supply import Supply

_LARGE = 1e12
_ROUNDING = 1e-6  # what double precision may have moved a bound by


def relax(matrix: Matrix) -> tuple[Array, Array] | None:
    """Values of the variables and duals of the rows, by GLOP (deterministic); None where it did not get there.

    A dual's sign is made sound: positive only where the row has a `low`, negative only where it has a `high`.
    """
    from ortools.math_opt import callback_pb2, model_parameters_pb2, model_pb2, parameters_pb2, result_pb2
    from ortools.math_opt.core.python import solver

    variable, coefficient, _, row = matrix.terms
    model = model_pb2.ModelProto()
    numbers = range(matrix.variables)
    model.variables.ids.extend(numbers)
    model.variables.lower_bounds.extend([0.0] * matrix.variables)
    model.variables.upper_bounds.extend(matrix.upper.astype(float).tolist())
    model.variables.integers.extend([False] * matrix.variables)
    model.objective.linear_coefficients.ids.extend(numbers)
    model.objective.linear_coefficients.values.extend(matrix.cost.astype(float).tolist())
    low = np.where(matrix.low <= -INFINITE, -np.inf, matrix.low.astype(float))
    high = np.where(matrix.high >= INFINITE, np.inf, matrix.high.astype(float))
    model.linear_constraints.ids.extend(range(matrix.rows))
    model.linear_constraints.lower_bounds.extend(low.tolist())
    model.linear_constraints.upper_bounds.extend(high.tolist())
    order = np.lexsort((variable, row))
    model.linear_constraint_matrix.row_ids.extend(row[order].tolist())
    model.linear_constraint_matrix.column_ids.extend(variable[order].tolist())
    model.linear_constraint_matrix.coefficients.extend(coefficient[order].astype(float).tolist())
    found = solver.solve(
        model,
        parameters_pb2.SOLVER_TYPE_GLOP,
        parameters_pb2.SolverInitializerProto(),
        parameters_pb2.SolveParametersProto(threads=1),
        model_parameters_pb2.ModelSolveParametersProto(),
        None,
        callback_pb2.CallbackRegistrationProto(),
        None,
        None,
    )
    if found.termination.reason != result_pb2.TERMINATION_REASON_OPTIMAL:
        return None
    solution = found.solutions[0]
    values, duals = np.zeros(matrix.variables), np.zeros(matrix.rows)
    primal, dual = solution.primal_solution.variable_values, solution.dual_solution.dual_values
    values[np.array(primal.ids, dtype=np.int64)] = primal.values
    duals[np.array(dual.ids, dtype=np.int64)] = dual.values
    duals[(duals > 0) & (matrix.low <= -INFINITE)] = 0
    duals[(duals < 0) & (matrix.high >= INFINITE)] = 0
    return values, duals


@dataclass(frozen=True, slots=True)
class Prices:
    """rows: duals of the assembly's lasting rows; moments: >= 0, of a place at each moment of the supply."""

    rows: Array
    moments: Array

    @classmethod
    def of(cls, assembly: Assembly, duals: Array) -> Prices:
        moments = np.zeros(len(assembly.supply.places))
        moments[assembly.points] = -duals[assembly.point_rows]
        return cls(duals[: assembly.lasting], moments)


class Pricing:
    """Every start at given prices, its session's own row aside.

    reduced: what each start costs; bound: least of what any repair costs, by the aim of the assembly;
    unplaced_bound: least number of sessions unplaced.
    """

    def __init__(self, assembly: Assembly, prices: Prices) -> None:
        self.assembly, self.prices = assembly, prices
        self.starts, self.supply = assembly.starts, assembly.supply
        starts, aim = self.starts, assembly.aim
        paid = self._paid()
        is_moved = starts.is_rest[starts.session] & ~starts.stays
        per_moved = float(aim.moved_weight)
        if assembly.moved_row >= 0:
            per_moved -= prices.rows[assembly.moved_row]
        self.reduced = aim.change_weight * starts.cost + paid + per_moved * is_moved
        self.bound = self._bound(self.reduced, assembly.matrix.cost, 1.0)
        self.unplaced_bound = 0.0
        if aim.unplaced_weight:
            cost = np.zeros(assembly.matrix.variables)
            cost[assembly.unplaced] = 1
            self.unplaced_bound = self._bound(paid / aim.unplaced_weight, cost, 1 / aim.unplaced_weight)

    @cached_property
    def slack(self) -> Array:
        """By how much a repair that uses a start costs more than the bound, at least."""
        least = self._least(self.reduced)
        absent = self._left(self.assembly.matrix.cost, 1.0)[self.assembly.unplaced]
        least[self.assembly.optional] = np.minimum(least[self.assembly.optional], absent)
        return np.asarray(self.reduced - least[self.starts.session])

    def _paid(self) -> Array:
        """The prices of what each start takes and of the days it uses."""
        starts, supply, assembly = self.starts, self.supply, self.assembly
        until = np.concatenate([[0.0], np.cumsum(self.prices.moments)])
        top = len(supply.places)
        paid = np.zeros(len(starts))
        for columns, first, end in supply.takes:
            paid[columns] += until[end] - until[first]
        at = np.arange(supply.span)
        for g, group in enumerate(supply.groups):
            least = np.where(group.settled >= 0, 0.0, _LARGE)
            for p, place in enumerate(group.places):
                cost = np.zeros(supply.span)
                for first, end in group.takes(place, at, supply.span):
                    cost += until[np.clip(end, 0, top)] - until[np.clip(first, 0, top)]
                np.minimum(least, cost, out=least, where=group.free[p])
            own = supply.group == g
            paid[own] += least[supply.at[own]]
        links = assembly.day_links[starts.course, starts.day]
        return np.asarray(paid - np.where(links >= 0, self.prices.rows[links], 0.0))

    def _bound(self, reduced: Array, cost: Array, scale: float) -> float:
        assembly, matrix = self.assembly, self.assembly.matrix
        rows = self._rows(scale)
        worth = np.where(rows > 0, rows * matrix.low, np.where(rows < 0, rows * matrix.high, 0.0)).sum()
        worth -= scale * float(self.prices.moments @ self.supply.places)
        least = self._least(reduced)
        left = self._left(cost, scale)
        least[assembly.optional] = np.minimum(least[assembly.optional], left[assembly.unplaced])
        # Besides columns and unplaced sessions: days and gaps.  How sessions are dealt to places is priced by the
        # cheapest place already.
        others = np.ones(matrix.variables, dtype=bool)
        others[: len(assembly.columns) + len(assembly.optional)] = False
        others[assembly.dealt_variables] = False
        return float(worth + least.sum() + (np.minimum(left, 0.0) * matrix.upper)[others].sum())

    def _rows(self, scale: float) -> Array:
        rows = np.zeros(self.assembly.matrix.rows)
        rows[: self.assembly.lasting] = self.prices.rows * scale
        rows[self.assembly.session_rows] = 0
        return rows

    def _left(self, cost: Array, scale: float) -> Array:
        """Cost of each variable less what the lasting rows pay, sessions' own aside."""
        return np.asarray(cost - self.assembly.matrix.paid(self._rows(scale)))

    def _least(self, reduced: Array) -> Array:
        """Of each session, its cheapest start."""
        least = np.full(len(self.starts.sessions), _LARGE)
        some = np.flatnonzero(np.diff(self.starts.first))
        if len(some):
            least[some] = np.minimum.reduceat(reduced, self.starts.first[some])
        return least


@dataclass(frozen=True, slots=True)
class Relaxed:
    """columns: those looked at; values: their shares; pricing: the best one, whose bound stands."""

    columns: Array
    values: Array
    value: float
    pricing: Pricing
    unplaced_bound: int


def generate(
    starts: Starts,
    supply: Supply,
    columns: Array,
    aim: Aim,
    *,
    rounds: int,
    tolerance: float,
    cancelled: Callable[[], bool],
) -> Relaxed | None:
    """Relax, price every start, take in what pays, again: until the bound is within the tolerance of the value.

    tolerance: of what change costs.
    """
    best: Pricing | None = None
    unplaced_bound = 0.0
    values, value = np.zeros(0), 0.0
    for number in range(rounds):
        assembly = Assembly(starts, supply, columns, aim)
        solved = relax(assembly.matrix)
        if solved is None:
            return None
        values, duals = solved
        value = float(assembly.matrix.cost @ values)
        prices = Prices.of(assembly, duals)
        latest = Pricing(assembly, prices)
        unplaced_bound = max(unplaced_bound, latest.unplaced_bound)
        if best is None or latest.bound > best.bound:
            best = latest
        heavy = aim.unplaced_weight * float(values[assembly.unplaced].sum())
        if best.bound >= value - tolerance * max(value - heavy, 1.0) or number == rounds - 1 or cancelled():
            break
        fresh = _fresh(starts, columns, latest.reduced - duals[assembly.session_rows][starts.session])
        if not len(fresh):
            break
        columns = np.union1d(columns, fresh)
    assert best is not None  # noqa: S101 - there is a round at least
    looked_at = assembly.columns
    return Relaxed(looked_at, values[: len(looked_at)], value, best, whole(unplaced_bound))


def _fresh(starts: Starts, columns: Array, beyond: Array) -> Array:
    """Starts that would pay, a few of each session and day."""
    pays = beyond < -1e-4
    pays[columns] = False
    return cheapest(starts, np.flatnonzero(pays), beyond, per_day=2, per_session=25)


def cheapest(starts: Starts, among: Array, cost: Array, *, per_day: int, per_session: int) -> Array:
    """Of each session the cheapest columns, no more than so many on one day."""
    day = starts.session[among].astype(np.int64) * starts.calendar.days + starts.day[among]
    order = np.lexsort((among, cost[among], day))
    day = day[order]
    kept = among[order[np.arange(len(order)) - np.searchsorted(day, day) < per_day]]
    kept = kept[np.lexsort((kept, cost[kept], starts.session[kept]))]
    session = starts.session[kept]
    found: Array = kept[np.arange(len(kept)) - np.searchsorted(session, session) < per_session]
    return found


def whole(bound: float) -> int:
    """The least whole number a bound leaves possible."""
    return max(0, int(np.ceil(bound - _ROUNDING * max(1.0, abs(bound)))))
