"""What a day costs when some of the courses share it: the cheapest order and times of their sessions.

Sessions follow one another without overlap, the patient's rest and the rules between procedures kept; a day's cost is
that of its sessions, the waiting between them, and unless the patient comes anyway the visit and the distance to the
usual arrival time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from . import weights
from .ground import Ground
from .rows import Row, Rows
from .rulebook import kind_of
from .table import CourseTable, first_starts, visit_spans
from .weights import ANCHORS, IMPOSSIBLE, NEVER, QUARTER


@dataclass(frozen=True, slots=True)
class Slotting:
    """One session of a day pattern: which course (by position), option index and slot."""

    course: int
    option: int
    slot: int


class DayPatterns:
    """Day costs of every subset of up to three courses.

    days: the days any of the courses can use, ascending;
    cost[subset]: int32 (options of its first course, of its second, ..., days, anchors), positions ascending.
    """

    def __init__(self, ground: Ground, tables: list[CourseTable]) -> None:
        self.ground, self.tables = ground, tables
        self.profile = ground.problem.profile
        self.rows = Rows(ground.rulebook, [t.course for t in tables])
        self.low = min(t.low for t in tables)
        self.high = max(t.high for t in tables)
        usable = sorted({d for t in tables for i, d in enumerate(t.axis) if (t.cost[:, i] < IMPOSSIBLE).any()})
        self.days = usable
        self.visits = visit_spans(ground)
        self.raw = [self._spread(t) for t in tables]
        self._begin, self._end = self._edges()
        ordinary = np.array([d not in self.visits for d in usable], dtype=bool)
        self.visit = np.where(ordinary, weights.visit_weight(ground.problem), 0).astype(np.int32)
        quarters = np.arange(self.low // QUARTER, self.high // QUARTER, dtype=np.int32)
        usual = np.array(ANCHORS, dtype=np.int32)[:, None] // QUARTER
        distance = (self.profile.arrival * np.abs(quarters - usual) // 2).astype(np.int32)
        # (anchors, days, quarters); where the patient comes anyway only an earlier start changes the arrival.
        self.arrival = distance[:, None, :] * ordinary[None, :, None].astype(np.int32)
        for day, start in first_starts(ground).items():
            if day in usable:
                settled = start // QUARTER
                before = np.abs(np.minimum(quarters, settled) - usual)
                cost = self.profile.arrival * before // 2 - self.profile.arrival * np.abs(settled - usual) // 2
                self.arrival[:, usable.index(day)] = cost
        self.cost: dict[tuple[int, ...], np.ndarray] = {}
        for size in range(1, len(tables) + 1):
            for subset in combinations(range(len(tables)), size):
                self.cost[subset] = self._cost_of(subset, self.raw)

    def _spread(self, table: CourseTable) -> np.ndarray:
        """The table's costs on the common days and slots, waiting beside booked visits taken out again."""
        found = np.full((len(table.options), len(self.days), self.high - self.low), IMPOSSIBLE, dtype=np.int32)
        columns = slice(table.low - self.low, table.high - self.low)
        here = [(i, table.index[d]) for i, d in enumerate(self.days) if d in table.index]
        into, from_ = [i for i, _ in here], [j for _, j in here]
        found[:, into, columns] = table.cost[:, from_]
        # A day's waiting is its span less the time treated: here the part that each session brings by itself.
        begins = np.arange(self.low, self.high, dtype=np.int32)
        wait, slots = self.profile.wait, table.course.slots
        for i, day in enumerate(self.days):
            if day in self.visits:
                start, end = self.visits[day]
                outside = np.maximum(0, start - begins) + np.maximum(0, begins + slots - end)
                found[:, i] -= wait * (outside - slots)
        found -= np.int32(wait * slots)
        found[found >= IMPOSSIBLE // 2] = NEVER
        return found

    def _edges(self) -> tuple[np.ndarray, np.ndarray]:
        """(days, slots + more): what a first start, and a last end, add to the day's span."""
        longest = max(t.course.slots for t in self.tables)
        slots = np.arange(self.low, self.high + longest, dtype=np.int32)
        begin = np.empty((len(self.days), len(slots)), dtype=np.int32)
        end = np.empty_like(begin)
        for i, day in enumerate(self.days):
            visit = self.visits.get(day)
            begin[i] = -slots if visit is None else np.maximum(0, visit[0] - slots)
            end[i] = slots if visit is None else np.maximum(0, slots - visit[1])
        return self.profile.wait * begin, self.profile.wait * end

    def _excluded(self, subset: Iterable[int]) -> bool:
        courses = [self.tables[c].course for c in subset]
        return any(
            a.procedure in b.not_same_day_with
            or b.procedure in a.not_same_day_with
            or self.ground.rulebook.apart(kind_of(a), kind_of(b)) > 0
            for a, b in combinations(courses, 2)
        )

    def _crowded_days(self, subset: tuple[int, ...]) -> list[int]:
        """Positions of the days that would hold more sessions of a tag than a day may."""
        book, fixed = self.ground.rulebook, self.ground.fixed
        if not book.limits:
            return []
        own = [kind_of(self.tables[c].course) for c in subset]
        days = enumerate(self.days)
        return [i for i, d in days if book.exceeds_limit([*own, *(s.kind for s in fixed.get(d, ()))])]

    def least_remainders(self) -> dict[tuple[int, ...], np.ndarray]:
        """Per subset, int32 (days, anchors): the least a day adds to its sessions' own costs, whoever gives them."""
        empty = []
        for table, raw in zip(self.tables, self.raw, strict=True):
            possible = (raw < IMPOSSIBLE).any(axis=0, keepdims=True)
            empty.append(np.where(possible, -self.profile.wait * table.course.slots, NEVER).astype(np.int32))
        return {subset: self._cost_of(subset, empty).min(axis=tuple(range(len(subset)))) for subset in self.cost}

    def own_costs(self, position: int) -> np.ndarray:
        """int32 (options, days): the cheapest session of a course, what it shares with others left out."""
        wait = self.profile.wait * self.tables[position].course.slots
        own: np.ndarray = np.minimum(self.raw[position].min(axis=2) + wait, IMPOSSIBLE)
        return own

    def _cost_of(self, subset: tuple[int, ...], raw: list[np.ndarray]) -> np.ndarray:
        shape = tuple(len(raw[c]) for c in subset)
        if len(subset) > 1 and self._excluded(subset):
            return np.full((*shape, len(self.days), len(ANCHORS)), IMPOSSIBLE, dtype=np.int32)
        best = np.full((*shape, len(self.days), self.high - self.low), NEVER, dtype=np.int32)
        for row in self.rows.of(subset):
            order = row.courses
            first = self._follow(row, [raw[c] for c in order], self._end)
            first = first + self._begin[:, : first.shape[-1]]
            # Option axes come in the order of the day; put them back into that of the subset.
            axes = [order.index(c) for c in subset]
            np.minimum(best, first.transpose(*axes, *range(len(subset), len(subset) + 2)), out=best)
        best[..., self._crowded_days(subset), :] = NEVER
        quarters = np.minimum(np.minimum(best[..., 0::3], best[..., 1::3]), best[..., 2::3])
        found = np.empty((*quarters.shape[:-1], len(ANCHORS)), dtype=np.int32)
        for a in range(len(ANCHORS)):
            found[..., a] = (quarters + self.arrival[a]).min(axis=-1) + self.visit
        np.minimum(found, IMPOSSIBLE, out=found)
        return found

    def _follow(self, row: Row, raw: list[np.ndarray], end: np.ndarray) -> np.ndarray:
        """Cost by start of the first of a row of sessions: (options in day order..., days, slots).

        Without the arrival, the visit and what the first start adds to the span.
        """
        width = self.high - self.low
        last = self.tables[row.courses[-1]].course
        return row.follow([*raw[:-1], raw[-1] + end[:, last.slots : last.slots + width]])

    def slottings(
        self, day: int, subset: tuple[int, ...], members: list[tuple[int, ...]], anchor: int
    ) -> list[Slotting]:
        """The sessions of the cheapest pattern of a subset on a day, in time order.

        members: the allowed options of every course; anchor: position in ANCHORS.
        """
        i = self.days.index(day)
        end = self._end[i : i + 1]
        raw = {c: self.raw[c][list(members[c]), i].min(axis=0)[None, None] for c in subset}
        arrival = np.repeat(self.arrival[anchor, i], QUARTER)
        best: tuple[int, Row, int] | None = None
        for row in self.rows.of(subset):
            costs = self._follow(row, [raw[c] for c in row.courses], end).reshape(-1)
            costs = costs + self._begin[i, : len(costs)] + arrival
            slot = int(costs.argmin())
            if best is None or int(costs[slot]) < best[0]:
                best = (int(costs[slot]), row, slot)
        if best is None or best[0] >= IMPOSSIBLE:
            raise LookupError("no such pattern")
        _, row, first = best
        last = self.tables[row.courses[-1]].course
        values = [raw[c].reshape(-1) for c in row.courses]
        values[-1] = values[-1] + end[0, last.slots : last.slots + len(values[-1])]
        found = []
        for c, slot in zip(row.courses, row.starts(values, first), strict=True):
            options = members[c]
            found.append(Slotting(c, options[int(self.raw[c][list(options), i, slot].argmin())], slot + self.low))
        return found
