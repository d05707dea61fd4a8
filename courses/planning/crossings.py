"""Rules across the days of courses that are planned together, asked of the states of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np

from .ground import Ground
from .rulebook import kind_of
from .rules import OpensAfter, Review
from .table import CourseTable

LONG_AGO = -(10**6)


class Progress(NamedTuple):
    """Per course of a sweep, one array over its states: sessions done, and axis position of the last one plus one."""

    done: Sequence[np.ndarray]
    last: Sequence[np.ndarray]


class Crossings:
    """The rules between the courses of some tables, known by position.

    memory: how many days a course's last session matters to others after the course is through; 0 = not at all.
    """

    def __init__(self, ground: Ground, tables: Sequence[CourseTable]) -> None:
        self.courses = [t.course for t in tables]
        at = {course.key: i for i, course in enumerate(self.courses)}
        book = ground.rulebook
        # The day of a course's last session by `last`: index 0 is the last one given before.
        self.day_of = [np.array([max(t.course.done_days, default=LONG_AGO), *t.axis], dtype=np.int64) for t in tables]
        kinds = [kind_of(course) for course in self.courses]
        pairs = permutations(range(len(tables)), 2) if book else ()
        self.apart = [(a, b, days) for a, b in pairs if (days := book.apart(kinds[a], kinds[b])) > 1]
        self.openings = [
            (at[rule.course], at[rule.after], rule)
            for rule in book.openings
            if rule.course in at and rule.after in at and not self.courses[at[rule.course]].done_days
        ]
        self.reviews = [(at[r.course], at[r.of], r) for r in book.reviews if r.course in at and r.of in at]
        self.memory = [0] * len(tables)
        for _, b, days in self.apart:
            self.memory[b] = max(self.memory[b], days)
        for _, of, review in self.reviews:
            self.memory[of] = max(self.memory[of], review.within)

    def __bool__(self) -> bool:
        return bool(self.apart or self.openings or self.reviews)

    def allow(self, progress: Progress, subset: tuple[int, ...], day: int) -> np.ndarray | bool:
        """In which states exactly these courses may have a session on a day."""
        allowed: np.ndarray | bool = True
        for a, b, days in self.apart:
            if a in subset:  # patterns keep both off one day
                allowed &= day - self.day_of[b][progress.last[b]] >= days
        for a, after, opening in self.openings:
            if a in subset:
                allowed &= (progress.done[a] > 0) | (progress.done[after] >= self._in_chain(after, opening))
        for visit, of, review in self.reviews:
            if visit in subset:
                allowed &= self._may_review(progress, visit, of, review, day, together=of in subset)
            if of in subset:
                allowed &= self._is_reviewed(progress, visit, of, review)
        return allowed

    def _in_chain(self, after: int, opening: OpensAfter) -> int:
        return opening.sessions - len(self.courses[after].done_days)

    def _may_review(
        self, progress: Progress, visit: int, of: int, review: Review, day: int, *, together: bool
    ) -> np.ndarray:
        """The sessions before the next review are just done."""
        given, seen = len(self.courses[of].done_days), len(self.courses[visit].done_days)
        awaited = np.array([after - given for after in review.after[seen:]] + [-1])
        just: np.ndarray = progress.done[of] + together == awaited[np.minimum(progress.done[visit], len(awaited) - 1)]
        return just if together else just & (day - self.day_of[of][progress.last[of]] <= review.within)

    def _is_reviewed(self, progress: Progress, visit: int, of: int, review: Review) -> np.ndarray:
        """No review stands out before the next session of the course."""
        given, seen = len(self.courses[of].done_days), len(self.courses[visit].done_days)
        count = self.courses[of].sessions + 1
        due = np.array([sum(after - given <= n for after in review.after) - seen for n in range(count)])
        found: np.ndarray = progress.done[visit] >= due[np.minimum(progress.done[of], count - 1)]
        return found
