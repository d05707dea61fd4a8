"""A linear programme put together from arrays: variables with costs, rows with bounds, terms between them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

Array = np.ndarray
INFINITE = 10**9


class Matrix:
    """Variables lie between 0 and `upper`, rows between `low` and `high`."""

    def __init__(self) -> None:
        self._cost: list[Array] = []
        self._upper: list[Array] = []
        self._low: list[Array] = []
        self._high: list[Array] = []
        self._terms: list[tuple[Array, Array, Array]] = []
        self.variables = 0
        self.rows = 0

    def add_variables(self, count: int, *, cost: Array | int = 0, upper: Array | int = 1) -> Array:
        """The numbers of so many new variables."""
        found = np.arange(self.variables, self.variables + count)
        self._cost.append(np.broadcast_to(np.asarray(cost, dtype=np.int64), count))
        self._upper.append(np.broadcast_to(np.asarray(upper, dtype=np.int64), count))
        self.variables += count
        return found

    def add_rows(self, count: int, *, low: Array | int = -INFINITE, high: Array | int = INFINITE) -> Array:
        found = np.arange(self.rows, self.rows + count)
        self._low.append(np.broadcast_to(np.asarray(low, dtype=np.int64), count))
        self._high.append(np.broadcast_to(np.asarray(high, dtype=np.int64), count))
        self.rows += count
        return found

    def add_terms(self, rows: Array | int, variables: Array, coefficient: Array | int = 1) -> None:
        count = len(variables)
        self._terms.append(
            (np.broadcast_to(rows, count), variables, np.broadcast_to(np.asarray(coefficient, np.int64), count))
        )

    def add_row(self, terms: list[tuple[int, int]], *, low: int = -INFINITE, high: int = INFINITE) -> int:
        """One row from (variable, coefficient) pairs."""
        row = int(self.add_rows(1, low=low, high=high)[0])
        pairs = np.array(terms, dtype=np.int64).reshape(-1, 2)
        self.add_terms(row, pairs[:, 0], pairs[:, 1])
        return row

    @cached_property
    def cost(self) -> Array:
        return np.concatenate(self._cost)

    @cached_property
    def upper(self) -> Array:
        return np.concatenate(self._upper)

    @cached_property
    def low(self) -> Array:
        return np.concatenate(self._low)

    @cached_property
    def high(self) -> Array:
        return np.concatenate(self._high)

    @cached_property
    def terms(self) -> tuple[Array, Array, Array, Array]:
        """Variables and coefficients in order of row; where each row begins (one more at the end); row of each term."""
        row, variable, coefficient = (np.concatenate([t[i] for t in self._terms]) for i in range(3))
        order = np.argsort(row, kind="stable")
        row = row[order]
        return variable[order], coefficient[order], np.searchsorted(row, np.arange(self.rows + 1)), row

    def paid(self, duals: Array) -> Array:
        """What the rows pay for each variable at these duals."""
        variable, coefficient, _, row = self.terms
        return np.bincount(variable, weights=coefficient * duals[row], minlength=self.variables)
