"""Where and at what cost one course's sessions can lie: starts per therapist and day, as arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import masks, weights
from .ground import Ground
from .types import SLOTS_PER_DAY, CourseRequest, FormerSession, GapUnit, Stay, Strength, TherapistOption
from .weights import ANCHORS, NEVER, QUARTER


def usable_days(ground: Ground, course: CourseRequest) -> list[int]:
    """Opening days on which the course's musts allow a session, resources and the patient's time aside."""
    last = ground.days - 1 if course.finish_day is None else min(course.finish_day, ground.days - 1)
    shut = course.excluded_days | set(course.done_days) | {p.day for p in course.pinned}
    if ground.rulebook:
        shut |= ground.rulebook.barred_days(course, ground.fixed)
    by_weekday = course.weekdays_strength is Strength.MUST and bool(course.weekdays)
    return [
        d
        for d in ground.opening_days
        if course.start_day <= d <= last
        and d not in shut
        and not (by_weekday and ground.weekdays[d] not in course.weekdays)
        and not ground.excludes(course, d)
    ]


def starts_window(course: CourseRequest, slots: int | None = None) -> int:
    """Mask of one day: starts that keep the whole session inside a window that is a must."""
    length = slots or course.slots
    first, end = course.hours or (0, SLOTS_PER_DAY)
    if course.window is not None and course.window_strength is Strength.MUST:
        first, end = max(first, course.window[0]), min(end, course.window[1])
    return masks.interval(0, first, end - length + 1)


def staying(ground: Ground, course: CourseRequest) -> list[FormerSession]:
    """Former times that are allowed whatever the course's musts say, resources and the patient's time aside."""
    taken = {p.day for p in course.pinned} | set(course.done_days)
    if ground.rulebook:
        taken |= ground.rulebook.barred_days(course, ground.fixed)
    opening = ground.problem.horizon.opening
    return [
        f
        for f in course.former
        if f.stay is not Stay.FREE and opening[f.day] and f.day not in taken and not ground.excludes(course, f.day)
    ]


def room_starts(ground: Ground, course: CourseRequest) -> int:
    """Joined starts at which a room and, if needed, a device in it are free."""
    if not course.needs_room:
        return masks.day_bits(ground.days)
    found = 0
    rm, dm = course.room_margins, course.device_margins
    for option in course.rooms:
        room = masks.starts_for(ground.free(option.room), course.slots, rm.before, rm.after)
        if option.devices:
            devices = 0
            for device in option.devices:
                devices |= masks.starts_for(ground.free(device), course.slots, dm.before, dm.after)
            room &= devices
        found |= room
    return found


def patient_starts(ground: Ground, course: CourseRequest) -> int:
    rest = course.patient_margins
    return masks.starts_for(ground.patient, course.slots, rest.before, rest.after)


def ruled_starts(ground: Ground, course: CourseRequest) -> int:
    """Joined starts at which the rules between procedures hold beside what is booked and taken."""
    if not ground.rulebook:
        return masks.day_bits(ground.days)
    book, everywhere = ground.rulebook, masks.interval_mask(0, SLOTS_PER_DAY)
    return masks.join_days(
        tuple(
            book.starts(course, course.slots, ground.fixed[day]) if day in ground.fixed else everywhere
            for day in range(ground.days)
        )
    )


def therapist_starts(ground: Ground, course: CourseRequest, option: TherapistOption) -> int:
    """Joined starts at which the therapist, qualified on the day, and where needed their hands are free."""
    margins = course.therapist_margins
    starts = masks.starts_for(ground.free(option.therapist), course.slots, margins.before, margins.after)
    if option.hands is not None:
        hands = ground.free(option.hands)
        if course.hands_on_start:
            starts &= masks.erode(hands, course.hands_on_start)
        if course.hands_on_end:
            starts &= masks.erode(hands, course.hands_on_end) >> (course.slots - course.hands_on_end)
    if option.valid_days is not None:
        full = masks.interval(0, 0, SLOTS_PER_DAY)
        starts &= masks.join_days(tuple(full if option.valid_days >> d & 1 else 0 for d in range(ground.days)))
    return starts


def stub_bits(free: int, length: int, before: int) -> tuple[int, int]:
    """Joined starts at which a session leaves a stub of 1-3 free slots before it, and after it.

    `length` and `before` are those of the footprint in the therapist's calendar, margins included.
    """
    four = masks.erode(free, 4)
    left = (free << 1) & ~(four << 4)
    right = (free & ~four) >> length
    return left << before, right << before


class CourseTable:
    """Starts and costs of one course on a ground.

    options: accepted therapists that have any start at all ([None] for a procedure without one);
    axis: the days the chain runs over (opening days, or calendar days, from start to finish, pinned days included);
    cost: int32 (options, axis, slots), slot 0 being `low`; IMPOSSIBLE or more where no session may start.
    The cost holds everything but visit, arrival, gaps, finish and extra therapists.
    """

    def __init__(self, ground: Ground, course: CourseRequest) -> None:
        self.ground, self.course = ground, course
        self.profile = ground.problem.profile
        usable = usable_days(ground, course)
        self.stays = staying(ground, course)
        self.fixed = [f.day for f in self.stays if f.stay is Stay.MUST]
        self._lay_axis(usable + [f.day for f in self.stays])
        window = starts_window(course)
        open_ = set(usable) - set(self.fixed)
        common = masks.join_days(tuple(window if d in open_ else 0 for d in range(ground.days)))
        bits = [(f.therapist, 1 << (f.day * masks.STRIDE + f.slot)) for f in self.stays]
        room = common | sum(bit for _, bit in bits)
        if room:
            room &= patient_starts(ground, course) & ruled_starts(ground, course)
        if room:
            room &= room_starts(ground, course)
        self.options: list[TherapistOption | None] = []
        self.starts: list[int] = []
        options: tuple[TherapistOption | None, ...] = course.therapists if course.needs_therapist else (None,)
        for option in options if room else ():
            allowed = common if option is None or weights.accepts(course, option) else 0
            for therapist, bit in bits:
                if option is None or therapist == option.therapist:
                    allowed |= bit
            starts = room & allowed
            if starts and option is not None:
                starts &= therapist_starts(ground, course, option)
            if starts:
                self.options.append(option)
                self.starts.append(starts)
        if self.options and self._keeps_fixed():
            self._fill()
        else:
            self.options, self.starts = [], []

    def _keeps_fixed(self) -> bool:
        """Every session that must stay can."""
        fixed = [f for f in self.course.former if f.stay is Stay.MUST]
        bits = [1 << (f.day * masks.STRIDE + f.slot) for f in fixed if f.day in self.fixed]
        return len(bits) == len(fixed) and all(any(starts & bit for starts in self.starts) for bit in bits)

    def _lay_axis(self, usable: list[int]) -> None:
        course, ground = self.course, self.ground
        fixed = [p.day for p in course.pinned]
        counted = set(ground.opening_days) | set(fixed) | set(course.done_days)
        days = sorted(counted) if course.gap_unit is GapUnit.OPENING else list(range(ground.days))
        self.position = {d: i for i, d in enumerate(days)}
        ends = usable + fixed
        low, high = (min(ends), max(ends)) if ends else (0, -1)
        self.axis = [d for d in days if low <= d <= high]
        self.index = {d: i for i, d in enumerate(self.axis)}

    def _fill(self) -> None:
        course, ground, profile = self.course, self.ground, self.profile
        free = np.stack([masks.to_array(s, ground.days)[self.axis] for s in self.starts])
        columns = np.flatnonzero(free.any(axis=(0, 1)))
        low = int(columns[0]) // QUARTER * QUARTER
        high = (int(columns[-1]) // QUARTER + 1) * QUARTER
        self.low, self.high = low, high
        free = free[:, :, low:high]
        span = range(low, high)
        base = np.zeros((len(self.axis), high - low), dtype=np.int32)
        if course.window_strength is Strength.WISH:
            base += np.array([weights.window_cost(profile, course, s) for s in span], dtype=np.int32)
        if course.weekdays_strength is Strength.WISH:
            per_day = [weights.weekday_cost(profile, course, ground.weekdays[d]) for d in self.axis]
            base += np.array(per_day, dtype=np.int32)[:, None]
        self.visits = {d: v for d, v in visit_spans(ground).items() if d in self.index}
        begins = np.arange(low, high, dtype=np.int32)
        for day, (start, end) in self.visits.items():
            # `weights.wait_added`, for every slot at once.
            outside = np.maximum(0, start - begins) + np.maximum(0, begins + course.slots - end)
            base[self.index[day]] += profile.wait * (outside - course.slots)
        cost = np.empty(free.shape, dtype=np.int32)
        margins = course.therapist_margins
        length = margins.before + course.slots + margins.after
        for i, option in enumerate(self.options):
            cost[i] = base + weights.therapist_cost(profile, course, option)
            if course.former:
                cost[i] += self._movement(option.therapist if option else None)
            if option is not None and profile.stub and ground.has_one_place(option.therapist):
                for stub in stub_bits(ground.untaken(option.therapist), length, margins.before):
                    cost[i] += profile.stub * masks.to_array(stub & self.starts[i], ground.days)[self.axis, low:high]
        cost[~free] = NEVER
        self.cost = cost

    def _movement(self, therapist: int | None) -> np.ndarray:
        """`weights.movement_cost` of every day and slot: int32 (axis, slots)."""
        begins = np.arange(self.low, self.high, dtype=np.int32)
        course, profile = self.course, self.profile

        def moved(slot: int, *, same: bool) -> np.ndarray:
            quarters = -(-np.abs(begins - slot) // QUARTER)
            return (profile.moved + profile.moved_time * quarters + (0 if same else profile.moved_therapist)).astype(
                np.int32
            )

        known = any(f.therapist == therapist for f in course.former)
        elsewhere = np.min([moved(f.slot, same=known) for f in course.former], axis=0) + profile.moved_day
        found = np.tile(elsewhere.astype(np.int32), (len(self.axis), 1))
        for f in course.former:
            if f.day in self.index:
                row = moved(f.slot, same=f.therapist == therapist)
                if f.therapist == therapist and self.low <= f.slot < self.high:
                    row[f.slot - self.low] = 0
                found[self.index[f.day]] = row
        return found

    def arrival(self, anchors: tuple[int, ...]) -> tuple[np.ndarray, Mapping[int, np.ndarray]]:
        """Arrival costs per quarter: (anchors, quarters) of an ordinary day, and those of days with a visit.

        On a day the patient comes anyway only an earlier start changes the arrival; where the visit is booked
        already, its start is settled and costs nothing.
        """
        quarters = np.arange(self.low // QUARTER, self.high // QUARTER, dtype=np.int32)
        usual = np.array(anchors, dtype=np.int32)[:, None] // QUARTER

        def cost(quarter: np.ndarray | int) -> np.ndarray:
            return (self.profile.arrival * np.abs(quarter - usual) // 2).astype(np.int32)

        table = cost(quarters)
        special: dict[int, np.ndarray] = {}
        first = first_starts(self.ground) if self.visits else {}
        for day in self.visits:
            if day in first:
                settled = first[day] // QUARTER
                special[day] = cost(np.minimum(quarters, settled)) - cost(settled)
            else:
                special[day] = np.zeros_like(table)
        return table, special

    def useful_anchors(self) -> tuple[int, ...]:
        """The anchors between the earliest and the latest start; one beyond each end is never better."""
        first, last = self.low // QUARTER, (self.high - 1) // QUARTER
        low = max((a for a in ANCHORS if a // QUARTER <= first), default=ANCHORS[0])
        high = min((a for a in ANCHORS if a // QUARTER >= last), default=ANCHORS[-1])
        return tuple(a for a in ANCHORS if low <= a <= high)

    def day_costs(self, anchors: tuple[int, ...]) -> np.ndarray:
        """The cheapest session of each day, visit and arrival included: int32 (axis, options, anchors)."""
        cost = np.minimum(np.minimum(self.cost[..., 0::3], self.cost[..., 1::3]), self.cost[..., 2::3])
        table, special = self.arrival(anchors)
        options, days, _ = cost.shape
        found = np.empty((days, options, len(anchors)), dtype=np.int32)
        for a in range(len(anchors)):
            found[:, :, a] = (cost + table[a]).min(axis=2).T
        for day, arrivals in special.items():
            d = self.index[day]
            found[d] = (cost[:, d, None, :] + arrivals[None, :, :]).min(axis=2)
        ordinary = [i for i, d in enumerate(self.axis) if d not in self.visits]
        found[ordinary] += weights.visit_weight(self.ground.problem)
        return found

    def best_starts(self, days: list[int], anchor: int, options: tuple[int, ...]) -> list[tuple[int, int, int]]:
        """(day, option index, slot) of the cheapest session of each day; the lowest index and slot on ties."""
        table, special = self.arrival((anchor,))
        found = []
        for day in days:
            arrivals = np.repeat(special.get(day, table)[0], QUARTER)
            costs = self.cost[list(options), self.index[day]] + arrivals[None, :]
            option, slot = divmod(int(costs.argmin()), costs.shape[1])
            found.append((day, options[option], slot + self.low))
        return found


def visit_spans(ground: Ground) -> dict[int, tuple[int, int]]:
    """Day -> span of the visit there: what is booked and what has been taken on this ground."""
    spans = dict(ground.problem.patient.visits)
    for s in ground.taken:
        old = spans.get(s.day, (s.slot, s.slot + s.slots))
        spans[s.day] = (min(old[0], s.slot), max(old[1], s.slot + s.slots))
    return spans


def first_starts(ground: Ground) -> dict[int, int]:
    """Day -> first start taken on this ground, on days without a visit booked before."""
    first: dict[int, int] = {}
    for s in ground.taken:
        if s.day not in ground.problem.patient.visits:
            first[s.day] = min(first.get(s.day, s.slot), s.slot)
    return first
