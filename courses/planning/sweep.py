"""The sweep over the days for a batch of combinations: a sparse dynamic programme over how far the courses are.

States are parallel arrays.  Per course: sessions done, position of the last one on the course's axis plus one (0 = none
yet), and how many of them lie in its ISO week (0-based, 0 where weeks do not matter).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .chain import Chain
from .crossings import Crossings, Progress
from .table import CourseTable
from .weights import IMPOSSIBLE

MOST_STATES = 200_000  # about 100 MB at the peak
MOST_SESSIONS, MOST_POSITIONS = 31, 200  # beyond, there are more states than can be gone through


@dataclass(slots=True)
class Steps:
    """One course in a batch: its costs to go (see `bounds.costs_to_go`) and the row of them each combination uses."""

    chain: Chain
    table: CourseTable
    go: np.ndarray
    row_of: np.ndarray
    gap_costs: np.ndarray = field(init=False)
    largest: int = field(init=False)

    def __post_init__(self) -> None:
        chain = self.chain
        size = len(chain.axis)
        # gap_costs[position, last + 1]: the gap to the position; column 0: a first session there.
        self.gap_costs = np.full((size, size + 1), IMPOSSIBLE, dtype=np.int32)
        self.gap_costs[:, 0] = chain.first
        for gap, vector in chain.gaps:
            for at in range(gap, size):
                self.gap_costs[at, at - gap + 1] = vector[at - gap]
        self.largest = max((gap for gap, _ in chain.gaps), default=0)

    def to_go_after(self, position: int) -> np.ndarray:
        """float32 (distances + 2, states, sessions + 1, rows): least cost of the rest, from `position` on.

        A distance is counted from the last session to `position`; index 0: none yet; the last index: too long ago.
        """
        chain, go = self.chain, self.go
        size, states, rows = go.shape[1:]
        found = np.full((self.largest + 2, states, chain.length + 1, rows), IMPOSSIBLE, dtype=np.float32)
        found[:, :, chain.length] = 0
        if position < size:
            found[0, 0, 0] = go[0, position, 0]
        for distance in range(1, self.largest + 1):
            last = position - distance
            if last < 0:
                break
            for (gap, vector), (staying, crossing) in zip(chain.gaps, chain.week_costs, strict=True):
                at = last + gap
                if at < position or at >= size:
                    continue
                new = crossing[last] if chain.limit else vector[last]
                into = found[distance, :, 1 : chain.length]
                if new < IMPOSSIBLE:
                    np.minimum(into, (go[2:, at, 0] + new)[None], out=into)
                if chain.limit > 1 and staying[last] < IMPOSSIBLE:
                    moved = go[2:, at, 1:].swapaxes(0, 1) + staying[last]
                    np.minimum(into[:-1], moved, out=into[:-1])
        return found


@dataclass(slots=True)
class Batch:
    """What a sweep works on.  start: int32 (combinations,); patterns: subset -> int32 (days, combinations)."""

    steps: list[Steps]
    start: np.ndarray
    patterns: dict[tuple[int, ...], np.ndarray]
    days: list[int]
    crossings: Crossings


@dataclass(slots=True)
class SweepResult:
    """The best complete chain cheaper than what was known, and on which days which courses have sessions."""

    cost: int | None = None
    combination: int = 0
    days: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    dropped: bool = False


@dataclass(slots=True)
class _States:
    combination: np.ndarray
    done: list[np.ndarray]
    last: list[np.ndarray]
    week: list[np.ndarray]
    value: np.ndarray
    total: np.ndarray  # value plus the costs to go
    parent: np.ndarray
    subset: np.ndarray

    def take(self, where: np.ndarray) -> _States:
        return _States(
            self.combination[where],
            [a[where] for a in self.done],
            [a[where] for a in self.last],
            [a[where] for a in self.week],
            self.value[where],
            self.total[where],
            self.parent[where],
            self.subset[where],
        )


def sweep(batch: Batch, best: int, *, most_states: int = MOST_STATES) -> SweepResult:
    """The cheapest way to do all courses with a cost below `best`, over all combinations of the batch.

    Of more than `most_states` states on a day the most promising are kept, and the result says `dropped`.
    """
    count = len(batch.steps)
    size = len(batch.start)
    zeros = [np.zeros(size, dtype=np.int16) for _ in range(count)]
    states = _States(
        np.arange(size, dtype=np.int32),
        list(zeros),
        list(zeros),
        list(zeros),
        batch.start.copy(),
        np.zeros(size, dtype=np.float32),
        np.full(size, -1, dtype=np.int32),
        np.zeros(size, dtype=np.int8),
    )
    subsets: list[tuple[int, ...]] = [(), *batch.patterns]
    trail: list[tuple[np.ndarray, np.ndarray]] = []
    result = SweepResult()
    for i, day in enumerate(batch.days):
        if not len(states.value):
            break
        _forget(batch, states, day)
        to_go = [s.to_go_after(_positions_until(s, day)) for s in batch.steps]
        pieces = []
        for number, subset in enumerate(subsets):
            moved = _move(batch, states, i, subset, number)
            if moved is not None:
                pieces.append(_bounded(batch, moved, to_go, day, best))
        states = _merge(pieces)
        if len(states.value) > most_states:
            result.dropped = True
            states = states.take(np.argsort(states.total, kind="stable")[:most_states])
        trail.append((states.parent, states.subset))
        complete = np.ones(len(states.value), dtype=bool)
        for steps, done in zip(batch.steps, states.done, strict=True):
            complete &= done == steps.chain.length
        finished = np.flatnonzero(complete)
        if len(finished):
            winner = int(finished[states.value[finished].argmin()])
            if int(states.value[winner]) < best:
                best = int(states.value[winner])
                result.cost, result.combination = best, int(states.combination[winner])
                result.days = _walk(trail, winner, batch.days, subsets)
    return result


def _positions_until(steps: Steps, day: int) -> int:
    """How many positions of the course's axis lie on or before a day."""
    return int(np.searchsorted(np.asarray(steps.chain.axis), day, side="right"))


