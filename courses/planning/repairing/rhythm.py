"""What one course demands of the days of its sessions: minimal gap, one a day, weekly maximum, excess over the gap."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from functools import cached_property

from courses.planning.types import CourseRequest, GapUnit, Horizon, Strength


class Rhythm:
    """Days of one course counted in its own unit: `position` grows by one from one counted day to the next.

    fixed: days that are taken in any case, pinned and done.
    """

    def __init__(self, horizon: Horizon, request: CourseRequest) -> None:
        self.request, self.days = request, horizon.days
        self.first_weekday = horizon.first_day.weekday()
        self.horizon = horizon
        self.pinned = {p.day for p in request.pinned}
        self.done = set(request.done_days)
        self.fixed = sorted(self.pinned | self.done)
        if request.gap_unit is GapUnit.CALENDAR:
            self.counted = list(range(horizon.days))
        else:
            opening = {d for d, is_open in enumerate(horizon.opening) if is_open}
            self.counted = sorted(opening | set(self.fixed))

    def position(self, day: int) -> int:
        """Of the last counted day up to the day; days outside the horizon count themselves."""
        if day < 0:
            return day
        return bisect_right(self.counted, day) - 1 + max(0, day - self.days + 1)

    def gap(self, earlier: int, later: int) -> int:
        return self.position(later) - self.position(earlier)

    @cached_property
    def weeks(self) -> list[int]:
        """A number per ISO week, the same for the days of one week."""
        return [(self.first_weekday + d) // 7 for d in range(self.days)]

    @cached_property
    def fixed_a_week(self) -> Counter[int]:
        return Counter(self.weeks[d] for d in self.fixed if 0 <= d < self.days)

    def allows(self, day: int, others: Iterable[int]) -> bool:
        """Whether a session may lie on the day beside the course's sessions on the other days."""
        return all(abs(self.gap(min(day, o), max(day, o))) >= self.request.gap_min for o in others)

    def usable_days(self) -> list[int]:
        """Days on which musts, exclusions and fixed sessions allow one more session."""
        request = self.request
        last = self.days - 1 if request.finish_day is None else min(request.finish_day, self.days - 1)
        by_weekday = request.weekdays if request.weekdays_strength is Strength.MUST else frozenset()
        found = []
        for day in range(max(request.start_day, 0), last + 1):
            if not self.horizon.opening[day] or day in request.excluded_days:
                continue
            if by_weekday and (self.first_weekday + day) % 7 not in by_weekday:
                continue
            if request.per_week is not None and self.fixed_a_week[self.weeks[day]] >= request.per_week:
                continue
            if self.allows(day, self.fixed):
                found.append(day)
        return found

    @cached_property
    def anchors(self) -> list[int]:
        """Fixed days between which gaps are too long or not: pinned ones, and the last one done unless resuming."""
        last_done = {max(self.done)} if self.done and not self.request.resuming else set()
        return sorted(self.pinned | last_done)

    def excess(self, days: Iterable[int]) -> int:
        """Days by which the gaps of the course, with sessions on these days besides, exceed their maximum in all."""
        most = self.request.gap_max
        if most is None:
            return 0
        chain = sorted({*self.anchors, *days})
        return sum(max(0, self.gap(a, b) - most) for a, b in itertools.pairwise(chain))

    def is_kept_by(self, days: Iterable[int]) -> bool:
        """Whether sessions on these days, the fixed ones beside them, keep minimal gap and weekly maximum."""
        chosen = list(days)
        if len(set(chosen)) < len(chosen) or set(chosen) & set(self.fixed):
            return False
        for i, day in enumerate(chosen):
            if not self.allows(day, [*self.fixed, *chosen[:i]]):
                return False
        if self.request.per_week is None:
            return True
        weeks = self.fixed_a_week + Counter(self.weeks[d] for d in chosen)
        return all(weeks[self.weeks[d]] <= self.request.per_week for d in chosen)
