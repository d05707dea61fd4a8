"""The repair as a linear programme over some of the columns: the relaxation bounds it, CP-SAT solves it.

Variables: one per column; one per session that may stay unplaced; how many of the sessions that start together in a
group go to each place; for courses with several sessions to place, whether a day is used, and days by which gaps are
too long.
Rows: every session once; never more takes than places, at each moment that matters; each course's rhythm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .matrix import Array, Matrix
from .starts import Starts
from .supply import Supply

# Lexicographic costs of one relaxation: an unplaced session over the rest moved over any change.  Large enough that
# what a change costs does not blur the bound on unplaced sessions, small enough for double precision.
UNPLACED = 100_000
MOVED = 1_000


@dataclass(frozen=True, slots=True)
class Aim:
    """What is minimised: weight of an unplaced session, of a moved one of the rest, of change.

    unplaced, moved: the numbers once they are settled.
    """

    unplaced_weight: int = 0
    moved_weight: int = 0
    change_weight: int = 1
    unplaced: int | None = None
    moved: int | None = None


class Assembly:
    """columns: their numbers in `Starts`, ascending; variable i is column columns[i]."""

    def __init__(self, starts: Starts, supply: Supply, columns: Array, aim: Aim) -> None:
        self.starts, self.supply, self.columns, self.aim = starts, supply, columns, aim
        self.matrix = Matrix()
        is_moved = starts.is_rest[starts.session[columns]] & ~starts.stays[columns]
        cost = aim.change_weight * starts.cost[columns] + aim.moved_weight * is_moved
        self.matrix.add_variables(len(columns), cost=cost)
        self.optional = np.flatnonzero(~starts.is_rest)
        absent = aim.unplaced_weight + aim.change_weight * starts.absent_cost[self.optional]
        self.unplaced = self.matrix.add_variables(len(self.optional), cost=absent)
        self._add_sessions(is_moved)
        self._add_days()
        self.lasting = self.matrix.rows  # rows that are the same whatever the columns
        self._add_capacity()

    def _add_sessions(self, is_moved: Array) -> None:
        starts, m = self.starts, self.matrix
        self.session_rows = m.add_rows(len(starts.sessions), low=1, high=1)
        m.add_terms(self.session_rows[starts.session[self.columns]], np.arange(len(self.columns)))
        m.add_terms(self.session_rows[self.optional], self.unplaced)
        self.unplaced_row = self.moved_row = -1
        if self.aim.unplaced is not None:
            self.unplaced_row = int(m.add_rows(1, low=self.aim.unplaced, high=self.aim.unplaced)[0])
            m.add_terms(self.unplaced_row, self.unplaced)
        if self.aim.moved is not None:
            self.moved_row = int(m.add_rows(1, high=self.aim.moved)[0])
            m.add_terms(self.moved_row, np.flatnonzero(is_moved))

    # -- days -----------------------------------------------------------------------------------------------------

    def _add_days(self) -> None:
        starts, m = self.starts, self.matrix
        self.day_links = np.full((len(starts.rhythms), starts.calendar.days), -1, dtype=np.int64)
        self.used: dict[int, dict[int, int]] = {}
        linked = sorted(set(starts.shared_courses) | {c for pair in starts.exclusive_pairs for c in pair})
        for course in linked:
            days = starts.days_of_course[course]
            variables = m.add_variables(len(days))
            links = m.add_rows(len(days), low=0, high=0)
            m.add_terms(links, variables, -1)
            self.day_links[course, days] = links
            self.used[course] = dict(zip(days.tolist(), variables.tolist(), strict=True))
        rows = self.day_links[starts.course[self.columns], starts.day[self.columns]]
        m.add_terms(rows[rows >= 0], np.flatnonzero(rows >= 0))
        for course in starts.shared_courses:
            self._add_rhythm(course)
            if self.aim.change_weight:
                self._add_gaps(course)
        for one, other in starts.exclusive_pairs:
            for day in self.used[one].keys() & self.used[other].keys():
                m.add_row([(self.used[one][day], 1), (self.used[other][day], 1)], high=1)

    def _add_rhythm(self, course: int) -> None:
        """At most one session in any window as long as the minimal gap; at most so many a week."""
        rhythm, used = self.starts.rhythms[course], self.used[course]
        most = rhythm.request.per_week
        if rhythm.request.gap_min > 1:
            at = {day: rhythm.position(day) for day in used}
            for day in used:
                close = [(used[d], 1) for d in used if 0 <= at[d] - at[day] < rhythm.request.gap_min]
                if len(close) > 1:
                    self.matrix.add_row(close, high=1)
        if most is not None:
            weeks: dict[int, list[int]] = {}
            for day, variable in used.items():
                weeks.setdefault(rhythm.weeks[day], []).append(variable)
            for week, variables in weeks.items():
                left = most - rhythm.fixed_a_week[week]
                if left < len(variables):
                    self.matrix.add_row([(v, 1) for v in variables], high=left)

    def _add_gaps(self, course: int) -> None:
        """A gap exceeds its maximum g by the number of windows of g counted days that lie empty inside it."""
        starts, m, rhythm = self.starts, self.matrix, self.starts.rhythms[course]
        most = rhythm.request.gap_max
        if most is None:
            return
        used = {rhythm.position(day): v for day, v in self.used[course].items()}
        anchors = {rhythm.position(day) for day in rhythm.anchors}
        ends = sorted({*used, *anchors})
        before, after = _Beginnings(m, used, anchors), _Ends(m, used, anchors)
        weight = self.aim.change_weight * starts.problem.weights.gap
        over: list[int] = []
        constant = 0
        for p in range(ends[0], ends[-1] - most) if ends else ():
            if any(q in anchors for q in range(p + 1, p + most + 1)):
                continue
            inside = [(used[q], 1) for q in range(p + 1, p + most + 1) if q in used]
            left, right = before.at(p), after.at(p + most + 1)
            if not inside and left is None and right is None:
                constant += 1
                continue
            over.append(int(m.add_variables(1)[0]))
            sides = [(v, -1) for v in (left, right) if v is not None]
            m.add_row([(over[-1], 1), *inside, *sides], low=1 - len(sides))
        spare = starts.excess_before[course] - constant
        total = int(m.add_variables(1, cost=weight, upper=len(over) + max(0, -spare))[0])
        m.add_row([(total, 1), *((v, -1) for v in over)], low=-spare)

    # -- capacity -------------------------------------------------------------------------------------------------

    def _add_capacity(self) -> None:
        position = np.full(len(self.starts), -1, dtype=np.int64)
        position[self.columns] = np.arange(len(self.columns))
        takes = []
        for columns, first, end in self.supply.takes:
            at = position[columns]
            shown = at >= 0
            takes.append((at[shown], first[shown], end[shown], np.ones(int(shown.sum()), dtype=np.int64)))
        takes += self._place_takes()
        variable, first, end, weight = (np.concatenate([t[i] for t in takes]) for i in range(4))
        self.points = self._points(first, end, weight)
        self.point_rows = self.matrix.add_rows(len(self.points), high=self.supply.places[self.points])
        low, high = np.searchsorted(self.points, first), np.searchsorted(self.points, end)
        counts = high - low
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        self.matrix.add_terms(self.point_rows[np.repeat(low, counts) + offsets], np.repeat(variable, counts))

    def _place_takes(self) -> list[tuple[Array, Array, Array, Array]]:
        """Of rooms and devices: by the column itself where one place will do, else by how many go to each place."""
        supply, m = self.supply, self.matrix
        self.dealt: dict[tuple[int, int], list[tuple[int, int]]] = {}  # (group, at) -> (place, variable)
        takes = []
        variables_of = [np.zeros(0, np.int64)]
        at, groups = supply.at[self.columns], supply.group[self.columns]
        for g, group in enumerate(supply.groups):
            own = np.flatnonzero(groups == g)
            moments, inverse, counts = np.unique(at[own], return_inverse=True, return_counts=True)
            free = group.free[:, moments]
            is_settled = group.settled[moments] >= 0
            lone = (free.sum(axis=0) == 1) & ~is_settled
            dealt = np.flatnonzero(~lone & ~is_settled)
            links = m.add_rows(len(dealt), high=0)
            link_of = np.full(len(moments), -1, dtype=np.int64)
            link_of[dealt] = links
            several = link_of[inverse] >= 0
            m.add_terms(link_of[inverse][several], own[several])
            for p, place in enumerate(group.places):
                alone = own[(lone & free[p])[inverse]]
                for first, end in group.takes(place, at[alone], supply.span):
                    takes.append((alone, first, end, np.ones(len(alone), dtype=np.int64)))
                shared = dealt[free[p, dealt]]
                variables = m.add_variables(len(shared), upper=counts[shared])
                m.add_terms(link_of[shared], variables, -1)
                variables_of.append(variables)
                for moment, variable in zip(moments[shared].tolist(), variables.tolist(), strict=True):
                    self.dealt.setdefault((g, moment), []).append((p, variable))
                for first, end in group.takes(place, moments[shared], supply.span):
                    takes.append((variables, first, end, counts[shared]))
        self.dealt_variables = np.concatenate(variables_of)
        return takes

    def _points(self, first: Array, end: Array, weight: Array) -> Array:
        """Moments at which takes and places are compared; those are left out that another one implies."""
        points: Array = np.unique(np.concatenate([first, self.supply.drops]))
        firsts, ends = np.argsort(first, kind="stable"), np.argsort(end, kind="stable")
        begun = np.concatenate([[0], np.cumsum(weight[firsts])])[np.searchsorted(first[firsts], points, "right")]
        ended = np.concatenate([[0], np.cumsum(weight[ends])])[np.searchsorted(end[ends], points, "right")]
        points = points[(begun - ended > self.supply.places[points]) & ~self.supply.ample[points]]
        if not len(points):
            return points
        # Whoever takes at p still takes at the next point unless it ends by then; the tighter point then says it all.
        gone = np.searchsorted(end[ends], points, "right")
        places = self.supply.places[points]
        implied = (gone[:-1] == gone[1:]) & (places[:-1] >= places[1:])
        return np.asarray(points[~np.append(implied, False)])


class _Sides:
    """Whether a session lies on this side of a position: None where a fixed one does, else a variable."""

    def __init__(self, matrix: Matrix, used: dict[int, int], anchors: set[int]) -> None:
        self.matrix, self.used, self.anchors = matrix, used, anchors
        self._known: dict[int, int] = {}

    def _variable(self, position: int, members: list[int]) -> int:
        found = self._known.get(position)
        if found is None:
            found = self._known[position] = int(self.matrix.add_variables(1)[0])
            for v in members:
                self.matrix.add_row([(found, 1), (v, -1)], low=0)
        return found


class _Beginnings(_Sides):
    def at(self, position: int) -> int | None:
        if any(a <= position for a in self.anchors):
            return None
        return self._variable(position, [v for q, v in self.used.items() if q <= position])


class _Ends(_Sides):
    def at(self, position: int) -> int | None:
        if any(a >= position for a in self.anchors):
            return None
        return self._variable(position, [v for q, v in self.used.items() if q >= position])