def _move(batch: Batch, states: _States, i: int, subset: tuple[int, ...], number: int) -> _States | None:
    """The states after a day on which exactly these courses have a session; None where none can."""
    parents = np.arange(len(states.value), dtype=np.int32)
    if not subset:
        moved = states.take(parents)
        moved.parent, moved.subset = parents, np.zeros(len(parents), dtype=np.int8)
        return moved
    day = batch.days[i]
    cost = batch.patterns[subset][i]
    possible = cost[states.combination] < IMPOSSIBLE
    where: list[int] = []
    for c in subset:
        position = batch.steps[c].table.index.get(day)
        if position is None:
            return None
        where.append(position)
        steps = batch.steps[c]
        possible &= (states.done[c] < steps.chain.length) & (steps.gap_costs[position][states.last[c]] < IMPOSSIBLE)
    if batch.crossings:
        possible &= batch.crossings.allow(Progress(states.done, states.last), subset, day)
    chosen = np.flatnonzero(possible)
    if not len(chosen):
        return None
    moved = states.take(chosen)
    moved.parent = parents[chosen]
    moved.subset = np.full(len(chosen), number, dtype=np.int8)
    moved.value = moved.value + cost[moved.combination]
    fits = np.ones(len(chosen), dtype=bool)
    for c, position in zip(subset, where, strict=True):
        fits &= _advance(batch.steps[c], moved, c, position, remember=batch.crossings.memory[c] > 0)
    return moved if fits.all() else moved.take(np.flatnonzero(fits))


def _forget(batch: Batch, states: _States, day: int) -> None:
    """Drop, in place, when courses that are through had their last session, once no rule asks for it any more."""
    for c, days in enumerate(batch.crossings.memory):
        if days:
            through = states.done[c] == batch.steps[c].chain.length
            past = day - batch.crossings.day_of[c][states.last[c]] > days
            states.last[c] = np.where(through & past, 0, states.last[c]).astype(np.int16)


