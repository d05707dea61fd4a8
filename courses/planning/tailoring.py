"""Splits of day costs made to measure: who pays for a shared day is settled by who comes on it.

The bound of a combination is best where each course pays for the days it uses: a course that shares a day with nobody
cannot leave a part of the visit to others who stay away.  So the courses of the combination with the lowest bound are
planned alone on what they pay now; on days that some of them use and others do not, those who come pay more from then
on.  Every split gives a valid bound, so each combination keeps its best one (a subgradient ascent of the Lagrangian
dual, shared between the combinations).
"""

from __future__ import annotations

import numpy as np

from .bounds import Shares, Split, costs_to_go
from .chain import Chain

ROUNDS = 48
STEP = 0.3
LEAST_SHARE = 0.01


class Tailor:
    """Makes splits for the combinations of a joint search, the least bounded one first."""

    def __init__(self, shares: Shares, chains: list[Chain]) -> None:
        self.shares, self.chains = shares, chains
        self.positions = {day: i for i, day in enumerate(shares.patterns.days)}
        self._used: dict[int, int] = {}

    def better(self, split: int, sets: tuple[int, ...], anchor: int) -> int:
        """A new split, made from the one that bounds a combination best so far; its number."""
        felt, weights = self.shares.splits[split]
        shares = np.stack([np.broadcast_to(w, len(self.positions)) for w in weights]).astype(np.float32)
        shares = shares / np.maximum(shares.sum(axis=0), 1e-9)
        uses = np.zeros_like(shares)
        for c, chain in enumerate(self.chains):
            for at in cheapest_days(chain, self.shares.of(split, c)[:, sets[c], anchor]):
                uses[c, self.positions[chain.axis[at]]] = 1
        tried = self._used[split] = self._used.get(split, 0) + 1
        shares = np.maximum(shares + STEP / tried * (uses - uses.mean(axis=0)), LEAST_SHARE)
        return self.shares.add(Split(felt, tuple(shares / shares.sum(axis=0))))


def cheapest_days(chain: Chain, pi: np.ndarray) -> list[int]:
    """Axis positions of the cheapest chain on day costs pi (axis,), which has one."""
    go = costs_to_go(chain, pi[:, None])[..., 0]
    at, state = int((go[1, :, 0] + chain.first).argmin()), 0
    found = [at]
    for k in range(1, chain.length):
        _, at, state = min(_next_steps(chain, go[k + 1], at, state))
        found.append(at)
    return found


def _next_steps(chain: Chain, after: np.ndarray, at: int, state: int) -> list[tuple[float, int, int]]:
    """(least cost to go, position, state) of every session that may follow one."""
    found = []
    for (gap, vector), (staying, crossing) in zip(chain.gaps, chain.week_costs, strict=True):
        if at + gap >= after.shape[0]:
            break
        moved = crossing if chain.limit else vector
        found.append((float(after[at + gap, 0] + moved[at]), at + gap, 0))
        if chain.limit > 1 and state + 1 < after.shape[1]:
            found.append((float(after[at + gap, state + 1] + staying[at]), at + gap, state + 1))
    return found
