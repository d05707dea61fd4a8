"""One course, exactly: every set of therapists, every usual arrival time, the best chain of days of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from . import masks, weights
from .chain import Chain
from .ground import Ground
from .table import CourseTable
from .types import CourseRequest, PlannedSession
from .weights import IMPOSSIBLE

EXACT_THERAPISTS = 5  # up to so many all their subsets are tried
LARGEST_SET = 3  # beyond, sets of at most so many; larger ones are covered by a bound


@dataclass(frozen=True, slots=True)
class CourseSolution:
    """The best sessions found for one course on a ground; bound <= optimum <= cost."""

    sessions: tuple[PlannedSession, ...]
    cost: int
    bound: int
    anchor: int
    combinations: int


def solve_course(
    ground: Ground,
    course: CourseRequest,
    *,
    anchor_costs: dict[int, int] | None = None,
    table: CourseTable | None = None,
) -> CourseSolution | None:
    """The cheapest placement of a one-to-one course; None means that there is none.

    anchor_costs: what choosing an arrival time costs elsewhere in the programme; only these times are tried.
    """
    table = table or CourseTable(ground, course)
    if not table.options and course.sessions:
        return None
    if not course.sessions:
        return CourseSolution((), 0, 0, min(anchor_costs or {weights.ANCHORS[0]: 0}), 0)
    anchors = tuple(anchor_costs) if anchor_costs else table.useful_anchors()
    extra = np.array([anchor_costs[a] for a in anchors] if anchor_costs else [0] * len(anchors), dtype=np.int32)
    chain = Chain(table)
    costs = table.day_costs(anchors)  # (axis, options, anchors)
    options = len(table.options)

    together = costs.min(axis=1)
    relaxed = chain.values(together) + extra
    if int(relaxed.min()) >= IMPOSSIBLE:
        return None
    pinned = {p.therapist for p in course.pinned if p.therapist is not None}
    weight = weights.extra_therapist_weight(table.profile, course)
    names = [o.therapist if o else None for o in table.options]

    def penalty(members: tuple[int, ...]) -> int:
        used = {names[m] for m in members if names[m] is not None} | pinned
        return weight * max(0, len(used) - 1)

    limit = options if options <= EXACT_THERAPISTS else LARGEST_SET
    best: tuple[int, tuple[int, ...], int] = (IMPOSSIBLE, (), 0)
    evaluated = len(anchors)
    for size_of_set in range(1, limit + 1):
        rows: list[tuple[tuple[int, ...], int]] = []
        for members in combinations(range(options), size_of_set):
            worth = relaxed + penalty(members) < best[0]
            rows += [(members, int(a)) for a in np.flatnonzero(worth)]
        if not rows:
            continue
        values = _values_of(chain, costs, rows)
        evaluated += len(rows)
        totals = values + np.array([penalty(m) + int(extra[a]) for m, a in rows], dtype=np.int32)
        winner = int(totals.argmin())
        if int(totals[winner]) < best[0]:
            best = (int(totals[winner]), *rows[winner])
    cost, members, at = best
    bound = cost
    if limit < options:
        # A larger set costs at least what all therapists together would, and its own penalty.
        least = weight * max(0, max(limit + 1, len(pinned)) - 1)
        bound = min(cost, int(relaxed.min()) + least)
    if cost >= IMPOSSIBLE:  # only sets larger than the limit can do it: take all, the bound tells the difference
        members, at = tuple(range(options)), int(relaxed.argmin())
        cost = int(relaxed[at]) + penalty(members)
    days = chain.trace(costs[:, list(members), at].min(axis=1))
    starts = table.best_starts(days, anchors[at], members)
    sessions = _place(ground, course, [(day, slot, names[option]) for day, option, slot in starts])
    return CourseSolution(sessions, cost, bound, anchors[at], evaluated)


def _values_of(chain: Chain, costs: np.ndarray, rows: list[tuple[tuple[int, ...], int]]) -> np.ndarray:
    width = len(rows[0][0])
    members = np.array([m for m, _ in rows])
    anchors = np.array([a for _, a in rows])
    least = costs[:, members[:, 0], anchors]
    for i in range(1, width):
        np.minimum(least, costs[:, members[:, i], anchors], out=least)
    return chain.values(least)


def _place(
    ground: Ground, course: CourseRequest, starts: list[tuple[int, int, int | None]]
) -> tuple[PlannedSession, ...]:
    """Sessions for (day, slot, therapist), with rooms and devices."""
    rooms = choose_rooms(ground, course, [(day, slot) for day, slot, _ in starts])
    return tuple(
        PlannedSession(course.key, n, day, slot, course.slots, therapist, room, device)
        for n, ((day, slot, therapist), (room, device)) in enumerate(zip(starts, rooms, strict=True), start=1)
    )


def choose_rooms(
    ground: Ground, course: CourseRequest, starts: list[tuple[int, int]]
) -> list[tuple[int | None, int | None]]:
    """A free room and device for each (day, slot): that of a former session at this time, where it has one.

    Else changing as seldom as can be: the pair free most often first.
    """
    if not course.needs_room:
        return [(None, None)] * len(starts)
    rm, dm = course.room_margins, course.device_margins
    bits = [1 << (day * masks.STRIDE + slot) for day, slot in starts]
    free: dict[tuple[int, int | None], set[int]] = {}
    for option in course.rooms:
        room = masks.starts_for(ground.free(option.room), course.slots, rm.before, rm.after)
        for device in option.devices or (None,):
            both = room
            if device is not None:
                both &= masks.starts_for(ground.free(device), course.slots, dm.before, dm.after)
            free[option.room, device] = {i for i, bit in enumerate(bits) if both & bit}
    order = {pair: i for i, pair in enumerate(free)}
    former = {(f.day, f.slot): (f.room, f.device) for f in course.former}
    chosen: dict[int, tuple[int | None, int | None]] = {
        i: (room, device)
        for i, start in enumerate(starts)
        for room, device in [former.get(start, (None, None))]
        if room is not None and i in free.get((room, device), ())
    }
    while len(chosen) < len(starts):
        counts = Counter({pair: len(where - chosen.keys()) for pair, where in free.items()})
        pair = max(counts, key=lambda p: (counts[p], -order[p]))
        if not counts[pair]:
            raise LookupError("a start without a free room")
        chosen.update(dict.fromkeys(free[pair] - chosen.keys(), pair))
    return [chosen[i] for i in range(len(starts))]
