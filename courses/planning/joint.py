"""Up to four one-to-one courses together, exactly: best combinations first, a sweep over the days for each batch.

A combination is a usual arrival time and a therapist set per course.  Its lower bound comes from `bounds`; combinations
whose bound reaches the best plan known are never looked at.  The others are swept day by day: a state says how far each
course is and when its last session was; on each day every course is skipped or done by one of the day's patterns;
states whose value plus the courses' costs to go reach the best plan known are dropped.  When none is left, the best
plan is proven.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from . import weights
from .bounds import Sets, Shares, costs_to_go
from .chain import Chain
from .crossings import Crossings
from .ground import Ground
from .patterns import DayPatterns
from .rows import Rows
from .shortlist import merged, shortlist
from .single import EXACT_THERAPISTS, choose_rooms
from .sweep import MOST_POSITIONS, MOST_SESSIONS, MOST_STATES, Batch, Steps, sweep
from .table import CourseTable
from .tailoring import ROUNDS, Tailor
from .types import CourseRequest, Key, PlannedSession
from .weights import ANCHORS, IMPOSSIBLE

LARGEST_GAP = 12  # a longer or open maximal gap makes the state space too large
FEW_SESSIONS = 4  # unless there are few sessions, as of a doctor's review
LARGEST_SET = 2  # therapists per course, where there are more than can all be tried
MOST_COURSES = 4
FIRST_BATCH, BATCH = 16, 96
FOUR_BATCH = 12  # of four courses, whose combinations branch into many times more states
FOUR_STATES = 40_000
GLANCE, GLANCE_STATES = 24, 4000

Placement = tuple[tuple[Key, tuple[PlannedSession, ...]], ...]


class JointSearch:
    """The combinations still open; `step` works on the best of them.

    The ground may hold other sessions already; anchor_costs: what each usual arrival time costs for those, and anything
    else their cost is to add to this.

    best: the least cost known, IMPOSSIBLE at first; bound: no plan can cost less; exhausted: nothing is open any more;
    complete: no sweep had to drop states for their number, no course some of its therapists.
    """

    def __init__(
        self,
        ground: Ground,
        courses: tuple[CourseRequest, ...],
        *,
        best: int = IMPOSSIBLE,
        anchor_costs: dict[int, int] | None = None,
    ) -> None:
        self.ground, self.courses, self.best = ground, courses, best
        elsewhere = [anchor_costs[a] for a in ANCHORS] if anchor_costs else [0] * len(ANCHORS)
        self.elsewhere = np.array(elsewhere, dtype=np.float32)
        self.combinations = 0
        self.complete = True
        four = len(courses) == MOST_COURSES
        self.floor = float("inf")
        self.batch, self.most_states = (FOUR_BATCH, FOUR_STATES) if four else (BATCH, MOST_STATES)
        whole = [CourseTable(self.ground, c) for c in courses]
        self.feasible = all(t.options for t in whole)
        if not self.feasible:
            return
        self.tables = shortlist(whole)
        self.complete = self.tables == whole
        self.chains = [Chain(t) for t in self.tables]
        self.patterns = DayPatterns(self.ground, self.tables)
        self.crossings = Crossings(self.ground, self.tables)
        self.sets = [therapist_sets(len(t.options)) for t in self.tables]
        self.penalties = [self._penalties(c) for c in range(len(courses))]
        self.shares = Shares(self.patterns, self.sets)
        self._lay_bounds()
        if not self.complete:
            self.floor = min(self.floor, self._floor_of_all(whole))

    def _floor_of_all(self, whole: list[CourseTable]) -> float:
        """A bound for plans with therapists who are not on the shortlist: no courses cost less than with all in one."""
        tables = [merged(t) for t in whole]
        shares = Shares(DayPatterns(self.ground, tables), [[(0,)] for _ in tables])
        total = self.elsewhere.copy()
        for c, table in enumerate(tables):
            total += costs_to_go(Chain(table), shares.of(0, c)[:, 0])[0, 0, 0]
        return float(total.min())

    def _penalties(self, position: int) -> np.ndarray:
        weight = weights.extra_therapist_weight(self.ground.problem.profile, self.tables[position].course)
        return np.array([weight * (len(s) - 1) for s in self.sets[position]], dtype=np.float32)

    def _lay_bounds(self) -> None:
        """Bounds of all combinations under equal shares; the other splits only for those still open."""
        whole = self._bounds_of(0)
        self.floor = self._floor(whole)
        where = np.flatnonzero(whole.reshape(-1) < IMPOSSIBLE)
        self.index = np.stack(np.unravel_index(where, whole.shape))  # (anchor, set, set, ...) x combinations
        self.bound_of = whole.reshape(-1)[where]
        self.split_of = np.zeros(len(where), dtype=np.int16)

    def _floor(self, whole: np.ndarray) -> float:
        """A bound for the therapist sets that are not tried at all; infinite if all are."""
        floor = float("inf")
        for table in self.tables:
            if len(table.options) <= EXACT_THERAPISTS:
                continue
            relaxed = self._bounds_of(0, penalised=False)
            weight = weights.extra_therapist_weight(table.profile, table.course)
            floor = min(floor, float(relaxed.min()) + weight * LARGEST_SET)
        return floor

    def _bounds_of(self, split: int, *, penalised: bool = True) -> np.ndarray:
        """float32 (anchors, sets of the first course, ...)."""
        count = len(self.tables)
        total = self.elsewhere.reshape(-1, *(1,) * count)
        for c, chain in enumerate(self.chains):
            pi = self.shares.of(split, c)
            least = costs_to_go(chain, pi.reshape(pi.shape[0], -1))[0, 0, 0].reshape(pi.shape[1:])  # (sets, anchors)
            if penalised:
                least = least + self.penalties[c][:, None]
            total = total + least.T.reshape(len(ANCHORS), *(len(self.sets[c]) if i == c else 1 for i in range(count)))
        return total

    def refine(self) -> None:
        """The remaining splits, for all combinations still open; each only raises bounds."""
        for split in range(1, len(self.shares.splits)):
            self._bound_by(split)

    def tailor(self) -> None:
        """More splits, made for the combinations with the least bounds; see `tailoring`."""
        tailor = Tailor(self.shares, self.chains)
        for _ in range(ROUNDS):
            if self.exhausted:
                return
            least = int(self.bound_of.argmin())
            anchor, *sets = (int(i) for i in self.index[:, least])
            self._bound_by(tailor.better(int(self.split_of[least]), tuple(sets), anchor))
        self.shares.forget(set(self.split_of.tolist()))

    def _bound_by(self, split: int) -> None:
        """Raise the bounds of the open combinations where this split gives better ones."""
        self.prune()
        if not len(self.bound_of):
            return
        total = self.penalty_of(self.index)
        for c, chain in enumerate(self.chains):
            pi = self.shares.of(split, c)
            rows, back = np.unique(self.index[1 + c] * len(ANCHORS) + self.index[0], return_inverse=True)
            least = costs_to_go(chain, pi.reshape(pi.shape[0], -1)[:, rows])[0, 0, 0]
            total = total + least[back]
        better = total > self.bound_of
        self.bound_of[better] = total[better]
        self.split_of[better] = split
        self.prune()

    def penalty_of(self, index: np.ndarray) -> np.ndarray:
        """What combinations cost whatever the days: further therapists, arrivals of visits without these courses."""
        found: np.ndarray = self.elsewhere[index[0]]
        for c, penalties in enumerate(self.penalties):
            found += penalties[index[1 + c]]
        return found

    def prune(self) -> None:
        """Drop combinations that cannot beat the best plan; costs are integers."""
        keep = self.bound_of <= self.best - 1 + 1e-2
        if not keep.all():
            self.index, self.bound_of, self.split_of = self.index[:, keep], self.bound_of[keep], self.split_of[keep]

    @property
    def exhausted(self) -> bool:
        return not self.feasible or not len(self.bound_of)

    @property
    def bound(self) -> int:
        """The largest proven lower bound, at most `best`."""
        if not self.feasible:
            return IMPOSSIBLE
        least = float(self.bound_of.min()) if len(self.bound_of) else float("inf")
        least = min(least, self.floor)
        return self.best if least >= self.best else int(np.ceil(least - 1e-2))

    def open_any(self) -> Placement | None:
        """A placement with whoever is qualified, without a plan to start from; None and `complete`: there is none."""
        if self.exhausted:
            return None
        everyone = np.ones(len(self.bound_of), dtype=bool)
        for c, sets in enumerate(self.sets):
            everyone &= self.index[1 + c] == len(sets) - 1
        found = np.flatnonzero(everyone)
        return self._sweep(found[self.bound_of[found].argsort(kind="stable")[:1]])

    def step(self) -> Placement | None:
        """Sweep the best open combinations; a better placement of all courses if they hold one."""
        size = min(FIRST_BATCH, self.batch) if not self.combinations else self.batch
        return self._sweep(np.argsort(self.bound_of, kind="stable")[:size])

    def glance(self, size: int = GLANCE, *, most_states: int = GLANCE_STATES) -> Placement | None:
        """A quick look at the best open combinations for a better placement; nothing is proven by it."""
        return self._sweep(np.argsort(self.bound_of, kind="stable")[:size], most_states=most_states)

    def _sweep(self, order: np.ndarray, *, most_states: int | None = None) -> Placement | None:
        index, splits = self.index[:, order], self.split_of[order]
        batch = Batch(
            steps=self._steps(index, splits),
            start=self.penalty_of(index).astype(np.int32),
            patterns={s: self._pattern_costs(s, index) for s in self.patterns.cost},
            days=self.patterns.days,
            crossings=self.crossings,
        )
        self.combinations += len(order)
        result = sweep(batch, self.best, most_states=most_states or self.most_states)
        again = result.dropped and (most_states is not None or len(order) > 1)
        if again and most_states is None:
            self.batch = max(1, len(order) // 4)  # too many states at once: fewer combinations at a time
        elif result.dropped and most_states is None:
            self.complete = False
            self.floor = min(self.floor, float(self.bound_of[order].min()))
        left = np.ones(len(self.bound_of), dtype=bool)
        left[order] = again
        self.index, self.bound_of, self.split_of = self.index[:, left], self.bound_of[left], self.split_of[left]
        if result.cost is None:
            return None
        self.best = result.cost
        self.prune()
        return self._place(index[:, result.combination], result.days)

    def _steps(self, index: np.ndarray, splits: np.ndarray) -> list[Steps]:
        found = []
        for c, chain in enumerate(self.chains):
            keys = (splits.astype(np.int64) * len(self.sets[c]) + index[1 + c]) * len(ANCHORS) + index[0]
            rows, back = np.unique(keys, return_inverse=True)
            pieces = []
            for key in rows:
                split, rest = divmod(int(key), len(self.sets[c]) * len(ANCHORS))
                member, anchor = divmod(rest, len(ANCHORS))
                pieces.append(self.shares.of(split, c)[:, member, anchor])
            found.append(Steps(chain, self.tables[c], costs_to_go(chain, np.stack(pieces, axis=1)), back))
        return found

    def _pattern_costs(self, subset: tuple[int, ...], index: np.ndarray) -> np.ndarray:
        """int32 (days, combinations)."""
        cost = self.patterns.cost[subset]
        cache: dict[tuple[int, ...], np.ndarray] = {}
        found = np.empty((len(self.patterns.days), index.shape[1]), dtype=np.int32)
        for i in range(index.shape[1]):
            key = tuple(int(index[1 + c, i]) for c in subset)
            if key not in cache:
                members = [list(self.sets[c][k]) for c, k in zip(subset, key, strict=True)]
                cache[key] = cost[np.ix_(*members)].min(axis=tuple(range(len(subset))))
            found[:, i] = cache[key][:, index[0, i]]
        return found

    def _place(self, combination: np.ndarray, days: list[tuple[int, tuple[int, ...]]]) -> Placement:
        anchor = int(combination[0])
        members = [self.sets[c][int(combination[1 + c])] for c in range(len(self.tables))]
        starts: list[list[tuple[int, int, int | None]]] = [[] for _ in self.tables]
        for day, subset in days:
            for slotting in self.patterns.slottings(day, subset, members, anchor):
                option = self.tables[slotting.course].options[slotting.option]
                starts[slotting.course].append((day, slotting.slot, option.therapist if option else None))
        placed: list[tuple[Key, tuple[PlannedSession, ...]]] = []
        ground = self.ground
        for table, own in zip(self.tables, starts, strict=True):
            course = table.course
            try:
                rooms = choose_rooms(ground, course, [(day, slot) for day, slot, _ in own])
            except LookupError:  # margins of two courses meet in a room
                rooms = choose_rooms(self.ground, course, [(day, slot) for day, slot, _ in own])
            sessions = tuple(
                PlannedSession(course.key, n, day, slot, course.slots, therapist, room, device)
                for n, ((day, slot, therapist), (room, device)) in enumerate(zip(own, rooms, strict=True), start=1)
            )
            placed.append((course.key, sessions))
            ground = ground.beside(sessions)
        return tuple(placed)


def therapist_sets(options: int) -> Sets:
    """Sets of option indices to try: all of them up to five options, else small ones."""
    largest = options if options <= EXACT_THERAPISTS else LARGEST_SET
    small = [s for size in range(1, largest + 1) for s in combinations(range(options), size)]
    return small if options <= largest else [*small, tuple(range(options))]


def suits(ground: Ground, courses: tuple[CourseRequest, ...]) -> bool:
    """Whether `JointSearch` can take the courses: up to four one-to-one ones, bounded gaps, nothing pinned."""
    if not 1 <= len(courses) <= MOST_COURSES or not Rows(ground.rulebook, courses).suit():
        return False
    return all(
        c.series is None
        and not c.pinned
        and c.sessions <= MOST_SESSIONS
        and (c.sessions <= FEW_SESSIONS or (c.gap_max is not None and c.gap_max <= LARGEST_GAP))
        and _span(ground, c) < MOST_POSITIONS
        for c in courses
    )


def _span(ground: Ground, course: CourseRequest) -> int:
    """Days over which the course's sessions can lie; former ones may stay before its start and after its finish."""
    former = [f.day for f in course.former]
    return max([course.finish_day or ground.days, *former]) - min([course.start_day, *former])