def _advance(steps: Steps, moved: _States, c: int, position: int, *, remember: bool) -> np.ndarray:
    """Give course c a session at a position, in place; False where its week is full or its number may not be there."""
    chain = steps.chain
    last, week = moved.last[c], moved.week[c]
    moved.value = moved.value + steps.gap_costs[position][last]
    fits = np.ones(len(last), dtype=bool)
    if chain.limit:
        same = (last > 0) & (chain.week[np.maximum(last - 1, 0)] == chain.week[position])
        week = np.where(same, week + 1, chain.done[position]).astype(np.int16)
        fits &= week < chain.limit
        week = np.minimum(week, chain.limit - 1)
    for before, (first, after) in chain.windows.items():
        if not first <= position < after:
            fits &= moved.done[c] != before
    done = (moved.done[c] + 1).astype(np.int16)
    over = done == chain.length
    moved.value = moved.value + np.where(over, chain.last[position], 0).astype(np.int32)
    moved.done[c] = done
    # A finished course is in one state only, unless others must keep a distance to it.
    moved.last[c] = np.where(over & (not remember), 0, position + 1).astype(np.int16)
    moved.week[c] = np.where(over, 0, week).astype(np.int16)
    return fits


def _bounded(batch: Batch, moved: _States, to_go: list[np.ndarray], day: int, best: int) -> _States:
    """Only the states that can still beat the best plan."""
    total = moved.value.astype(np.float32)
    for c, steps in enumerate(batch.steps):
        until = _positions_until(steps, day)
        distance = np.where(moved.last[c] > 0, np.minimum(until - moved.last[c] + 1, steps.largest + 1), 0)
        total += to_go[c][distance, moved.week[c], moved.done[c], steps.row_of[moved.combination]]
    moved.total = total
    return moved.take(np.flatnonzero(total <= best - 1 + 1e-2))


def _merge(pieces: list[_States]) -> _States:
    """All pieces together, of equal states only the cheapest."""
    both = _States(
        np.concatenate([p.combination for p in pieces]),
        [np.concatenate(a) for a in zip(*(p.done for p in pieces), strict=True)],
        [np.concatenate(a) for a in zip(*(p.last for p in pieces), strict=True)],
        [np.concatenate(a) for a in zip(*(p.week for p in pieces), strict=True)],
        np.concatenate([p.value for p in pieces]),
        np.concatenate([p.total for p in pieces]),
        np.concatenate([p.parent for p in pieces]),
        np.concatenate([p.subset for p in pieces]),
    )
    key = _keys(both)
    order = np.lexsort((both.value, key))
    sorted_key = key[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = sorted_key[1:] != sorted_key[:-1]
    return both.take(order[first])


def _keys(states: _States) -> np.ndarray:
    """An int64 per state, equal for equal states and for no others."""
    key = states.combination.astype(np.int64)
    used = int(key.max(initial=0)).bit_length()
    for parts in zip(states.done, states.last, states.week, strict=True):
        for part in parts:
            width = int(part.max(initial=0)).bit_length()
            if used + width > 63:  # number the keys so far anew, as densely as can be
                key = np.unique(key, return_inverse=True)[1].astype(np.int64)
                used = int(key.max(initial=0)).bit_length()
            key = (key << width) | part.astype(np.int64)
            used += width
    return key


def _walk(
    trail: list[tuple[np.ndarray, np.ndarray]], at: int, days: list[int], subsets: list[tuple[int, ...]]
) -> list[tuple[int, tuple[int, ...]]]:
    found = []
    for i in range(len(trail) - 1, -1, -1):
        parent, subset = trail[i]
        if subset[at]:
            found.append((days[i], subsets[int(subset[at])]))
        at = int(parent[at])
    return found[::-1]
