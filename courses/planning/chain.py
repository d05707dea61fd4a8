"""The dynamic programme: the cheapest days for a chain of sessions, for many cost rows at once.

    V[k, d] = P[d] + min over gaps g of (V[k - 1, d - g] + cost of the gap)

over positions d of a course's axis, with one more dimension (sessions in the current ISO week) where the weekly maximum
is not implied by the minimal gap.  Rows (therapist sets x arrival times) lie along the last, contiguous axis.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator

import numpy as np

from . import weights
from .table import CourseTable
from .weights import IMPOSSIBLE, NEVER


class Chain:
    """The gaps, weeks, pinned and done sessions of one course, as cost vectors over the axis of its table.

    length: sessions to plan plus pinned ones; pinned: axis positions that every chain must hold.
    """

    def __init__(self, table: CourseTable) -> None:
        course, ground = table.course, table.ground
        self.course, self.axis = course, table.axis
        self.profile = table.profile
        self.pinned = sorted(table.index[p.day] for p in course.pinned)
        self.length = course.sessions + len(self.pinned)
        size = len(self.axis)
        days = np.array(self.axis, dtype=np.int32)
        before = np.zeros(size + 1, dtype=np.int32)  # positions below an index that must not be skipped
        for position in (*self.pinned, *(table.index[d] for d in table.fixed)):
            before[position + 1 :] += 1
        self.before = before
        largest = size - 1 if course.gap_max is None else min(course.gap_max, size - 1)
        self.gaps: list[tuple[int, np.ndarray]] = []
        for gap in range(course.gap_min, largest + 1) if self.length > 1 else ():
            calendar = days[gap:] - days[:-gap]
            cost = self.profile.gap * (gap - course.gap_min) + self.profile.hole * np.maximum(
                0, calendar - weights.LONG_GAP
            )
            if course.free_gaps:
                cost = np.zeros_like(cost)
            skipped = before[gap:-1] - before[1 : size + 1 - gap]
            self.gaps.append((gap, (cost + NEVER * (skipped > 0)).astype(np.int32)))
        self.first = self._first_costs(table)
        self.last = (self.profile.finish * (days - course.start_day)).astype(np.int32)
        self.last += NEVER * (before[-1] - before[1:] > 0)
        self._lay_weeks(table, ground.weeks)
        given = len(course.done_days)
        # Number from 0 of those in the chain → positions, half-open.
        self.windows = {
            number - given - 1: (bisect_left(self.axis, low), bisect_right(self.axis, high))
            for number, (low, high) in ground.number_windows(course).items()
        }

    def _first_costs(self, table: CourseTable) -> np.ndarray:
        course = self.course
        cost = (NEVER * (self.before[:-1] > 0)).astype(np.int32)
        if not course.done_days:
            return cost
        done = max(course.done_days)
        for i, day in enumerate(self.axis):
            gap = table.position[day] - table.position[done]
            too_long = course.gap_max is not None and gap > course.gap_max and not course.resuming
            if gap < course.gap_min or too_long:
                cost[i] += NEVER
            elif not course.resuming:
                cost[i] += weights.gap_cost(self.profile, course, gap=gap, calendar_days=day - done)
        return cost

    def _lay_weeks(self, table: CourseTable, weeks: list[int]) -> None:
        """Whether the weekly maximum needs its own dimension, and which positions share a week."""
        course = self.course
        self.week = np.array([weeks[d] for d in self.axis], dtype=np.int32)
        self.limit = 0
        self.has_done = bool(course.done_days)
        self.week_costs = [(vector, vector) for _, vector in self.gaps]
        if course.per_week is None:
            return
        done: dict[int, int] = {}
        for day in course.done_days:
            done[weeks[day]] = done.get(weeks[day], 0) + 1
        self.done = np.array([done.get(int(w), 0) for w in self.week], dtype=np.int32)
        sizes = np.bincount(self.week) if len(self.axis) else np.zeros(1, dtype=np.int64)
        most = max((-(-int(n) // course.gap_min) for n in sizes), default=0)
        if most > course.per_week or done:
            self.limit = course.per_week
            self.week_costs = []
            for gap, vector in self.gaps:
                same = self.week[gap:] == self.week[:-gap]
                staying = np.where(same, vector, NEVER).astype(np.int32)
                self.week_costs.append((staying, np.where(same, NEVER, vector).astype(np.int32)))

    def _span(self, k: int) -> tuple[int, int]:
        """Positions that the session number k (from 0) can have: half-open."""
        low = k * self.course.gap_min
        high = len(self.axis) - (self.length - 1 - k) * self.course.gap_min
        first, after = self.windows.get(k, (0, len(self.axis)))
        low = max(low, first)
        return low, max(low, min(high, after))

    def layers(self, day_costs: np.ndarray) -> Iterator[np.ndarray]:
        """V[k] for k = 0, 1, ...: int32 (states, axis, rows); day_costs is (axis, rows).

        states: how many sessions the current week holds, 1..limit; a single state where weeks do not matter.
        """
        cost = day_costs.copy()
        cost[self.pinned] = 0
        states = max(self.limit, 1)
        shape = (states, *cost.shape)
        low, high = self._span(0)
        value = np.full(shape, NEVER, dtype=np.int32)
        start = cost[low:high] + self.first[low:high, None]
        if self.limit:
            for i in range(low, high):
                state = int(self.done[i])
                if state < states:
                    value[state, i] = start[i - low]
        else:
            value[0, low:high] = start
        yield value
        for k in range(1, self.length):
            low, high = self._span(k)
            value = self._step(value, cost, low, high) if high > low else np.full(shape, NEVER, dtype=np.int32)
            yield value

    def _step(self, old: np.ndarray, cost: np.ndarray, low: int, high: int) -> np.ndarray:
        new = np.full(old.shape, NEVER, dtype=np.int32)
        best = old.min(axis=0) if self.limit > 1 else old[0]
        work = np.empty_like(new)
        for (gap, gap_cost), (staying, crossing) in zip(self.gaps, self.week_costs, strict=True):
            at = max(low, gap)
            if at >= high:
                break
            came = slice(at - gap, high - gap)
            into = slice(at, high)
            if self.limit and self.has_done:
                self._cross_weeks(new, best, crossing, gap, at, high)
            else:
                vector = crossing if self.limit else gap_cost
                np.add(best[came], vector[came, None], out=work[0, into])
                np.minimum(new[0, into], work[0, into], out=new[0, into])
            if self.limit > 1:
                np.add(old[:-1, came], staying[None, came, None], out=work[1:, into])
                np.minimum(new[1:, into], work[1:, into], out=new[1:, into])
        new[:, low:high] += cost[low:high]
        return new

    def _cross_weeks(  # noqa: PLR0917
        self, new: np.ndarray, best: np.ndarray, crossing: np.ndarray, gap: int, at: int, high: int
    ) -> None:
        """Gaps into another week, where sessions already given may have used part of its maximum."""
        for i in range(at, high):
            state = int(self.done[i])
            if crossing[i - gap] < IMPOSSIBLE and state < self.limit:
                np.minimum(new[state, i], best[i - gap] + crossing[i - gap], out=new[state, i])

    def values(self, day_costs: np.ndarray) -> np.ndarray:
        """The cheapest chain of each row: int32 (rows,), >= IMPOSSIBLE where there is none."""
        if self.length == 0 or not self.axis:
            return np.full(day_costs.shape[1], NEVER if self.length else 0, dtype=np.int32)
        (value,) = deque(self.layers(day_costs), maxlen=1)
        least: np.ndarray = (value.min(axis=0) + self.last[:, None]).min(axis=0)
        return least

    def trace(self, day_costs: np.ndarray) -> list[int]:
        """Days of the cheapest chain of a single row (axis,), pinned days left out; LookupError if none."""
        row = day_costs[:, None]
        layers = list(self.layers(row))
        cost = day_costs.copy()
        cost[self.pinned] = 0
        ends = layers[-1][:, :, 0] + self.last[None, :]
        state, at = divmod(int(ends.argmin()), ends.shape[1])
        if ends[state, at] >= IMPOSSIBLE:
            raise LookupError("no chain to trace")
        positions = [at]
        for k in range(self.length - 1, 0, -1):
            state, at = self._previous(layers[k - 1][:, :, 0], int(layers[k][state, at, 0] - cost[at]), state, at)
            positions.append(at)
        fixed = set(self.pinned)
        return [self.axis[p] for p in reversed(positions) if p not in fixed]

    def _previous(self, old: np.ndarray, wanted: int, state: int, at: int) -> tuple[int, int]:
        """The state and position of the session before, smallest gap first."""
        for gap, gap_cost in self.gaps:
            if gap > at:
                break
            came = at - gap
            for before in range(old.shape[0]):
                if self.limit:
                    same = self.week[at] == self.week[came]
                    if state != (before + 1 if same else int(self.done[at])):
                        continue
                if old[before, came] + gap_cost[came] == wanted:
                    return before, came
        raise LookupError("a chain's value has no origin")
