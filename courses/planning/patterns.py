"""What a day costs when some of the courses share it: the cheapest order and times of their sessions.

Sessions follow one another without overlap, each patient's rest kept; a day's cost is that of its sessions, the waiting
between them, and unless the patient comes anyway the visit and the distance to the usual arrival time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from . import weights
from .ground import Ground
from .table import CourseTable, first_starts, visit_spans
from .weights import ANCHORS, IMPOSSIBLE, QUARTER

_NEVER = 2 * IMPOSSIBLE  # stays beyond IMPOSSIBLE whatever is taken off for waiting


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
        found[found >= IMPOSSIBLE // 2] = _NEVER
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
            a.procedure in b.not_same_day_with or b.procedure in a.not_same_day_with
            for a, b in combinations(courses, 2)
        )

    def least_remainders(self) -> dict[tuple[int, ...], np.ndarray]:
        """Per subset, int32 (days, anchors): the least a day adds to its sessions' own costs, whoever gives them."""
        empty = []
        for table, raw in zip(self.tables, self.raw, strict=True):
            possible = (raw < IMPOSSIBLE).any(axis=0, keepdims=True)
            empty.append(np.where(possible, -self.profile.wait * table.course.slots, _NEVER).astype(np.int32))
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
        best: np.ndarray | None = None
        for order in permutations(subset):
            first = self._follow(order, [raw[c] for c in order], self._end)
            first = first + self._begin[:, : first.shape[-1]]
            # Option axes come in the order of the day; put them back into that of the subset.
            axes = [order.index(c) for c in subset]
            first = first.transpose(*axes, *range(len(subset), len(subset) + 2))
            best = first if best is None else np.minimum(best, first)
        if best is None:
            raise LookupError("a pattern of no course")
        quarters = np.minimum(np.minimum(best[..., 0::3], best[..., 1::3]), best[..., 2::3])
        found = np.empty((*quarters.shape[:-1], len(ANCHORS)), dtype=np.int32)
        for a in range(len(ANCHORS)):
            found[..., a] = (quarters + self.arrival[a]).min(axis=-1) + self.visit
        np.minimum(found, IMPOSSIBLE, out=found)
        return found

    def _follow(self, order: tuple[int, ...], raw: list[np.ndarray], end: np.ndarray) -> np.ndarray:
        """Cost by start of the first of a row of sessions: (options in day order..., days, slots).

        Without the arrival, the visit and what the first start adds to the span.
        """
        width = self.high - self.low
        last = self.tables[order[-1]].course
        value: np.ndarray = raw[-1] + end[:, last.slots : last.slots + width]
        for at in range(len(order) - 2, -1, -1):
            shift = self._shift(order[at], order[at + 1])
            later = np.minimum.accumulate(value[..., ::-1], axis=-1)[..., ::-1]
            moved = np.full(later.shape, _NEVER, dtype=np.int32)
            if shift < width:
                moved[..., : width - shift] = later[..., shift:]
            here = raw[at].reshape(raw[at].shape[0], *(1,) * (moved.ndim - 2), *raw[at].shape[1:])
            value = here + moved[None]
        return value

    def _shift(self, earlier: int, later: int) -> int:
        """Slots from the start of one course's session to the first possible start of the other's."""
        first, second = self.tables[earlier].course, self.tables[later].course
        return first.slots + first.patient_margins.after + second.patient_margins.before

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
        best: tuple[int, tuple[int, ...], int] | None = None
        for order in permutations(subset):
            costs = self._follow(order, [raw[c] for c in order], end).reshape(-1)
            costs = costs + self._begin[i, : len(costs)] + arrival
            slot = int(costs.argmin())
            if best is None or int(costs[slot]) < best[0]:
                best = (int(costs[slot]), order, slot)
        if best is None or best[0] >= IMPOSSIBLE:
            raise LookupError("no such pattern")
        _, order, slot = best
        found = []
        for at, c in enumerate(order):
            options = members[c]
            found.append(Slotting(c, options[int(self.raw[c][list(options), i, slot].argmin())], slot + self.low))
            if at + 1 < len(order):
                rest = order[at + 1 :]
                value = self._follow(rest, [raw[r] for r in rest], end).reshape(-1)
                slot += self._shift(c, order[at + 1])
                slot += int(value[slot:].argmin())
        return found
