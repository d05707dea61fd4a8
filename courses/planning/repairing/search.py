"""The search for one problem: relax, round, then two stages in whole numbers over the columns that can matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .assembly import MOVED, UNPLACED, Aim, Assembly
from .matrix import Array
from .model import Limits, read, solve
from .placement import Placement, greedily, rounded
from .relaxation import Pricing, Relaxed, cheapest, generate, whole
from .starts import Starts
from .supply import Supply
from .types import RepairBudget, RepairProblem

_ROUNDS = 14  # of relaxation
_MOST_COLUMNS = 6_000  # in a search in whole numbers
_WORK_PER_SESSION, _LEAST_WORK = 0.003, 0.1  # deterministic time, where the budget names none
_FIRST_STAGE = 0.5  # share of the work for the fewest unplaced


@dataclass(frozen=True, slots=True)
class Found:
    """A placement with what is known of better ones; see `Repair`."""

    placement: Placement
    unplaced_bound: int
    bound: int
    proven: bool
    columns: int
    greedy: Placement
    cancelled: bool


class Search:
    """shown: told of progress, 0..1 of this search, and of the unplaced so far."""

    def __init__(self, problem: RepairProblem, budget: RepairBudget, shown: Callable[[float, int], None]) -> None:
        self.budget, self.shown = budget, shown
        self.starts = Starts(problem)
        self.supply = Supply(self.starts)
        usual = max(_LEAST_WORK, _WORK_PER_SESSION * len(self.starts.sessions))
        self.work = usual if budget.deterministic is None else budget.deterministic
        self.columns = 0
        self.was_cancelled = False
        self.has_rest = bool(self.starts.is_rest.any())

    def run(self) -> Found:
        starts, supply = self.starts, self.supply
        self.best = self.greedy = greedily(starts, supply)
        self._report(0.1)
        aim = Aim(unplaced_weight=UNPLACED, moved_weight=MOVED * self.has_rest)
        relaxed = None if self._is_cancelled() else self._relax(self._first_columns(), aim)
        unplaced_bound = cost_bound = 0
        is_proven = False
        if relaxed is not None:
            self._report(0.4)
            unplaced_bound = max(relaxed.unplaced_bound, self._without_columns())
            self._take(rounded(starts, supply, relaxed))
            if self.best.unplaced > unplaced_bound and not self._is_cancelled():
                unplaced_bound = max(unplaced_bound, self._place_more(relaxed, unplaced_bound))
            if self.best.moved and not self._is_cancelled():
                self._move_fewer(relaxed)
            self._report(0.6)
            cost_bound, is_proven = self._change_less(relaxed, aim)
        best = self.best
        proven = is_proven and best.unplaced == unplaced_bound and best.cost == cost_bound
        return Found(
            best, unplaced_bound, min(cost_bound, best.cost), proven, self.columns, self.greedy, self.was_cancelled
        )

    # -- relaxation -----------------------------------------------------------------------------------------------

    def _first_columns(self) -> Array:
        starts = self.starts
        flush = np.flatnonzero(starts.flush)
        near = cheapest(starts, flush, starts.cost, per_day=12, per_session=12)
        spread = cheapest(starts, flush, starts.cost, per_day=1, per_session=starts.calendar.days)
        return np.union1d(np.union1d(near, spread), np.flatnonzero(starts.stays))

    def _relax(self, columns: Array, aim: Aim) -> Relaxed | None:
        relaxed = generate(
            self.starts,
            self.supply,
            columns,
            aim,
            rounds=_ROUNDS,
            tolerance=self.budget.gap,
            cancelled=self._is_cancelled,
        )
        if relaxed is not None:
            self.columns = max(self.columns, len(relaxed.columns))
        return relaxed

    def _without_columns(self) -> int:
        """Lost sessions that have no start at all."""
        return int((np.diff(self.starts.first) == 0).sum())

    # -- whole numbers --------------------------------------------------------------------------------------------

    def _place_more(self, relaxed: Relaxed, bound: int) -> int:
        """Fewest unplaced; returns what is known of the least."""
        # Change costs a little here too: without it the search has nothing to go by among the many ways to place all.
        aim = Aim(unplaced_weight=UNPLACED, moved_weight=MOVED * self.has_rest)
        best = self.best
        ceiling = UNPLACED * best.unplaced + MOVED * best.moved + best.cost
        columns, complete = self._columns_within(relaxed.pricing, ceiling)
        low = max(whole(relaxed.pricing.bound), bound * UNPLACED)
        answer = self._solve(columns, aim, low, ceiling, gap=self.budget.gap / 10, work=self.work * _FIRST_STAGE)
        return min(answer // UNPLACED, self.best.unplaced) if complete else bound

    def _move_fewer(self, relaxed: Relaxed) -> None:
        """Fewest of the rest moved, with as many placed as are."""
        aim = Aim(moved_weight=1, change_weight=0, unplaced=self.best.unplaced)
        ceiling = self.best.unplaced * UNPLACED + self.best.moved * MOVED
        columns, _ = self._promising(relaxed, ceiling)
        self._solve(columns, aim, 0, self.best.moved, gap=0.0, work=self.work * _FIRST_STAGE)

    def _change_less(self, relaxed: Relaxed, aim: Aim) -> tuple[int, bool]:
        """Least change with the numbers of unplaced and of moved ones settled: (bound, whether all of it is known)."""
        unplaced, moved = self.best.unplaced, self.best.moved
        heavy = aim.unplaced_weight * unplaced + aim.moved_weight * moved
        pricing, bound, ceiling = relaxed.pricing, whole(relaxed.pricing.bound - heavy), heavy
        if self.best.cost > bound * (1 + self.budget.gap) and (unplaced or self.has_rest) and not self._is_cancelled():
            # The numbers settled are not those the fractions had: relax again with them.
            settled = Aim(unplaced=unplaced, moved=moved if self.has_rest else None)
            again = self._relax(self._kept(relaxed), settled)
            if again is not None:
                self._take(rounded(self.starts, self.supply, again))
                if whole(again.pricing.bound) >= bound:
                    pricing, bound, ceiling = again.pricing, whole(again.pricing.bound), 0
                relaxed = replace(relaxed, columns=again.columns)
        if (self.best.unplaced, self.best.moved) != (unplaced, moved):
            # Rounding got further than the search in whole numbers did.
            return self._change_less(relaxed, aim)
        if self.best.cost > bound and not self._is_cancelled():
            settled = Aim(unplaced=unplaced, moved=moved if self.has_rest else None)
            columns, complete = self._columns_within(pricing, self.best.cost - 1 + ceiling)
            answer = self._solve(columns, settled, bound, self.best.cost, gap=self.budget.gap, work=self.work)
            if complete:
                bound = max(bound, min(answer, self.best.cost))
        return bound, True

    def _kept(self, relaxed: Relaxed) -> Array:
        return np.union1d(relaxed.columns, self._chosen())

    def _chosen(self) -> Array:
        return np.array(sorted(c for c in self.best.chosen if c >= 0), dtype=np.int64)

    def _promising(self, relaxed: Relaxed, ceiling: int) -> tuple[Array, bool]:
        columns, complete = self._columns_within(relaxed.pricing, ceiling + UNPLACED // 2)
        return np.union1d(columns, relaxed.columns), complete

    def _columns_within(self, pricing: Pricing, ceiling: int) -> tuple[Array, bool]:
        """Columns of any repair that costs no more than the ceiling, and whether these are all of them."""
        within = np.flatnonzero(pricing.slack <= ceiling - pricing.bound + 1e-3)
        complete = len(within) <= _MOST_COLUMNS
        if not complete:
            order = np.lexsort((within, pricing.slack[within]))
            within = within[order[:_MOST_COLUMNS]]
        return np.union1d(np.union1d(within, self._chosen()), np.flatnonzero(self.starts.stays)), complete

    def _solve(self, columns: Array, aim: Aim, low: int, high: int, *, gap: float, work: float) -> int:
        """Improve the best placement; returns the bound for these columns."""
        assembly = Assembly(self.starts, self.supply, columns, aim)
        self.columns = max(self.columns, len(columns))
        answer = solve(assembly, self.best, Limits(low, high, gap, work, self.budget.seconds), self._is_cancelled)
        self.work = max(0.05, self.work - answer.work)
        if answer.values is not None:
            self._take(read(assembly, answer.values))
        return answer.bound

    def _take(self, placement: Placement) -> None:
        if placement.is_complete and placement.rank < self.best.rank:
            self.best = placement

    # -- the caller -----------------------------------------------------------------------------------------------

    def _is_cancelled(self) -> bool:
        if self.budget.cancelled is not None and self.budget.cancelled():
            self.was_cancelled = True
        return self.was_cancelled

    def _report(self, share: float) -> None:
        self.shown(share, self.best.unplaced)
