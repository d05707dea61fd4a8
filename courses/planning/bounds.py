"""Lower bounds of a programme: each course alone, paying its share of the days it could share.

Any split of a day pattern into parts pi_c for its courses, summing to no more than its cost, gives a valid bound:
the sum of the single courses' optima on pi.  Two families are used, with shares x_c >= 0 that add up to one:
    pi_c = least session + x_c * (pattern - least sessions of all its courses)      therapist sets felt in the pattern
    pi_c = own set's session + x_c * (least the pattern adds, whoever treats)        therapist sets felt in the session
The shares may differ from day to day: `tailoring` finds those that bound a combination best.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from .chain import Chain
from .patterns import DayPatterns
from .weights import ANCHORS, IMPOSSIBLE

Sets = list[tuple[int, ...]]


class Split(NamedTuple):
    """felt: therapist sets felt in the pattern; weights: of every course, one number or one for each day."""

    felt: bool
    weights: tuple[np.ndarray, ...]


class Shares:
    """pi of every course: float32 (axis, therapist sets, anchors), for one split after another."""

    def __init__(self, patterns: DayPatterns, sets: list[Sets]) -> None:
        self.patterns, self.sets = patterns, sets
        self.count = len(sets)
        self.splits = list(_splits(self.count))
        self._felt = [self._by_set(c) for c in range(self.count)]
        own = [patterns.own_costs(c) for c in range(self.count)]
        self._own = [np.stack([o[list(s)].min(axis=0) for s in sets[c]]) for c, o in enumerate(own)]
        self._least = [o.min(axis=0) for o in own]
        self._remainders = patterns.least_remainders()
        self._kept: dict[tuple[int, int], np.ndarray] = {}

    def _by_set(self, position: int) -> dict[tuple[int, ...], np.ndarray]:
        """Per subset with the course: (its sets, days, anchors), the other courses free to take anyone."""
        found = {}
        for subset, cost in self.patterns.cost.items():
            if position not in subset:
                continue
            others = tuple(i for i, c in enumerate(subset) if c != position)
            least = cost.min(axis=others)
            found[subset] = np.stack([least[list(s)].min(axis=0) for s in self.sets[position]])
        return found

    def of(self, split: int, position: int) -> np.ndarray:
        """pi of one course under one split, on the axis of its table."""
        kept = self._kept.get((split, position))
        if kept is None:
            kept = self._kept[split, position] = self._on_axis(position, self._share(split, position))
        return kept

    def add(self, split: Split) -> int:
        """Another split; its number."""
        self.splits.append(split)
        return len(self.splits) - 1

    def forget(self, wanted: set[int]) -> None:
        """Let go of the figures of all splits but those wanted; they can be had again."""
        self._kept = {key: kept for key, kept in self._kept.items() if key[0] in wanted}

    def _share(self, split: int, position: int) -> np.ndarray:
        felt, weights = self.splits[split]
        best = np.full((len(self.sets[position]), len(self.patterns.days), len(ANCHORS)), IMPOSSIBLE, dtype=np.float32)
        for subset, cost in self._felt[position].items():
            total = sum(weights[c] for c in subset)
            part = np.where(total > 0, weights[position] / np.maximum(total, 1e-9), 1 / len(subset)).astype(np.float32)
            part = part[..., None]  # days, for every anchor
            if felt:
                least = sum(self._least[c] for c in subset)[None, :, None]
                value = self._least[position][None, :, None] + part * (cost - least)
            else:
                value = self._own[position][:, :, None] + part * self._remainders[subset][None]
            value = np.where(cost >= IMPOSSIBLE, IMPOSSIBLE, value)
            np.minimum(best, value, out=best, casting="unsafe")
        return best

    def _on_axis(self, position: int, share: np.ndarray) -> np.ndarray:
        table = self.patterns.tables[position]
        found = np.full((len(table.axis), *share.shape[::2]), IMPOSSIBLE, dtype=np.float32)
        for i, day in enumerate(self.patterns.days):
            at = table.index.get(day)
            if at is not None:
                found[at] = share[:, i]
        return found


def _splits(count: int) -> Iterator[Split]:
    """Equal shares first, then each course paying all, then each paying nothing."""
    weights = [(1,) * count]
    weights += [tuple(int(i == payer) for i in range(count)) for payer in range(count)]
    if count > 2:
        weights += [tuple(int(i in pair) for i in range(count)) for pair in combinations(range(count), 2)]
    for w in weights:
        each = tuple(np.array([x], dtype=np.float32) for x in w)
        yield Split(True, each)
        yield Split(False, each)


def costs_to_go(chain: Chain, pi: np.ndarray) -> np.ndarray:
    """float32 (sessions + 1, axis, states, rows): what session k at a position and all after it cost at least.

    Index 0 holds the least cost of a whole course whose first session lies at the position or later.
    pi: (axis, rows).  States count the sessions of the current week as in `Chain.layers`.
    """
    size, rows = pi.shape
    states = max(chain.limit, 1)
    go = np.full((chain.length + 1, size, states, rows), IMPOSSIBLE, dtype=np.float32)
    go[chain.length] = (pi + chain.last[:, None])[:, None]
    for k in range(chain.length - 1, 0, -1):
        after, here = go[k + 1], go[k]
        for (gap, vector), (staying, crossing) in zip(chain.gaps, chain.week_costs, strict=True):
            if gap >= size:
                break
            moved = crossing if chain.limit else vector
            np.minimum(here[:-gap], (after[gap:, 0] + moved[:, None])[:, None], out=here[:-gap])
            if chain.limit > 1:
                np.minimum(here[:-gap, :-1], after[gap:, 1:] + staying[:, None, None], out=here[:-gap, :-1])
        here += pi[:, None]
    starts = go[1, :, 0] + chain.first[:, None]
    go[0, :, 0] = np.minimum.accumulate(starts[::-1], axis=0)[::-1]
    return go
