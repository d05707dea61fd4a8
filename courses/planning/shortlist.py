"""Fewer therapists to try where many are qualified: tables of day patterns grow with the product of their numbers."""

from __future__ import annotations

import copy

import numpy as np

from .chain import Chain
from .table import CourseTable
from .weights import ANCHORS

MOST_PRODUCT = 300  # therapists of all courses, multiplied


def shortlist(tables: list[CourseTable]) -> list[CourseTable]:
    """The same tables, or some of them with their best therapists only, so that the product stays small.

    The best are those who would do the course most cheaply alone, then those with the cheapest days.
    """
    sizes = [max(len(t.options), 1) for t in tables]
    while int(np.prod(sizes)) > MOST_PRODUCT:
        sizes[sizes.index(max(sizes))] -= 1
    return [t if len(t.options) <= size else _best_of(t, size) for t, size in zip(tables, sizes, strict=True)]


def merged(table: CourseTable) -> CourseTable:
    """The table as if one therapist had the time and the merits of all: no plan can cost less than with it."""
    return _with_options(table, table.cost.min(axis=0, keepdims=True), [0]) if len(table.options) > 1 else table


def _best_of(table: CourseTable, size: int) -> CourseTable:
    anchors = ANCHORS[::4]
    costs = table.day_costs(anchors)  # (axis, options, anchors)
    axis, options, _ = costs.shape
    alone = Chain(table).values(costs.reshape(axis, -1)).reshape(options, len(anchors)).min(axis=1)
    days = np.sort(costs.min(axis=2), axis=0)[: table.course.sessions].sum(axis=0, dtype=np.int64)
    chosen = sorted(np.lexsort((days, alone))[:size].tolist())
    return _with_options(table, table.cost[chosen], chosen)


def _with_options(table: CourseTable, cost: np.ndarray, chosen: list[int]) -> CourseTable:
    fewer = copy.copy(table)
    fewer.cost = cost
    fewer.options = [table.options[i] for i in chosen]
    fewer.starts = [table.starts[i] for i in chosen]
    return fewer
