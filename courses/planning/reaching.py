"""Can a course be placed at all, and until when?  The chain of days without its costs, for one row: a millisecond."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from .chain import Chain
from .classes import enrolments
from .ground import Ground
from .table import CourseTable
from .types import CourseRequest
from .weights import IMPOSSIBLE, NEVER


def earliest_end(ground: Ground, course: CourseRequest) -> int | None:
    """The earliest day on which the course can have its last session, pinned ones counted; None: it does not fit."""
    if course.series is not None:
        return min((e.meetings[-1].day for e in enrolments(ground, course)), default=None)
    table = CourseTable(ground, course)
    if not course.sessions:
        return max((p.day for p in course.pinned), default=course.start_day)
    if not table.options:
        return None
    chain = Chain(table)
    possible = (table.cost < IMPOSSIBLE).any(axis=(0, 2))
    row = np.where(possible, 0, NEVER).astype(np.int32)[:, None]
    (value,) = deque(chain.layers(row), maxlen=1)
    ends = value[:, :, 0].min(axis=0) + chain.last
    reached = np.flatnonzero(ends < IMPOSSIBLE)
    return table.axis[int(reached[0])] if len(reached) else None


def fits(ground: Ground, course: CourseRequest) -> bool:
    return earliest_end(ground, course) is not None


def most_sessions(ground: Ground, course: CourseRequest) -> int:
    """How many sessions fit with every must kept; a chain cut short stays a chain, so bisection finds it."""
    low, high = 0, course.sessions
    while low < high:
        middle = (low + high + 1) // 2
        if fits(ground, replace(course, sessions=middle)):
            low = middle
        else:
            high = middle - 1
    return low
