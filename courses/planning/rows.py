"""Sessions of several courses in a row on one day: how far one start must follow another, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from .rulebook import RuleBook, kind_of
from .types import SLOTS_PER_DAY, CourseRequest
from .weights import NEVER

ANY = SLOTS_PER_DAY  # a distance no day is long enough for

Distance = tuple[int, int]  # least and most slots from one start to another


@dataclass(frozen=True, slots=True)
class Row:
    """Courses in the order of a day: any number where only neighbours ask for distances, else up to three.

    distances[i, j]: from the start of the i-th session to that of the j-th, i < j.
    """

    courses: tuple[int, ...]
    distances: dict[tuple[int, int], Distance]

    def follow(self, costs: Sequence[np.ndarray]) -> np.ndarray:
        """The least cost of all sessions by the start of the first.

        costs: per session, (options, days, slots); the result is (options of the first, ..., days, slots).
        """
        if self.ends_meet():
            return self._tails(costs)[0]
        return self._follow_apart(*costs)

    def _tails(self, costs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Per session, the least cost of it and all after it by its start; what only the ends ask of each other left
        out.
        """
        tails = [costs[-1]]
        for at in range(len(costs) - 2, -1, -1):
            tails.insert(0, _beside(costs[at], _least_within(tails[0], *self.distances[at, at + 1])))
        return tails

    def ends_meet(self) -> bool:
        """Whether what holds between neighbours leaves nothing to ask of sessions that are none."""
        for (i, j), (least, most) in self.distances.items():
            between = [self.distances[at, at + 1] for at in range(i, j)]
            if least > sum(low for low, _ in between) or most < min(ANY, sum(high for _, high in between)):
                return False
        return True

    def _follow_apart(self, first: np.ndarray, second: np.ndarray, third: np.ndarray) -> np.ndarray:
        """The same where the first and the third have a distance of their own: every start of the second by itself."""
        (low, high), (least, most), (least_ends, most_ends) = (
            self.distances[pair] for pair in ((0, 1), (1, 2), (0, 2))
        )
        width = third.shape[-1]
        best: np.ndarray | None = None
        for shift in range(low, min(high, most_ends - least, width - 1) + 1):
            window = max(least_ends, shift + least), min(most_ends, shift + most)
            if window[0] > window[1]:
                continue
            value = _beside(_later(second, shift), _least_within(third, *window))
            best = value if best is None else np.minimum(best, value)
        if best is None:
            best = np.full((len(second), len(third), *third.shape[1:]), NEVER, dtype=np.int32)
        return _beside(first, best)

    def starts(self, costs: Sequence[np.ndarray], first: int) -> list[int]:
        """Starts of all sessions that make up the value of `follow` at a start of the first; costs: (slots,) each."""
        tails = [tail.reshape(-1) for tail in self._tails([c[None, None] for c in costs])]
        if not self.ends_meet():
            low, high = self._reach([first], 1, len(costs[1]))
            ends = [self._least_end(first, start, costs[2]) for start in range(low, high + 1)]
            tails[1] = costs[1].copy()
            tails[1][low : high + 1] += np.array(ends, dtype=np.int32)
        found = [first]
        for at in range(1, len(costs)):
            low, high = self._reach(found, at, len(costs[at]))
            found.append(low + int(tails[at][low : high + 1].argmin()))
        return found

    def _least_end(self, first: int, second: int, costs: np.ndarray) -> int:
        low, high = self._reach([first, second], 2, len(costs))
        return int(costs[low : high + 1].min()) if low <= high else NEVER

    def _reach(self, found: list[int], at: int, width: int) -> Distance:
        """The first and the last slot at which a session may start beside those before it."""
        low = max(start + self.distances[i, at][0] for i, start in enumerate(found))
        high = min(start + self.distances[i, at][1] for i, start in enumerate(found))
        return low, min(high, width - 1)


class Rows:
    """The rows in which courses may share a day."""

    def __init__(self, book: RuleBook, courses: Sequence[CourseRequest]) -> None:
        self.book, self.courses = book, courses

    def of(self, subset: tuple[int, ...]) -> list[Row]:
        """Every order of a subset that the rules allow."""
        return [row for order in permutations(subset) if (row := self._row(order)) is not None]

    def suit(self) -> bool:
        """Whether `Row` can follow every row that the courses may stand in."""
        everyone = tuple(range(len(self.courses)))
        return len(everyone) <= 3 or all(row.ends_meet() for row in self.of(everyone))

    def _row(self, order: tuple[int, ...]) -> Row | None:
        distances = {}
        for j in range(1, len(order)):
            for i in range(j):
                distance = self._distance(self.courses[order[i]], self.courses[order[j]])
                if distance is None:
                    return None
                distances[i, j] = distance
        return Row(order, distances)

    def _distance(self, earlier: CourseRequest, later: CourseRequest) -> Distance | None:
        spacing = self.book.spacing(kind_of(earlier), kind_of(later))
        if spacing is None:
            return None
        rest = earlier.patient_margins.after + later.patient_margins.before
        least = max(rest, spacing.least)
        return (earlier.slots + least, min(ANY, earlier.slots + spacing.most)) if least <= spacing.most else None


def _beside(first: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Costs of one session, its options on an axis of their own, added to those of the sessions after it."""
    found: np.ndarray = first.reshape(first.shape[0], *(1,) * (rest.ndim - 2), *first.shape[1:]) + rest[None]
    return found


def _later(value: np.ndarray, shift: int) -> np.ndarray:
    """value[s + shift] at s."""
    found = np.full(value.shape, NEVER, dtype=np.int32)
    if shift < value.shape[-1]:
        found[..., : value.shape[-1] - shift] = value[..., shift:]
    return found


def _least_within(value: np.ndarray, low: int, high: int) -> np.ndarray:
    """The least of value[s + low .. s + high] at s; beyond the last slot there is nothing."""
    if high >= value.shape[-1] - 1:
        return _later(np.minimum.accumulate(value[..., ::-1], axis=-1)[..., ::-1], low)
    width, have = high - low + 1, 1
    while have < width:
        step = min(have, width - have)
        value = np.minimum(value, _later(value, step))
        have += step
    return _later(value, low)
